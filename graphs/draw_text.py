"""An ArchGraph as text for a terminal, in the manner of `git log --graph`.

    ○    input
    ├─╮
    ● │  gat   heads=4
    │ ●  gcn
    ● │  skip
    ├─╯
    ○    output

Each rail is one edge. It forks off below the node it leaves and ends in the node it enters; where several enter, they
are joined just above. A rail that a line passes behind (`─│─`) takes no part.
"""

import textwrap

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op

WIDTH = 100
_MAX_RAILS = 24
_JOIN = {(True, False): "╯", (True, True): "┴"}
_FORK = {(False, True): "╭", (True, False): "╮", (True, True): "┬"}
_HOME = {(False, True): "├", (True, False): "┤", (True, True): "┼"}

_Row = tuple[str, int | None]
"""The rails of a row as drawn, and the node that stands on it, if any."""
_Rails = list[tuple[int, int] | None]
"""The edge on each rail."""


def draw_text(graph: ArchGraph) -> str:
    """The graph as lines of at most 100 columns, one for each node in topological order and one for each fork or join.

    A graph whose rails need too much room is written as a list of nodes with what they read.
    """
    rows = _rows(graph)
    room = max((len(rails) for rails, _ in rows), default=0) + 2
    if room > 2 * _MAX_RAILS + 1:
        return _listing(graph)
    names = min(max((len(op.name) for op in graph.ops if op.attrs), default=0), 30)
    lines: list[str] = []
    for at, (rails, node) in enumerate(rows):
        label = [""] if node is None else _label(graph.ops[node], names, WIDTH - room)
        lines.append(rails.ljust(room) + label[0])
        below = rows[at + 1][0] if at + 1 < len(rows) else ""
        lines += [_between(rails, below).ljust(room) + more for more in label[1:]]
    return "\n".join(line.rstrip() for line in lines)


def _rows(graph: ArchGraph) -> list[_Row]:
    """Walk down the nodes: join what a node reads, draw the node, fork its rail for those that read it."""
    rails: _Rails = []
    rows: list[_Row] = []
    for node, op in enumerate(graph.ops):
        read = [rail for rail, edge in enumerate(rails) if edge is not None and edge[1] == node]
        home = min(read) if read else _free(rails, 0)
        if len(read) > 1:
            rows.append((_line(rails, home, set(read) - {home}, _JOIN), None))
        elif not read and rows and rows[-1][0][2 * home : 2 * home + 1].strip():
            rows.append((_plain(rails), None))  # a gap, lest the node seem to read what ended just above it
        for rail in read:
            rails[rail] = None
        rows.append((_plain(rails, home, "○" if op in (INPUT, OUTPUT) else "●"), node))
        forks: set[int] = set()
        for reader in graph.successors[node]:
            rail = _free(rails, home)
            rails[rail] = (node, reader)
            forks.add(rail)
        if len(forks) > 1:
            rows.append((_line(rails, home, forks - {home}, _FORK), None))
        while rails and rails[-1] is None:
            rails.pop()
    return rows


def _free(rails: _Rails, home: int) -> int:
    """The free rail nearest to `home`, to its right if possible; `rails` grows where all are taken."""
    rails.extend([None] * (home + 1 - len(rails)))
    free = [rail for rail, edge in enumerate(rails) if edge is None]
    if not free:
        rails.append(None)
    return min(free, key=lambda rail: (rail < home, abs(rail - home)), default=len(rails) - 1)


def _plain(rails: _Rails, home: int = -1, mark: str = "") -> str:
    return " ".join(mark if rail == home else " " if edge is None else "│" for rail, edge in enumerate(rails)).rstrip()


def _line(rails: _Rails, home: int, others: set[int], glyphs: dict[tuple[bool, bool], str]) -> str:
    """A line from the rail `home` to the `others`, which join it from above or fork off to below."""
    first, last = min(others | {home}), max(others | {home})
    text = ""
    for rail, edge in enumerate(rails):
        sides = (rail > first, rail < last)
        if rail == home or rail in others:
            text += (_HOME if rail == home else glyphs)[sides]
        else:
            text += "│" if edge is not None else "─" if all(sides) else " "
        text += "─" if first <= rail < last else " "
    return text.rstrip()


def _label(op: Op, names: int, width: int) -> list[str]:
    """The operation and its attributes, wrapped; the attributes of all nodes stand in one column."""
    attrs = " ".join(f"{key}={value}" for key, value in op.attrs)
    text = f"{op.name.ljust(names)}  {attrs}" if attrs else op.name
    return textwrap.wrap(text, width, subsequent_indent=" " * (names + 2), drop_whitespace=True) or [""]


def _between(above: str, below: str) -> str:
    """The rails between a row and the next, where a label runs over several lines."""
    up = {at for at, glyph in enumerate(above) if glyph in "│●○"}
    down = {at for at, glyph in enumerate(below) if glyph in "│●○├┤┼╯┴"}
    return "".join("│" if at in up & down else " " for at in range(len(above)))


def _listing(graph: ArchGraph) -> str:
    lines: list[str] = []
    for node, (op, read) in enumerate(zip(graph.ops, graph.predecessors, strict=True)):
        text = f"{node:>3} {op}" + (f" ← {' '.join(map(str, read))}" if read else "")
        lines += textwrap.wrap(text, WIDTH, subsequent_indent=" " * 6)
    return "\n".join(lines)
