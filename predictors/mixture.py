"""Mixture: several models of the same labels, each weighted by how well it predicts labels that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.latent_model import LatentModel, Moments
from predictors.scale import Scale

ROUNDS = 200
LEAST = 0.05
"""Weight below which a model is left out."""


@final
@dataclass(frozen=True, eq=False)
class Mixture:
    """A `LatentModel`: the Gaussian with the mean and covariance of the mixture of its parts.

    Args:
        parts: models on one scale.
        weights: of the parts; they sum to 1.
    """

    parts: Mapping[str, LatentModel]
    weights: Mapping[str, float]

    @property
    def scale(self) -> Scale:
        """That of all parts."""
        return next(iter(self.parts.values())).scale

    @property
    def targets(self) -> Float[Tensor, " n"]:
        """The labels, on the scale."""
        return next(iter(self.parts.values())).targets

    @property
    def noise(self) -> float:
        """Variance of a measurement, the mean over the parts."""
        return sum(self.weights[name] * part.noise for name, part in self.parts.items())

    def moments(self, graphs: Sequence[ArchGraph]) -> Moments:
        return mixed(self.weights, {name: part.moments(graphs) for name, part in self.parts.items()})

    def joint(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " m"], Float[Tensor, "m m"]]:
        found, weights = [part.joint(graphs) for part in self.parts.values()], list(self.weights.values())
        mean = sum((w * m for w, (m, _) in zip(weights, found, strict=True)), torch.zeros(len(graphs)).double())
        covariance = torch.zeros(len(graphs), len(graphs), dtype=torch.float64)
        for w, (m, c) in zip(weights, found, strict=True):
            covariance += w * (c + torch.outer(m - mean, m - mean))
        return mean, covariance

    def left_out(self) -> Moments:
        return mixed(self.weights, {name: part.left_out() for name, part in self.parts.items()})

    def state(self) -> Mapping[str, Tensor]:
        found = {f"{name}.{key}": value for name, part in self.parts.items() for key, value in part.state().items()}
        return {**found, "weights": torch.tensor(list(self.weights.values()), dtype=torch.float64)}


def mixed(weights: Mapping[str, float], found: Mapping[str, Moments]) -> Moments:
    """Mean and variance of mixtures of Gaussians, given the moments of each part."""
    means, variances = (torch.stack(part) for part in zip(*(found[name] for name in weights), strict=True))
    share = torch.tensor(list(weights.values()), dtype=torch.float64)[:, None]
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean).square())).sum(0)


def stack(left_out: Mapping[str, Moments], targets: Float[Tensor, " n"]) -> dict[str, float]:
    """Weights that make the left-out labels likeliest as a mixture ("stacking", Yao et al. 2018), found by EM.

    Args:
        left_out: by model what is believed of each label without that label, on one latent scale.
        targets: the labels on that scale.

    Returns:
        The weights of the models that have more than `LEAST`; they sum to 1.
    """
    densities = torch.stack([-(targets - m).square() / (2 * v) - v.log() / 2 for m, v in left_out.values()])
    weights = torch.full((len(left_out),), 1 / len(left_out), dtype=torch.float64)
    for _ in range(ROUNDS):
        weights = (densities + weights.clamp(min=1e-30).log()[:, None]).softmax(0).mean(1)
    kept = weights >= min(LEAST, float(weights.max()))
    weights = weights * kept / weights[kept].sum()
    return {name: weight for name, weight in zip(left_out, weights.tolist(), strict=True) if weight > 0}


def spread_factor(errors: Float[Tensor, " n"]) -> float:
    """By what all deviations are to be multiplied, given errors of left-out labels in predicted deviations.

    The mean, over central shares of 50, 80 and 95 %, of the width that holds that share of the errors to the width
    that should; drawn to 1 as if by `SHRINKAGE` labels more, as few labels say little.
    """
    sizes, ratios = errors.abs().sort().values, []
    for share in (0.5, 0.8, 0.95):
        wanted = float(torch.special.ndtri(torch.tensor((1 + share) / 2, dtype=torch.float64)))
        ratios.append(float(torch.quantile(sizes, share)) / wanted)
    weight = len(errors) / (len(errors) + SHRINKAGE)
    return math.exp(weight * math.log(max(sum(ratios) / len(ratios), SMALLEST)))


SHRINKAGE = 20
SMALLEST = 0.1
