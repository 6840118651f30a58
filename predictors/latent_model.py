"""LatentModel: what a predictor is made of, a fitted model of labels on the latent scale where it is Gaussian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.scale import Scale

Moments = tuple[Float[Tensor, " m"], Float[Tensor, " m"]]
"""Means and variances."""


@runtime_checkable
class LatentModel(Protocol):
    """Fitted to n labelled graphs; all in float64, on the scale of `scale`."""

    @property
    def scale(self) -> Scale:
        """Between labels and the latent scale."""

    @property
    def noise(self) -> float:
        """Variance of a measurement."""

    @property
    def targets(self) -> Float[Tensor, " n"]:
        """The labels that it was fitted to."""

    def moments(self, graphs: Sequence[ArchGraph]) -> Moments:
        """Posterior mean and variance of each graph's noise-free value."""

    def joint(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " m"], Float[Tensor, "m m"]]:
        """Posterior mean and covariance of the noise-free values of all graphs."""

    def left_out(self) -> Moments:
        """For each training label, what is believed of it, noise included, without the labels of its graph."""

    def state(self) -> Mapping[str, Tensor]:
        """What restores the model, besides its training graphs and labels."""
