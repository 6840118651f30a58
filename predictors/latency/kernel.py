"""A kernel on rows of feature groups: linear effects of each group, and distance over all groups."""

from __future__ import annotations

from collections.abc import Sequence

import gpytorch
import torch
from jaxtyping import Float
from torch import Tensor

from predictors.slot_evidence import INTERCEPT

LINEAR, WEIGHT, SMOOTH = (-1.0, 1.0), (-1.5, 1.0), (-1.0, 1.0)
"""Mean and deviation of the log of a group's linear effects, its weight in the distance, and the scale of the rest."""


class GroupKernel(gpytorch.kernels.Kernel):  # type: ignore[misc]
    """k(x, x') = 100 + sum_g a_g^2 <x_g, x'_g> + s^2 exp(-sqrt(sum_g w_g |x_g - x'_g|^2)).

    Logs of a, w and s are learned under Gaussian priors.

    Args:
        sizes: how many features each group has; groups stand one after another in a row.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.groups = len(sizes)
        self._group_of = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        means = [LINEAR[0]] * len(sizes) + [WEIGHT[0]] * len(sizes) + [SMOOTH[0]]
        self.register_parameter("logs", torch.nn.Parameter(torch.tensor(means, dtype=torch.float64)))

    @property
    def priors(self) -> Float[Tensor, "h 2"]:
        """Mean and deviation of each hyper-parameter's logarithm."""
        return torch.tensor([LINEAR] * self.groups + [WEIGHT] * self.groups + [SMOOTH], dtype=torch.float64)

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: object) -> Tensor:
        linear, weight, smooth = self.logs.exp().split([self.groups, self.groups, 1])
        left, right = x1 * linear[self._group_of], x2 * linear[self._group_of]
        stretch = weight[self._group_of].sqrt()
        if diag:
            apart = ((x1 - x2) * stretch).square().sum(-1)
            product = (left * right).sum(-1)
        else:
            apart = _squares(x1 * stretch, x2 * stretch)
            product = left @ right.mT
        covariance: Tensor = INTERCEPT**2 + product + smooth.square() * (-(apart + 1e-12).sqrt()).exp()
        return covariance


def _squares(left: Tensor, right: Tensor) -> Tensor:
    """Squared distances."""
    both = left.square().sum(-1)[..., :, None] + right.square().sum(-1)[..., None, :]
    return (both - 2 * left @ right.mT).clamp(min=0)
