"""Canonical order of a labelled DAG: isomorphic graphs become equal. Exact for every graph.

Nodes are sorted by depth and operation. Cells of nodes that are alike are split by the cells that they read and those
that read them until nothing splits (colour refinement). What is still alike is taken apart into pieces that do not see
each other, each ordered on its own, so twins and repeated branches cost nothing more. In a piece that hangs together
each node of the largest cell is singled out in turn, and the order with the smallest adjacency is kept; a node onto
which a symmetry maps an earlier one is passed over (McKay and Piperno 2014, Practical graph isomorphism II, section 2;
pieces as in Junttila and Kaski 2011, Conflict propagation and component recursion for canonical labeling).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby

from graphs.archgraph import ArchGraph

Cells = list[list[int]]
"""An ordered partition of nodes: those of one cell cannot be told apart so far."""
Links = list[list[int]]
"""For each node of the graph a list of nodes."""


def canonical_dag(graph: ArchGraph) -> ArchGraph:
    """`graph` with its nodes renumbered, by depth first: the same for all graphs isomorphic to it, operations kept."""
    order = canonical_order(graph)
    place = [0] * len(order)
    for at, node in enumerate(order):
        place[node] = at
    return ArchGraph(tuple(graph.ops[node] for node in order), tuple((place[i], place[j]) for i, j in graph.edges))


def canonical_order(graph: ArchGraph) -> list[int]:
    """The node of `graph` at each place of its canonical form."""
    names = [(op.name, repr(op.attrs) if op.attrs else "") for op in graph.ops]
    keys = [(depth, *name) for depth, name in zip(depths(graph), names, strict=True)]
    cells = [list(cell) for _, cell in groupby(sorted(range(len(graph)), key=keys.__getitem__), keys.__getitem__)]
    return _order(cells, list(map(list, graph.predecessors)), list(map(list, graph.successors)))


def depths(graph: ArchGraph) -> list[int]:
    """For each node the number of edges on the longest path that ends in it."""
    depth = [0] * len(graph)
    for node, read in enumerate(graph.predecessors):
        if read:
            depth[node] = 1 + max([depth[other] for other in read])
    return depth


def _order(cells: Cells, before: Links, after: Links, guess: bool = False) -> list[int]:
    """The nodes of `cells` in canonical order, cell by cell; edges lead from a cell to another, never within one.

    Args:
        guess: single out any node where the right one would have to be searched for. The order is then canonical only
            if symmetries exchange all nodes that are still alike.
    """
    cells = _refine(cells, before, after)
    alike = [cell for cell in cells if len(cell) > 1]
    if not alike:
        return [node for (node,) in cells]
    pieces = _pieces(alike, before, after)
    if len(pieces) == 1 and len(alike) == len(cells):
        return _single_out(cells, before, after, guess)
    ranked = []
    for piece in pieces:
        part = [[node for node in cell if node in piece] for cell in cells]
        inner, outer = (_within(piece, links) for links in (before, after))
        order = _order([cell for cell in part if cell], inner, outer, guess) if len(piece) > 1 else list(piece)
        ranked.append(([len(cell) for cell in part], _adjacency(order, outer), order))
    ranked.sort()
    rank = {node: at for at, node in enumerate(node for _, _, order in ranked for node in order)}
    return [node for cell in cells for node in (sorted(cell, key=rank.__getitem__) if len(cell) > 1 else cell)]


def _refine(cells: Cells, before: Links, after: Links) -> Cells:
    """The coarsest partition, finer than `cells`, in which nodes of a cell have as many neighbours in each cell."""
    total = sum(map(len, cells))
    shift = total.bit_length()
    weight: dict[int, int] = {}  # a digit for each cell: the sum over neighbours counts them by cell
    at = 0
    for cell in cells:
        weight.update(dict.fromkeys(cell, 1 << shift * at))
        at += len(cell)
    count = 0
    while count < len(cells) < total:
        count, split, at = len(cells), [], 0
        for cell in cells:
            if len(cell) == 1:
                split.append(cell)
                at += 1
                continue
            groups: dict[tuple[int, int], list[int]] = {}
            for node in cell:
                key = (sum([weight[k] for k in before[node]]), sum([weight[k] for k in after[node]]))
                groups.setdefault(key, []).append(node)
            for key in sorted(groups):
                split.append(groups[key])
                if len(groups) > 1:
                    weight.update(dict.fromkeys(groups[key], 1 << shift * at))
                at += len(groups[key])
        cells = split
    return cells


def _pieces(cells: Cells, before: Links, after: Links) -> list[set[int]]:
    """The nodes of refined `cells` in sets of which no two see each other.

    A node sees the nodes of another cell that it is joined to, or those that it is not joined to, whichever are fewer;
    so two cells tell whether nodes of theirs that do not see each other are joined.
    """
    home = {node: number for number, cell in enumerate(cells) for node in cell}
    seen: dict[int, list[int]] = {}
    for node in home:
        by_cell = defaultdict(list)
        for other in (*before[node], *after[node]):
            if other in home:
                by_cell[home[other]].append(other)
        seen[node] = []
        for number, joined in by_cell.items():
            few = 2 * len(joined) <= len(cells[number])
            seen[node] += joined if few else set(cells[number]).difference(joined)
    pieces, left = [], dict(home)
    while left:
        piece, front = set(), [left.popitem()[0]]
        while front:
            piece.update(front)
            front = list({other for node in front for other in seen[node]} - piece)
        pieces.append(piece)
        for node in piece:
            left.pop(node, None)
    return pieces


def _single_out(cells: Cells, before: Links, after: Links, guess: bool) -> list[int]:
    """The best order of a piece among those in which one node of the largest cell comes before the others of it."""
    chosen = max(range(len(cells)), key=lambda number: len(cells[number]))

    def order_from(node: int, guess: bool) -> list[int]:
        rest = [other for other in cells[chosen] if other != node]
        return _order([*cells[:chosen], [node], rest, *cells[chosen + 1 :]], before, after, guess)

    if guess:
        return order_from(cells[chosen][0], True)
    guesses: dict[tuple[int, ...], list[int]] = {}  # adjacency to the first order that has it
    found: dict[tuple[int, ...], list[int]] = {}
    orbit = {node: node for cell in cells for node in cell}
    tried: list[int] = []
    for node in cells[chosen]:
        if any(orbit[node] == orbit[other] for other in tried):
            continue
        order = order_from(node, True)
        first = guesses.setdefault(_adjacency(order, after), order)
        if first is order:
            tried.append(node)
            order = order_from(node, False)
            first = found.setdefault(_adjacency(order, after), order)
        _join(orbit, zip(first, order, strict=True))  # equal adjacency: a symmetry
    return found[min(found)]


def _join(orbit: dict[int, int], pairs: Iterable[tuple[int, int]]) -> None:
    """Make one orbit of the orbits of each pair."""
    for one, other in pairs:
        if (old := orbit[other]) != (new := orbit[one]):
            orbit.update((node, new) for node, name in orbit.items() if name == old)


def _within(piece: set[int], links: Links) -> Links:
    return [[other for other in some if other in piece] if node in piece else [] for node, some in enumerate(links)]


def _adjacency(order: list[int], after: Links) -> tuple[int, ...]:
    """For each place of `order` the places that it leads to, as bits."""
    bit = {node: 1 << at for at, node in enumerate(order)}
    return tuple([sum([bit[other] for other in after[node] if other in bit]) for node in order])
