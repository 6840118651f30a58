"""Feature groups of graphs whose operations have attributes: the names alone, each attribute alone, the ends' own.

A label of an operation with all its attributes is met once and never again where there are many. So the groups of
`predictors.features` read names, and each attribute has a group of its own, whose weight says whether it matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from graphs.archgraph import ArchGraph, AttrValue, Op
from graphs.spaces.attributed_dag import AttributedDag
from predictors.features import FeatureGroup, View, inner_nodes

WORDED = ("wl0", "wl1", "first", "last", "reads", "ends", "paths")
"""Groups that also read words; the others read names alone, or have hardly a label twice."""
NODES, ENDS = ("node ", "mean "), ("input ", "output ")
"""How the names of groups begin that read attributes of inner nodes, and of the ends."""


def name_groups(groups: Mapping[str, FeatureGroup]) -> dict[str, FeatureGroup]:
    """The same groups of graphs without attributes; then some of them with attributes that are words, as names are."""
    bare = {name: _of_names(group) for name, group in groups.items()}
    return bare | {f"worded {name}": _of_words(groups[name]) for name in WORDED if name in groups}


def _of_names(group: FeatureGroup) -> FeatureGroup:
    return FeatureGroup(lambda view: group.features(view.bare), group.counts)


def _of_words(group: FeatureGroup) -> FeatureGroup:
    return FeatureGroup(lambda view: group.features(view.worded), group.counts)


def attribute_groups(space: AttributedDag) -> dict[str, FeatureGroup]:
    """A group for each attribute of the input, the output and inner nodes that has several values.

    Numbers are taken by their position among the choices, which are spaced as whoever chose them thought that they
    matter, often by factors.
    """
    found = {}
    for end, node in (("input", 0), ("output", -1)):
        for attr, options in space.choices[end].items():
            if len(options) > 1:
                found[f"{end} {attr}"] = _end(node, attr, options)
    inner: dict[str, list[AttrValue]] = {}
    for op in space.inner:
        for attr, options in space.choices[op].items():
            known = inner.setdefault(attr, [])
            known += [value for value in options if value not in known]
    for attr, values in inner.items():
        if len(values) > 1:
            found[f"node {attr}"] = _counts(attr)
            if _numeric(values):
                found[f"mean {attr}"] = _means(attr, _positions(values))
    return found


def _end(node: int, attr: str, options: tuple[AttrValue, ...]) -> FeatureGroup:
    if not _numeric(options):
        return FeatureGroup(lambda view: {str(view.network.ops[node].get(attr)): 1})
    place = _positions(options)
    return FeatureGroup(lambda view: {attr: place[view.network.ops[node].get(attr)]}, counts=False)


def _counts(attr: str) -> FeatureGroup:
    """How many nodes have each value, in all and by operation."""

    def features(view: View) -> Mapping[str, int | float]:
        found: Counter[str] = Counter()
        for op, value in _having(view.network, attr):
            found[f"{attr}={value}"] += 1
            found[f"{op.name}.{attr}={value}"] += 1
        return found

    return FeatureGroup(features)


def _means(attr: str, place: Mapping[AttrValue | None, float]) -> FeatureGroup:
    """The mean position over nodes that have the attribute, over those that read the input, and that the output reads.

    Where there is none it counts as the middle.
    """

    def features(view: View) -> Mapping[str, int | float]:
        graph = view.network
        inner = inner_nodes(graph)
        parts = {"all": inner, "first": graph.successors[0], "last": graph.predecessors[-1]}
        found = {}
        for name, nodes in parts.items():
            values = [graph.ops[node].get(attr) for node in nodes if node in inner]
            own = [place[value] for value in values if value is not None]
            found[name] = sum(own) / len(own) if own else 0.0
        return found

    return FeatureGroup(features, counts=False)


def _having(graph: ArchGraph, attr: str) -> Iterator[tuple[Op, AttrValue]]:
    for node in inner_nodes(graph):
        if (value := graph.ops[node].get(attr)) is not None:
            yield graph.ops[node], value


def _numeric(values: list[AttrValue] | tuple[AttrValue, ...]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _positions(values: list[AttrValue] | tuple[AttrValue, ...]) -> dict[AttrValue | None, float]:
    """From -1 to 1."""
    ordered = sorted(values)
    return {value: 2 * place / (len(ordered) - 1) - 1 for place, value in enumerate(ordered)}
