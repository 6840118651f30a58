"""What a graph contains, as named groups of counts or numbers: labels, what touches input and output, paths, shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphs.archgraph import ArchGraph


class View(NamedTuple):
    """Two sides of an architecture: the simplified network that is built, and a fixed description of it."""

    network: ArchGraph
    description: ArchGraph


@dataclass(frozen=True)
class FeatureGroup:
    """Features that share one weight.

    Args:
        features: label to value.
        counts: whether the values are counts, which enter a distance as square roots, or numbers.
    """

    features: Callable[[View], Mapping[str, int | float]]
    counts: bool = True


def wl_labels(level: int) -> FeatureGroup:
    """Counts of the labels after `level` Weisfeiler-Lehman refinements over successors (Shervashidze et al. 2011).

    The input and output nodes take part in the refinement but are not counted.
    """

    def features(view: View) -> Mapping[str, int | float]:
        graph = view.network
        labels = [str(op) for op in graph.ops]
        for _ in range(level):
            labels = [
                f"{label}({','.join(sorted(labels[i] for i in graph.successors[node]))})"
                for node, label in enumerate(labels)
            ]
        return Counter(labels[node] for node in inner_nodes(graph))

    return FeatureGroup(features)


def _first(view: View) -> Mapping[str, int | float]:
    return Counter(str(view.network.ops[node]) for node in view.network.successors[0])


def _last(view: View) -> Mapping[str, int | float]:
    return Counter(str(view.network.ops[node]) for node in view.network.predecessors[-1])


def _paths(view: View) -> Mapping[str, int | float]:
    graph = view.network
    return Counter(">".join(str(graph.ops[node]) for node in path) for path in walk(graph, 0))


def _slots(view: View) -> Mapping[str, int | float]:
    graph = view.description
    wiring = ";".join(f"{i}>{j}" for i, j in graph.edges)
    return {wiring: 1.0, **{f"{node}:{op}": 1.0 for node, op in enumerate(graph.ops)}}


def _shape(view: View) -> Mapping[str, int | float]:
    graph = view.network
    lengths = [len(path) for path in walk(graph, 0)] or [0]
    return {
        "operations": float(len(inner_nodes(graph))),
        "last": float(len(graph.predecessors[-1])),
        "first": float(len(graph.successors[0])),
        "longest": float(max(lengths)),
        "mean": sum(lengths) / len(lengths),
    }


FIRST_OPS = FeatureGroup(_first)
"""Counts of the operations that read the input."""
LAST_OPS = FeatureGroup(_last)
"""Counts of the operations that the output reads."""
PATHS = FeatureGroup(_paths)
"""Counts of the operation sequences along all paths from input to output (BANANAS, White et al. 2021)."""
SLOTS = FeatureGroup(_slots)
"""The description as it stands: which operation in which place, and the wiring as a whole."""
SHAPE = FeatureGroup(_shape, counts=False)
"""Operations, those that the output reads, those that read the input, longest and mean path."""


def inner_nodes(graph: ArchGraph) -> range:
    """All nodes but the first and the last."""
    return range(1, len(graph) - 1)


def walk(graph: ArchGraph, node: int) -> Iterator[tuple[int, ...]]:
    """The inner nodes of each path from `node` to the last node, `node` itself left out."""
    last = len(graph) - 1
    for after in graph.successors[node]:
        if after == last:
            yield ()
        else:
            yield from ((after, *rest) for rest in walk(graph, after))
