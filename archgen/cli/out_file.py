"""A command's output file: asked for room before the work begins, there whole or not at all when it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from graphs.errors import InvalidOption

STANDARD = Path("-")
"""Standard output."""


def require_place(out: Path, *read: Path | None) -> None:
    """Raise `InvalidOption` where no file can be written at `out`, or where one of those `read` would be lost."""
    if out == STANDARD:
        return
    if out.is_dir():
        raise InvalidOption(f"{out}: this is a folder; name a file in it")
    if not out.parent.is_dir():
        raise InvalidOption(f"{out}: there is no folder {out.parent}; make it or choose another place")
    if not os.access(out if _special(out) else out.parent, os.W_OK):
        raise InvalidOption(f"{out}: cannot write here; permit it or choose another place")
    for other in read:
        if other is not None and other.exists() and out.exists() and out.samefile(other):
            raise InvalidOption(f"{out}: this file is read; choose another place to write to")


@contextmanager
def written(out: Path) -> Iterator[TextIO]:
    """A text file that is moved to its place when it is whole; a pipe or a device is written as it is."""
    if out == STANDARD:
        yield sys.stdout
        return
    if _special(out):
        with out.open("w", encoding="utf-8") as file:
            yield file
        return
    place = Path(os.path.realpath(out))  # a link stays one
    part = place.with_name(place.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        os.replace(part, place)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _special(out: Path) -> bool:
    return out.exists() and not out.is_file()
