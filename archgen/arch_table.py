"""Tables of architectures: CSV files with a column `arch` of the space's strings, or the space's own columns."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError, InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.catalogue import SPACES, get_space

COLUMN = "arch"
Row = dict[str, str | None]
"""Cells by column; None where a row ends early."""


def read_table(path: Path, space: SearchSpace) -> tuple[list[ArchGraph], list[Row]]:
    """The architecture of each row, and the row.

    Raises:
        InvalidOption: the file cannot be read, has no row or no column of architectures, or a row of another space.
    """
    rows = _rows(path)
    held = columns_of(rows[0], space)
    if not held:
        wanted = [repr(COLUMN), *([", ".join(space.columns)] if space.columns else [])]
        raise InvalidOption(f"{path}: expected a header with a column {' or the columns '.join(wanted)}")
    return [_arch(row, held, space, f"{path}, row {number}") for number, row in enumerate(rows, start=1)], rows


def columns_of(header: Mapping[str, object] | Sequence[str], space: SearchSpace) -> tuple[str, ...]:
    """Those of the columns of a header that hold architectures of the space; none where it has none."""
    if COLUMN in header:
        return (COLUMN,)
    return space.columns if space.columns and all(name in header for name in space.columns) else ()


def _rows(path: Path) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            table, header = list(reader), [name.strip() for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidOption(f"{path}: cannot read labels ({error}); expected a CSV file or a campaign") from error
    if not table:
        raise InvalidOption(f"{path}: expected a header with a column {COLUMN!r} and at least one row")
    if twice := [name for name in header if header.count(name) > 1]:
        raise InvalidOption(f"{path}: two columns are called {twice[0]!r}; rename one")
    for number, row in enumerate(table, start=1):
        if None in row:
            raise InvalidOption(f"{path}, row {number}: more cells than the header's {len(header)} columns")
    return [dict(zip(header, row.values(), strict=True)) for row in table]


def _arch(row: Row, held: Sequence[str], space: SearchSpace, where: str) -> ArchGraph:
    text = row[held[0]] or ""
    try:
        if held == (COLUMN,):
            return space.parse(text)
        return space.parse_columns({name: cell or "" for name, cell in row.items()})
    except ArchgenError as error:
        others = [name for name in SPACES if name != space.name and _reads(name, text)]
        told = f"{text!r} is of space {others[0]!r}, expected {space.name!r}" if others else str(error)
        raise InvalidOption(f"{where}: {told}") from error


def _reads(name: str, text: str) -> bool:
    """Whether `text` is an architecture of the space called `name`."""
    with suppress(ArchgenError):
        get_space(name).parse(text)
        return True
    return False
