"""Spread: how far members that disagree are from the truth, learned from the labels that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PRIOR = 3.0
"""A disagreement counts as if that many more members disagreed as much as is usual, as few say little."""
FACTORS = torch.logspace(-1, 1, 21, dtype=torch.float64)
"""By what that variance may have to be multiplied."""
SHARES = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
"""What part of the mean squared error noise may be."""
PSEUDO = 2.0
"""Labels of squared error 1, that of the mean, that are taken to have been seen."""


@dataclass(frozen=True)
class Spread:
    """From the variance between members to that of a prediction.

    Args:
        noise: variance of a measurement.
        factor: of the variance between members.
        usual: variance between members at labels that they have not seen.
    """

    noise: float
    factor: float
    usual: float

    @property
    def numbers(self) -> tuple[float, float, float]:
        """What makes it again."""
        return self.noise, self.factor, self.usual

    def of(self, between: Float[Tensor, " m"], members: int) -> Float[Tensor, " m"]:
        """The variance of noise-free values, given that between some members."""
        degrees = members - 1
        return self.factor * (PRIOR * self.usual + degrees * between) / (PRIOR + degrees)

    def covariance(self, between: Float[Tensor, "m m"], members: int) -> Float[Tensor, "m m"]:
        """The covariance of noise-free values, given that between members, which has a rank below their number.

        What is usual is added to its diagonal.
        """
        usual, degrees = PRIOR * self.usual * torch.eye(len(between), dtype=between.dtype), members - 1
        found: Tensor = self.factor * (usual + degrees * between) / (PRIOR + degrees)
        return found


def fit_spread(errors: Float[Tensor, " n"], between: Float[Tensor, " n"], members: int) -> Spread:
    """The noise and the factor, of a grid, that make left-out errors likeliest; few labels leave the factor near 1.

    Args:
        errors: squared ones of labels that were not seen.
        between: the variance between the members that predicted each.
        members: how many these were.
    """
    total = float((errors.sum() + PSEUDO) / (len(errors) + PSEUDO))
    usual = max(float(between.mean()), 1e-3 * total)
    noises, factors = torch.meshgrid(SHARES * total, FACTORS, indexing="ij")
    doubt = Spread(0.0, 1.0, usual).of(between, members)
    variance = noises[..., None] + factors[..., None] * doubt
    surprise = (errors / variance + variance.log()).sum(-1) / 2 + factors.log().square() / 2
    best = int(surprise.argmin())
    return Spread(float(noises.flatten()[best]), float(factors.flatten()[best]), usual)
