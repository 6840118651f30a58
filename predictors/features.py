"""What a graph contains, as named groups of counts or numbers: labels, what touches input and output, paths, shape."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphs.archgraph import ArchGraph, Op

PASSIVE = frozenset({"skip", "skip_connect", "identity"})
"""Operations that hand on what they read."""
POINTWISE = frozenset({"fc", "conv1x1", "nor_conv_1x1"})
"""Operations that see each node of a graph, or each place of an image, alone."""


@dataclass(frozen=True)
class View:
    """Two sides of an architecture: the simplified network that is built, and a fixed description of it."""

    network: ArchGraph
    description: ArchGraph

    @cached_property
    def names(self) -> list[str]:
        """The text of each node's operation."""
        return [str(op) for op in self.network.ops]

    @cached_property
    def bare(self) -> View:
        """The same without attributes."""
        return View(*(_with_attributes(graph, words=False) for graph in (self.network, self.description)))

    @cached_property
    def worded(self) -> View:
        """The same with those attributes of inner nodes alone that are words."""
        return View(*(_with_attributes(graph, words=True) for graph in (self.network, self.description)))

    @cached_property
    def paths(self) -> list[tuple[int, ...]]:
        """The inner nodes of each path from input to output."""
        return list(walk(self.network, 0))

    @cached_property
    def active(self) -> list[list[str]]:
        """The names of the operations along each path, passive ones left out; one empty path where there is none."""
        names = [op.name for op in self.network.ops]
        return [[names[node] for node in path if names[node] not in PASSIVE] for path in self.paths] or [[]]


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
        graph, labels = view.network, view.names
        for _ in range(level):
            labels = [
                f"{label}({','.join(sorted(labels[i] for i in graph.successors[node]))})"
                for node, label in enumerate(labels)
            ]
        return Counter(labels[node] for node in inner_nodes(graph))

    return FeatureGroup(features)


def _first(view: View) -> Mapping[str, int | float]:
    return Counter(view.names[node] for node in view.network.successors[0])


def _last(view: View) -> Mapping[str, int | float]:
    return Counter(view.names[node] for node in view.network.predecessors[-1])


def _paths(view: View) -> Mapping[str, int | float]:
    return Counter(">".join(view.names[node] for node in path) for path in view.paths)


def _along(view: View) -> Mapping[str, int | float]:
    found, paths = {}, view.active
    for name in sorted({name for path in paths for name in path}):
        counts = [path.count(name) for path in paths]
        found[f"most {name}"], found[f"mean {name}"] = float(max(counts)), sum(counts) / len(counts)
    lengths = [len(path) for path in paths]
    return {**found, "least": float(min(lengths)), "mean": sum(lengths) / len(lengths), "most": float(max(lengths))}


def _mixing(view: View) -> Mapping[str, int | float]:
    depths = [_mixed(path) for path in view.active]
    mean, square = sum(depths) / len(depths), sum(depth**2 for depth in depths) / len(depths)
    paths = float(len(depths))
    return {"least": float(min(depths)), "mean": mean, "most": float(max(depths)), "square": square, "paths": paths}


def _depths(view: View) -> Mapping[str, int | float]:
    return Counter(str(_mixed(path)) for path in view.active)


def _path_sets(view: View) -> Mapping[str, int | float]:
    return Counter(">".join(sorted(path)) for path in view.active)


def _orders(view: View) -> Mapping[str, int | float]:
    paths = view.active
    return Counter(f"{first}..{then}" for path in paths for first, then in itertools.combinations(path, 2))


def _reads(view: View) -> Mapping[str, int | float]:
    graph = view.network
    return Counter(
        f"{view.names[node]}<{','.join(sorted(view.names[i] for i in graph.predecessors[node]))}"
        for node in inner_nodes(graph)
    )


def _ends(view: View) -> Mapping[str, int | float]:
    graph, last = view.network, len(view.network) - 1
    return Counter(
        f"{view.names[node]}:{0 in graph.predecessors[node]}:{last in graph.successors[node]}"
        for node in inner_nodes(graph)
    )


def _slots(view: View) -> Mapping[str, int | float]:
    graph = view.description
    wiring = ";".join(f"{i}>{j}" for i, j in graph.edges)
    return {wiring: 1.0, **{f"{node}:{op}": 1.0 for node, op in enumerate(graph.ops)}}


def _shape(view: View) -> Mapping[str, int | float]:
    graph = view.network
    lengths = [len(path) for path in view.paths] or [0]
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

ALONG = FeatureGroup(_along, counts=False)
"""Mean and largest number of each operation on a path from input to output, passive ones left out."""
MIXING = FeatureGroup(_mixing, counts=False)
"""How many operations that look at neighbours lie on a path: least, mean, most, mean square; and how many paths."""
DEPTHS = FeatureGroup(_depths)
"""Counts of paths with each number of operations that look at neighbours."""
PATH_SETS = FeatureGroup(_path_sets)
"""Counts of the operations along paths, whatever their order, passive ones left out."""
ORDERS = FeatureGroup(_orders)
"""Counts of pairs of operations of which one comes after the other on a path, over all paths."""
READS = FeatureGroup(_reads)
"""Counts of operations together with those that they read."""
ENDS = FeatureGroup(_ends)
"""Counts of operations with whether they read the input and whether the output reads them."""


def _with_attributes(graph: ArchGraph, words: bool) -> ArchGraph:
    """The graph without attributes, or with those of inner nodes that are words."""
    inner = inner_nodes(graph) if words else range(0)
    kept = [
        {attr: value for attr, value in op.attrs if node in inner and isinstance(value, str)}
        for node, op in enumerate(graph.ops)
    ]
    return ArchGraph(tuple(Op(op.name, **attrs) for op, attrs in zip(graph.ops, kept, strict=True)), graph.edges)


def _mixed(path: list[str]) -> int:
    return sum(name not in POINTWISE for name in path)


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
