"""A kernel on pairs of an architecture and a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from predictors.conditioned.datasets import Pairs
from predictors.feature_table import FeatureTable
from predictors.kernel import GraphKernel

Relation = Callable[[Float[Tensor, "l p"], Float[Tensor, "r p"], Float[Tensor, ""]], Float[Tensor, "l r"]]
"""How alike data sets are, from vectors and a length; positive definite, 1 for equal ones."""
STARTS = {"related": 0.3, "own": 0.3, "offset related": 0.5, "offset own": 0.3, "length": 1.0}
"""Prior mode of the variances, of which those of an architecture's worth are relative to what all data sets share."""


def overlap(
    left: Float[Tensor, "l p"], right: Float[Tensor, "r p"], _length: Float[Tensor, ""]
) -> Float[Tensor, "l r"]:
    """The cosine: of class sets the share of classes in common, so that effects of classes add up."""
    return left @ right.T


def nearness(
    left: Float[Tensor, "l p"], right: Float[Tensor, "r p"], length: Float[Tensor, ""]
) -> Float[Tensor, "l r"]:
    """exp(-D / length), D half the mean squared difference: of standardised vectors 1 in the mean."""
    squared = torch.cdist(left, right).square() / (2 * left.shape[1])
    found: Tensor = torch.exp(-squared / length)
    return found


@dataclass(frozen=True, eq=False)
class Places:
    """Pairs as the kernel takes them.

    Args:
        row: of the architecture in the feature table.
        place: of the data set among `vectors`.
        keys: equal for equal data sets.
    """

    row: Float[Tensor, "n 1"]
    place: Int[Tensor, " n"]
    vectors: Float[Tensor, "t p"]
    keys: tuple[bytes, ...]

    def take(self, rows: Int[Tensor, " m"] | slice) -> Places:
        """Some of the pairs."""
        return Places(self.row[rows], self.place[rows], self.vectors, self.keys)


class PairKernel(torch.nn.Module):
    """k = A(x, x') (1 + related R(d, d') + own [d = d']) + offset related R(d, d') + offset own [d = d'].

    A is the architectures' kernel, R what the descriptions say of how alike data sets are: an intrinsic
    coregionalisation (Bonilla et al. 2007, "Kernel multi-task learning using task-specific features") plus what every
    architecture gains on a data set. Parameters are logarithms with Gaussian priors.

    Args:
        table, terms: of `GraphKernel`.
        relation: R; None where data sets are not told apart but by being different.
    """

    def __init__(self, table: FeatureTable, terms: Sequence[Sequence[str]], relation: Relation | None) -> None:
        super().__init__()
        self.table, self._terms, self.relation = table, tuple(map(tuple, terms)), relation
        self.graphs = GraphKernel(table, terms, smooth=True)
        self.raw = torch.nn.Parameter(torch.tensor(list(STARTS.values()), dtype=torch.float64).log())

    @property
    def priors(self) -> Float[Tensor, "h 2"]:
        """Mean and deviation of each parameter, in the order of `parameters`, where it starts."""
        start = torch.tensor(list(STARTS.values()), dtype=torch.float64).log()
        graphs = GraphKernel(self.table, self._terms, smooth=True).priors
        return torch.cat([torch.stack([start, torch.ones_like(start)], 1), graphs])

    def strengths(self) -> dict[str, float]:
        """The parameters of `STARTS` as they are."""
        return dict(zip(STARTS, self.raw.detach().exp().tolist(), strict=True))

    def places(self, pairs: Pairs) -> Places:
        """What `forward` takes; architectures are added to the table where they are new."""
        vectors = pairs.datasets.vectors()
        keys = tuple(vector.tobytes() for vector in vectors.numpy())
        return Places(self.table.rows(pairs.graphs), pairs.place, vectors, keys)

    def forward(self, left: Places, right: Places) -> Float[Tensor, "l r"]:
        related, own, offset_related, offset_own, length = self.raw.exp()
        same = _same(left.keys, right.keys).double()
        worth, offset = 1 + own * same, offset_own * same
        if self.relation is not None:
            alike = self.relation(left.vectors, right.vectors, length)
            worth, offset = worth + related * alike, offset + offset_related * alike
        at = left.place[:, None], right.place[None, :]
        found: Tensor = self.graphs.forward(left.row, right.row) * worth[at] + offset[at]
        return found

    def variance(self, places: Places) -> Float[Tensor, " n"]:
        """Of each pair. All relations are 1 for equal data sets."""
        related, own, offset_related, offset_own, _ = self.raw.exp()
        told = float(self.relation is not None)
        graphs: Tensor = self.graphs.forward(places.row, places.row, diag=True)
        found: Tensor = graphs * (1 + own + told * related) + offset_own + told * offset_related
        return found


def _same(left: Sequence[bytes], right: Sequence[bytes]) -> Bool[Tensor, "l r"]:
    number: dict[bytes, int] = {}
    a, b = (np.array([number.setdefault(key, len(number)) for key in keys]) for keys in (left, right))
    return torch.from_numpy(a[:, None] == b)
