"""One decision in a DAG with free edges: another operation, an edge more or less, a node put on an edge or taken off.

Moves lead from any graph to any other. Take a graph with inner nodes of which no edge may be removed and no node be
taken off: an edge may stay only if it is the last out of its source or the last into its target. Node 1 reads the input
alone, so it has two readers or more, each of which reads it alone, and so on: a tree that the output would be in twice.
So from every graph some move leads to a smaller one, down to input wired to output, and each move has its inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations

from graphs.archgraph import ArchGraph, Op

Move = Callable[[], ArchGraph]
"""Makes the graph after the move."""


def moves(
    graph: ArchGraph,
    ops: Sequence[Op],
    max_nodes: int,
    max_edges: int | None,
    others: Callable[[Op], Iterable[Op]] | None = None,
) -> Iterator[Move]:
    """All moves from a valid graph.

    Args:
        ops: what a new node may be.
        max_nodes: of the graph after the move.
        max_edges: of the graph after the move, None for no limit.
        others: what a node may be in the place of its operation; the others of `ops` unless given.

    Each leads to a valid graph that differs in an operation, its number of edges or its number of nodes. Isomorphic
    graphs have isomorphic moves: an edge may also run against the numbers where no path leads the other way.
    """
    edges, last = set(graph.edges), len(graph) - 1
    read = list(map(len, graph.predecessors))
    readers = list(map(len, graph.successors))
    room = max_edges is None or len(edges) < max_edges
    above = _ancestors(graph)
    for node in range(1, last):
        instead = [op for op in ops if op != graph.ops[node]] if others is None else others(graph.ops[node])
        yield from (partial(change, graph, node, op) for op in instead)
        if read[node] == readers[node] == 1 and (graph.predecessors[node][0], graph.successors[node][0]) not in edges:
            yield partial(_take_off, graph, node)
    for edge in combinations(range(last + 1), 2):
        if edge not in edges:
            if room:
                yield partial(_add, graph, edge)
                if not above[edge[1]] >> edge[0] & 1:
                    yield partial(_add_against, graph, edge, above[edge[1]])
            continue
        if readers[edge[0]] > 1 and read[edge[1]] > 1:
            yield partial(_remove, graph, edge)
        if room and last + 1 < max_nodes:
            yield from (partial(_put_on, graph, edge, op) for op in ops)


def change(graph: ArchGraph, node: int, op: Op) -> ArchGraph:
    """Another operation in the place of `node`."""
    return ArchGraph((*graph.ops[:node], op, *graph.ops[node + 1 :]), graph.edges)


def _add(graph: ArchGraph, edge: tuple[int, int]) -> ArchGraph:
    return ArchGraph(graph.ops, (*graph.edges, edge))


def _add_against(graph: ArchGraph, edge: tuple[int, int], above: int) -> ArchGraph:
    """An edge from the later node to the earlier; the later one and its ancestors, `above`, move before the earlier."""
    early, late = edge
    first = [node for node in range(early, late) if above >> node & 1]
    order = [*range(early), *first, late, *(node for node in range(early, late) if node not in first)]
    order += range(late + 1, len(graph))
    place = {node: at for at, node in enumerate(order)}
    pairs = [(place[i], place[j]) for i, j in (*graph.edges, (late, early))]
    return ArchGraph(tuple(graph.ops[node] for node in order), tuple(pairs))


def _ancestors(graph: ArchGraph) -> list[int]:
    """For each node the nodes from which a path leads to it, as bits."""
    found: list[int] = []
    for read in graph.predecessors:
        above = 0
        for node in read:
            above |= found[node] | 1 << node
        found.append(above)
    return found


def _remove(graph: ArchGraph, edge: tuple[int, int]) -> ArchGraph:
    return ArchGraph(graph.ops, tuple(other for other in graph.edges if other != edge))


def _put_on(graph: ArchGraph, edge: tuple[int, int], op: Op) -> ArchGraph:
    """The new node comes just before the edge's target."""
    new = edge[1]
    ops = (*graph.ops[:new], op, *graph.ops[new:])
    kept = [(i + (i >= new), j + (j >= new)) for i, j in graph.edges if (i, j) != edge]
    return ArchGraph(ops, (*kept, (edge[0], new), (new, new + 1)))


def _take_off(graph: ArchGraph, node: int) -> ArchGraph:
    ends = (graph.predecessors[node][0], graph.successors[node][0])
    kept = [edge for edge in graph.edges if node not in edge]
    ops = (*graph.ops[:node], *graph.ops[node + 1 :])
    return ArchGraph(ops, tuple((i - (i > node), j - (j > node)) for i, j in (*kept, ends)))
