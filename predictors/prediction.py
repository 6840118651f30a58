"""Prediction: what is believed of labels not yet measured, as Gaussians on a latent scale; and their score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from predictors.scale import Scale


@dataclass(frozen=True, eq=False)
class Prediction:
    """A belief about each of m new measurements, noise included.

    Args:
        scale: between labels and the latent scale.
        latent_mean, latent_variance: of the Gaussian that the measurement is there.
    """

    scale: Scale
    latent_mean: Float[Tensor, " m"]
    latent_variance: Float[Tensor, " m"]

    def __len__(self) -> int:
        return len(self.latent_mean)

    @cached_property
    def _moments(self) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
        return self.scale.moments(self.latent_mean, self.latent_variance)

    @property
    def mean(self) -> Float[Tensor, " m"]:
        """In the label's unit."""
        return self._moments[0]

    @property
    def std(self) -> Float[Tensor, " m"]:
        """In the label's unit."""
        return self._moments[1]

    def quantile(self, level: float) -> Float[Tensor, " m"]:
        """The value that a measurement stays below with probability `level`, in the label's unit."""
        away = torch.special.ndtri(torch.tensor(level, dtype=torch.float64))
        return self.scale.inverse(self.latent_mean + away * self.latent_variance.sqrt())

    def interval(self, share: float) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
        """The central interval that holds a measurement with probability `share`."""
        return self.quantile((1 - share) / 2), self.quantile((1 + share) / 2)

    def errors(self, labels: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """How many deviations each label lies above its prediction, on the latent scale."""
        return (self.scale(labels) - self.latent_mean) / self.latent_variance.sqrt()

    def surprise(self, labels: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """Minus the log density of labels (NLL), in nats, for labels in their own unit; infinite beyond the scale."""
        log_deviation = self.latent_variance.log() / 2
        away = self.errors(labels).square() / 2 + log_deviation + math.log(2 * math.pi) / 2
        return (away - self.scale.log_slope(labels)).nan_to_num(nan=math.inf, posinf=math.inf)
