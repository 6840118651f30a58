"""GraphVectors: architectures as vectors of standardised feature counts, for networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from predictors.features import FeatureGroup, View


@final
@dataclass(frozen=True, eq=False)
class GraphVectors:
    """Feature groups of a space's networks as columns; equal for descriptions of one network.

    Args:
        space: of the graphs.
        groups: whose features are looked at; counts enter as square roots.
        columns: the features that the labelled graphs have, those that none has are ignored.
        mean, std: of each over the labelled graphs.
    """

    space: SearchSpace
    groups: Mapping[str, FeatureGroup]
    columns: Mapping[str, int]
    mean: Float[Tensor, " v"]
    std: Float[Tensor, " v"]

    @staticmethod
    def of(space: SearchSpace, groups: Mapping[str, FeatureGroup], graphs: Sequence[ArchGraph]) -> GraphVectors:
        """What graphs have, of which at least one is given."""
        columns: dict[str, int] = {}
        for graph in dict.fromkeys(graphs):
            for name, _ in _features(space, groups, graph):
                columns.setdefault(name, len(columns))
        plain = GraphVectors(space, groups, columns, torch.zeros(len(columns)), torch.ones(len(columns)))
        found = plain(graphs)
        std = found.std(0, correction=0)
        return GraphVectors(space, groups, columns, found.mean(0), std.where(std > 1e-6, 1.0))

    def __call__(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "n v"]:
        rows: dict[ArchGraph, Tensor] = {}
        for graph in dict.fromkeys(graphs):
            row = torch.zeros(len(self.columns))
            for name, value in _features(self.space, self.groups, graph):
                if name in self.columns:
                    row[self.columns[name]] = value
            rows[graph] = (row - self.mean) / self.std
        return torch.stack([rows[graph] for graph in graphs])


def _features(space: SearchSpace, groups: Mapping[str, FeatureGroup], graph: ArchGraph) -> Iterator[tuple[str, float]]:
    view = View(space.network(graph), space.representative(graph))
    for name, group in groups.items():
        for label, count in group.features(view).items():
            yield f"{name} {label}", math.sqrt(count) if group.counts else float(count)
