"""One process on a campaign directory, or several that share it: a file lock that goes however its process ends.

Children that an evaluator has forked hold it too, until they end.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from graphs.errors import CampaignBusy, StoreError

LOCK = "campaign.lock"
VIEWS = "views.lock"
"""Of those who share a campaign's directory, one writes the views of it that only one can write."""


@contextmanager
def hold(folder: Path, shared: bool = False) -> Iterator[None]:
    """Create `folder` where needed and hold it.

    Args:
        shared: together with others that share it, too.

    Raises:
        CampaignBusy: another process holds it alone, or is not to share it.
        StoreError: it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot write here ({error.strerror}); make room or choose another directory with --dir"
        ) from error
    try:
        _lock(file, folder, shared)
        _tell_holder(file, str(os.getpid()))
        try:
            yield
        finally:
            _tell_holder(file, "")
    finally:
        os.close(file)


@contextmanager
def try_hold(folder: Path, name: str) -> Iterator[bool]:
    """Whether this process holds a lock of the directory, for as long as the block; it does not wait for it."""
    file = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except OSError:
            mine = False
        yield mine
    finally:
        os.close(file)


def _lock(file: int, folder: Path, shared: bool) -> None:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(file, 32, 0).decode(errors="replace").strip()
        raise CampaignBusy(
            f"{folder}: process {holder or '?'} works on this campaign; wait for it or choose another --dir"
            ", or start all of its processes with --share"
        ) from error
    except OSError as error:
        raise StoreError(
            f"{folder}: this file system has no locks ({error.strerror}); choose another directory with --dir"
        ) from error


def _tell_holder(file: int, holder: str) -> None:
    """Who holds the lock is a courtesy to others, which a full disk may prevent."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode(), 0)
