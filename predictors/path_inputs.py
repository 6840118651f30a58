"""PathInputs: what lies along a network's paths, as a row of numbers (BANANAS, White et al. 2021).

Whole paths alone say little where most of them occur once, so coarser views of paths stand beside them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.feature_table import FeatureTable

VIEWS = ("paths", "path-sets", "depths", "orders", "shape", "along", "mixing")
"""The feature groups that are read where architectures have several paths."""
PLAIN = ("slots", "wl0")
"""Those that are read elsewhere."""
FEWEST = 2
"""Labelled graphs that a feature must occur in, unless there are fewer."""
LENGTH = math.sqrt(30)
"""Length of a group's part of a row, about."""


@final
class PathInputs:
    """Makes rows for graphs; which features they have is decided by the labelled ones, in any order.

    Args:
        table: the features.
        names: of its groups.
        labelled: graphs.
    """

    def __init__(self, table: FeatureTable, names: Collection[str], labelled: Sequence[ArchGraph]) -> None:
        self._table = table
        one_path = "paths" not in names or _one_path(table, labelled)
        self._parts = {name: _Part(*self._dense(name, labelled)) for name in (PLAIN if one_path else VIEWS)}

    @property
    def width(self) -> int:
        """Numbers a graph."""
        return sum(len(part.labels) for part in self._parts.values())

    def __call__(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m d"]:
        found = [part(*self._dense(name, graphs)) for name, part in self._parts.items()]
        return torch.from_numpy(np.concatenate(found, 1)).float()

    def _dense(self, name: str, graphs: Sequence[ArchGraph]) -> tuple[np.ndarray, list[str]]:
        return self._table.embedding(name, self._table.rows(graphs)[:, 0].numpy().astype(np.int64))


class _Part:
    """One group's columns, which it takes from the labelled graphs and finds again in others."""

    def __init__(self, dense: np.ndarray, labels: Sequence[str]) -> None:
        often = (dense != 0).sum(0) >= min(FEWEST, len(dense))
        order = sorted((label, at) for at, label in enumerate(labels) if often[at])
        self.labels = [label for label, _ in order]
        self.centre = dense[:, [at for _, at in order]].mean(0)

    def __call__(self, dense: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        places = {label: at for at, label in enumerate(labels)}
        found = np.zeros((len(dense), len(self.labels)))
        for column, label in enumerate(self.labels):
            if label in places:
                found[:, column] = dense[:, places[label]]
        centred: np.ndarray = (found - self.centre) * LENGTH
        return centred


def _one_path(table: FeatureTable, graphs: Sequence[ArchGraph]) -> bool:
    """Whether no two of the graphs share a path, as where each is a chain of many choices."""
    dense, _ = table.embedding("paths", table.rows(graphs)[:, 0].numpy().astype(np.int64))
    return bool(((dense != 0).sum(0) < FEWEST).all())
