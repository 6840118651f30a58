"""A graph kernel in which every network also has a value of its own, that nothing else shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from predictors.feature_table import FeatureTable
from predictors.kernel import GraphKernel

OWN = 0.1
"""Prior mode of the variance of what is a network's own, for standardised targets."""


class OwnValueKernel(GraphKernel):
    """k(x, x') = k_graph(x, x') + o [x and x' are one network], o learned as the other scales are.

    Training once from one seed gives a number in which luck has a part, and a campaign keeps it: the network is not
    trained again, and the best number is what is looked for. As noise of the likelihood that luck would be missing from
    what a new network may reach, and expected improvement would go after networks that the model knows little about
    where it should try many that are about as good as the best. As part of the function it counts, and what was
    evaluated is known.

    Args:
        table, terms, smooth: as for `GraphKernel`.
    """

    def __init__(self, table: FeatureTable, terms: Sequence[Sequence[str]], smooth: bool = False) -> None:
        super().__init__(table, terms, smooth)
        self._add("own", torch.tensor([OWN]).double())

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **settings: object) -> Tensor:
        shared = super().forward(x1, x2, diag, **settings)
        if diag:
            return shared + self.positive("own")
        return shared + self.positive("own") * (x1[..., :, None, 0] == x2[..., None, :, 0])
