"""Counts of what a graph contains: Weisfeiler-Lehman labels, paths, what touches input and output, and its shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from graphs.archgraph import ArchGraph

Counts = dict[str, float]
FeatureGroup = Callable[[ArchGraph], Counts]


def wl_labels(level: int) -> FeatureGroup:
    """Counts of the Weisfeiler-Lehman subtree labels after `level` refinements over predecessors (Shervashidze et al. 2011).

    The input and output nodes take part in the refinement but are not counted.
    """

    def group(graph: ArchGraph) -> Counts:
        labels = [str(op) for op in graph.ops]
        for _ in range(level):
            labels = [
                f"{label}({','.join(sorted(labels[i] for i in graph.predecessors[node]))})"
                for node, label in enumerate(labels)
            ]
        return Counter(labels[node] for node in inner_nodes(graph))

    return group


def first_ops(graph: ArchGraph) -> Counts:
    """Counts of the operations that read the input."""
    return Counter(str(graph.ops[node]) for node in graph.successors[0])


def last_ops(graph: ArchGraph) -> Counts:
    """Counts of the operations that the output reads."""
    return Counter(str(graph.ops[node]) for node in graph.predecessors[-1])


def ordered_pairs(graph: ArchGraph) -> Counts:
    """Counts of (operation, later operation) over all pairs of nodes joined by a path."""
    ancestors: list[set[int]] = []
    for node in range(len(graph)):
        ancestors.append(set(graph.predecessors[node]).union(*(ancestors[i] for i in graph.predecessors[node])))
    inner = set(inner_nodes(graph))
    return Counter(f"{graph.ops[i]}>{graph.ops[node]}" for node in inner for i in ancestors[node] & inner)


def paths(graph: ArchGraph) -> Counts:
    """Counts of the operation sequences along all paths from input to output (BANANAS, White et al. 2021)."""
    return Counter(">".join(str(graph.ops[node]) for node in path) for path in _paths(graph, 0))


def shape(graph: ArchGraph) -> Counts:
    """Numbers: operations, operations read by the output, operations that read the input, longest and mean path."""
    lengths = [len(path) for path in _paths(graph, 0)] or [0]
    return {
        "operations": float(len(inner_nodes(graph))),
        "last": float(len(graph.predecessors[-1])),
        "first": float(len(graph.successors[0])),
        "longest": float(max(lengths)),
        "mean": float(np.mean(lengths)),
    }


def inner_nodes(graph: ArchGraph) -> range:
    """All nodes but the first and the last."""
    return range(1, len(graph) - 1)


def _paths(graph: ArchGraph, node: int) -> Iterator[tuple[int, ...]]:
    """The inner nodes of each path from `node` to the last node, `node` itself left out."""
    last = len(graph) - 1
    for after in graph.successors[node]:
        if after == last:
            yield ()
        else:
            yield from ((after, *rest) for rest in _paths(graph, after))
