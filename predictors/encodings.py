"""Encodings: a space's graphs as the inputs of each kind of model, made once and shared between fits."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture
from graphs.layout import Layout, layout_of
from graphs.space import SearchSpace
from graphs.spaces.attributed_dag import AttributedDag
from predictors.attributed_features import ENDS as END_ATTRIBUTES
from predictors.attributed_features import NODES, attribute_groups, name_groups
from predictors.feature_table import FeatureTable
from predictors.features import (
    ALONG,
    DEPTHS,
    ENDS,
    FIRST_OPS,
    LAST_OPS,
    MIXING,
    ORDERS,
    PATH_SETS,
    PATHS,
    READS,
    SHAPE,
    SLOTS,
    FeatureGroup,
    wl_labels,
)
from predictors.gnn import GraphMembers
from predictors.graph_inputs import GraphInputs
from predictors.pretraining import pretrain
from predictors.slot_features import SlotFeatures, slot_features

LOCAL: Mapping[str, FeatureGroup] = {
    "slots": SLOTS,
    "wl0": wl_labels(0),
    "wl1": wl_labels(1),
    "first": FIRST_OPS,
    "last": LAST_OPS,
    "reads": READS,
    "ends": ENDS,
}
"""Groups that take each node once."""
PATHWISE: Mapping[str, FeatureGroup] = {
    "paths": PATHS,
    "path-sets": PATH_SETS,
    "depths": DEPTHS,
    "orders": ORDERS,
    "shape": SHAPE,
    "along": ALONG,
    "mixing": MIXING,
}
"""Groups that take each path from input to output."""
NUMBERS = ("shape", "along", "mixing")
MOST_PATHS = 256
"""Paths of a graph up to which those are looked at."""
TRIED = 200
MOST_PAIR_EFFECTS = 5_000
"""Effects of pairs of values up to which slots have them."""


@final
class Encodings:
    """What models see of the graphs of a space.

    Args:
        space: of the graphs.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    @cached_property
    def groups(self) -> Mapping[str, FeatureGroup]:
        """The feature groups that are worth their time: those along paths where graphs have few.

        Where operations have attributes of their own, names and attributes have groups apart.
        """
        rng = np.random.default_rng(0)
        paths = max(_count_paths(self.space.network(self.space.sample(rng))) for _ in range(TRIED))
        groups = {**LOCAL, **PATHWISE} if paths <= MOST_PATHS else LOCAL
        if isinstance(self.space, AttributedDag):
            return {**name_groups(groups), **attribute_groups(self.space)}
        return groups

    @cached_property
    def table(self) -> FeatureTable:
        """The feature groups of every graph that was asked for."""
        return FeatureTable(self.space, self.groups)

    @property
    def terms(self) -> tuple[tuple[str, ...], ...]:
        """The terms of the feature kernel."""
        return terms_of(tuple(self.groups))

    @cached_property
    def graph_inputs(self) -> GraphInputs:
        """What graph neural networks read."""
        return GraphInputs(self.space)

    @cached_property
    def pretrained(self) -> GraphMembers:
        """An encoder that has learned what graphs tell for nothing; half a minute when it is first asked for."""
        return pretrain(self.space, self.graph_inputs)

    @cached_property
    def layout(self) -> Layout | None:
        """The space's layout; None where it has none, or where edges are slots, whose meaning lies in their wiring."""
        try:
            layout = layout_of(self.space)
        except InvalidArchitecture:
            return None
        return None if layout.edge_slots else layout

    @cached_property
    def slots(self) -> SlotFeatures | None:
        """What is known of the layout's slots."""
        return None if self.layout is None else features_of(self.layout)

    def numbers(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m 1"]:
        """The rows of `table`."""
        return self.table.rows(graphs)

    def rows(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m s"]:
        """The rows of `layout` of one description of each network."""
        assert self.layout is not None
        return _rows(self.layout, graphs).double()


def terms_of(groups: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The terms of a kernel on these groups: numbers alone; attributes of nodes and of the ends alone; everything."""
    numbers = tuple(name for name in NUMBERS if name in groups)
    attributes = [tuple(name for name in groups if name.startswith(kind)) for kind in (NODES, END_ATTRIBUTES)]
    return tuple(term for term in (numbers, *attributes, tuple(groups)) if term)


def features_of(layout: Layout) -> SlotFeatures:
    """What a layout says of its slots: parts whose values act together, values that are alike, their attributes."""
    groups = [part for part in layout.parts if len(part) > 1]
    pairs = sum(layout.sizes[i] * layout.sizes[j] for part in groups for i, j in itertools.combinations(part, 2))
    groups = groups if pairs <= MOST_PAIR_EFFECTS else []
    return slot_features(layout.sizes, groups=groups, shared=layout.alike, attributes=layout.attributes)


def _rows(layout: Layout, graphs: Sequence[ArchGraph]) -> Int[Tensor, "m s"]:
    if not graphs:
        return torch.zeros(0, len(layout), dtype=torch.int64)
    return layout.read([layout.space.representative(graph) for graph in graphs])


def _count_paths(graph: ArchGraph) -> int:
    counts = [1] + [0] * (len(graph) - 1)
    for i, j in sorted(graph.edges):
        counts[j] += counts[i]
    return counts[-1]
