"""One decision in a DAG with free edges: another operation, an edge more or less, a node put on an edge or taken off.

Moves lead from any graph to any other. Take a graph with inner nodes of which no edge may be removed and no node be
taken off: an edge may stay only if it is the last out of its source or the last into its target. Node 1 reads the input
alone, so it has two readers or more, each of which reads it alone, and so on: a tree that the output would be in twice.
So from every graph some move leads to a smaller one, down to input wired to output, and each move has its inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations

from graphs.archgraph import ArchGraph, Op

Move = Callable[[], ArchGraph]
"""Makes the graph after the move."""


def moves(graph: ArchGraph, ops: Sequence[Op], max_nodes: int, max_edges: int | None) -> Iterator[Move]:
    """All moves from a valid graph.

    Each leads to a valid graph that differs in an operation, its number of edges or its number of nodes.
    """
    edges, last = set(graph.edges), len(graph) - 1
    read = list(map(len, graph.predecessors))
    readers = list(map(len, graph.successors))
    room = max_edges is None or len(edges) < max_edges
    for node in range(1, last):
        yield from (partial(_change, graph, node, op) for op in ops if op != graph.ops[node])
        if read[node] == readers[node] == 1 and (graph.predecessors[node][0], graph.successors[node][0]) not in edges:
            yield partial(_take_off, graph, node)
    for edge in combinations(range(last + 1), 2):
        if edge not in edges:
            if room:
                yield partial(_add, graph, edge)
            continue
        if readers[edge[0]] > 1 and read[edge[1]] > 1:
            yield partial(_remove, graph, edge)
        if room and last + 1 < max_nodes:
            yield from (partial(_put_on, graph, edge, op) for op in ops)


def _change(graph: ArchGraph, node: int, op: Op) -> ArchGraph:
    return ArchGraph((*graph.ops[:node], op, *graph.ops[node + 1 :]), graph.edges)


def _add(graph: ArchGraph, edge: tuple[int, int]) -> ArchGraph:
    return ArchGraph(graph.ops, (*graph.edges, edge))


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
