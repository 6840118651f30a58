"""FeatureTable: the features of every graph seen, as sparse rows, and distances between rows."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from predictors.features import FeatureGroup, View

REFERENCE_GRAPHS = 500
"""Random graphs whose mean distance sets each group's scale; features only, no labels."""


class FeatureTable:
    """Each network once, in the order in which it was first seen; its row number is what a GP takes as its input.

    Args:
        space: gives each graph's network and description.
        groups: the feature groups by name.
    """

    def __init__(self, space: SearchSpace, groups: Mapping[str, FeatureGroup]) -> None:
        self._space = space
        self._groups = {name: _Rows(group) for name, group in groups.items()}
        self._rows: dict[ArchGraph, int] = {}
        rng = np.random.default_rng(0)
        reference = self.rows([space.sample(rng) for _ in range(REFERENCE_GRAPHS)])[:, 0].numpy().astype(np.int64)
        for rows in self._groups.values():
            rows.set_scale(reference)

    def rows(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m 1"]:
        """The row numbers of the networks of `graphs`, which are added where they are new."""
        found = []
        for graph in graphs:
            network = self._space.network(graph)
            if network not in self._rows:
                self._rows[network] = len(self._rows)
                view = View(network, self._space.representative(graph))
                for rows in self._groups.values():
                    rows.add(view)
            found.append(self._rows[network])
        return torch.tensor(found, dtype=torch.float64)[:, None]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the feature groups."""
        return tuple(self._groups)

    def embedding(self, name: str, rows: np.ndarray) -> tuple[Float[np.ndarray, "m d"], list[str]]:
        """The group's features of rows, in the unit of `distance`, and the label of each; those that all lack left out.

        Half the squared Euclidean distance of two rows of it is `distance`.
        """
        return self._groups[name].embedding(rows)

    def __deepcopy__(self, _memo: object) -> FeatureTable:
        """Itself: rows are only ever added, and the models that BoTorch copies for fantasies must know the new ones."""
        return self

    def distance(self, name: str, left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, "l r"]:
        """Half the squared Euclidean distance of the group's features, over its mean on the reference graphs."""
        return self._groups[name].distance(left, right)

    def weighted(self, weights: Mapping[str, float], left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, "l r"]:
        """The sum over groups of weight times `distance`, but for rounding: one product instead of one a group."""
        if len(right) > len(left):
            return self.weighted(weights, right, left).T
        a, b = (self._stacked(weights, rows) for rows in (left, right))
        met, place = np.unique(b.indices), np.full(a.shape[1], -1)
        place[met] = np.arange(len(met))
        dot = _columns(a, place) @ _columns(b, place).T.toarray()
        squared = _squared_norms(a)[:, None] + _squared_norms(b)[None, :] - 2 * dot
        found: np.ndarray = np.maximum(squared, 0.0) / 2
        return found

    def _stacked(self, weights: Mapping[str, float], rows: np.ndarray) -> sp.csr_array:
        """All groups' features beside each other, in the unit in which half a squared distance is the weighted sum."""
        parts = [math.sqrt(weight) * self._groups[name].scaled(rows) for name, weight in weights.items()]
        return sp.csr_array(sp.hstack(parts, format="csr"))


class _Rows:
    """One group's features, a row each, growing."""

    def __init__(self, group: FeatureGroup) -> None:
        self._group = group
        self._columns: dict[str, int] = {}
        self._places = array("i")
        self._values = array("d")
        self._ends = array("i", [0])
        self._matrix = sp.csr_array((0, 1))
        self._unit: np.ndarray | None = None
        self._scale = 1.0

    def add(self, view: View) -> None:
        for label, count in self._group.features(view).items():
            self._places.append(self._columns.setdefault(label, len(self._columns)))
            self._values.append(math.sqrt(count) if self._group.counts else count)
        self._ends.append(len(self._places))

    def set_scale(self, reference: np.ndarray) -> None:
        if not self._group.counts:
            spread = self._build().toarray()[reference].std(0)
            self._unit = np.where(spread > 0, 1 / np.maximum(spread, 1e-12), 0.0)
            self._matrix = sp.csr_array((0, 1))
        self._scale = max(float(self.distance(reference, reference).mean()), 1e-9)

    def distance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if len(right) > len(left):
            return self.distance(right, left).T
        matrix = self._build()
        a, b = matrix[left], matrix[right]
        norm_a, norm_b = _squared_norms(a), _squared_norms(b)
        dot = a @ b.T.toarray()
        squared: np.ndarray = np.maximum(norm_a[:, None] + norm_b[None, :] - 2 * dot, 0.0)
        return squared / (2 * self._scale)

    def scaled(self, rows: np.ndarray) -> sp.csr_array:
        """Rows in the unit in which half a squared distance is `distance`."""
        return sp.csr_array(self._build()[rows] / math.sqrt(self._scale))

    def embedding(self, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
        found = self._build()[rows]
        present = np.unique(found.indices)
        labels = list(self._columns)
        dense: np.ndarray = found[:, present].toarray() / math.sqrt(self._scale)
        return dense, [labels[column] for column in present.tolist()]

    def _build(self) -> sp.csr_array:
        """All rows as a matrix; counts enter as square roots, numbers in units of their standard deviation."""
        rows = len(self._ends) - 1
        if self._matrix.shape[0] != rows:
            values, places, ends = (np.array(part) for part in (self._values, self._places, self._ends))
            if self._unit is not None:
                later = len(self._columns) - len(self._unit)  # numbers first seen after the scale was set have no unit
                values = values * np.pad(self._unit, (0, max(0, later)))[places]
            self._matrix = sp.csr_array((values, places, ends), shape=(rows, max(1, len(self._columns))))
        return self._matrix


def _squared_norms(matrix: sp.csr_array) -> np.ndarray:
    """Each row's entries are added in their own order, whatever the columns are numbered in this process."""
    norms: np.ndarray = sp.csr_array((matrix.data**2, matrix.indices, matrix.indptr), shape=matrix.shape).sum(1)
    return norms


def _columns(matrix: sp.csr_array, place: np.ndarray) -> sp.csr_array:
    """The columns that have a place, at their places; each row's entries stay in their order."""
    kept = place[matrix.indices] >= 0
    ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    shape = (matrix.shape[0], int(place.max(initial=-1)) + 1)
    return sp.csr_array((matrix.data[kept], place[matrix.indices[kept]], ends), shape=shape)
