"""Architectures in files: one to a line, as the space's own string or as JSON; and labels beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from archgen.arch_table import columns_of, read_table
from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError, InvalidArchitecture, InvalidOption
from graphs.graph_json import graph_from_dict
from graphs.space import SearchSpace


def read_graphs(path: Path | str, space: SearchSpace) -> list[ArchGraph]:
    """The architectures of a file, in its order.

    Either one a line: lines of `archgen generate`, graphs in JSON, the space's own strings; or a CSV file whose header
    has a column `arch`, or the space's own columns.

    Raises:
        InvalidOption: the file cannot be read, holds no architecture, or a row of a table is none.
        InvalidArchitecture: a line is not an architecture of `space`; names the line.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = [name.strip() for name in file.readline().split(",")]
            if columns_of(header, space):
                return read_table(path, space)[0]
            file.seek(0)
            graphs = [_graph(line, space, f"{path}, line {number}") for number, line in _lines(file)]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOption(f"{path}: cannot read graphs ({error}); expected a text file, one graph a line") from error
    if not graphs:
        raise InvalidOption(f"{path}: there is no graph in it; expected one a line")
    return graphs


def _lines(file: Iterator[str]) -> Iterator[tuple[int, str]]:
    return ((number, line.strip()) for number, line in enumerate(file, start=1) if line.strip())


def _graph(line: str, space: SearchSpace, where: str) -> ArchGraph:
    try:
        if not line.startswith("{"):
            return space.parse(line)
        data = json.loads(line)
        found, name = graph_from_dict(data.get("graph", data))
        if name != space.name:
            raise InvalidArchitecture(f"a graph of space {name!r}, expected {space.name!r}")
        space.check(found)
    except (ArchgenError, ValueError, RecursionError) as error:
        raise InvalidArchitecture(f"{where}: no architecture of {space.name} ({error})") from error
    return found
