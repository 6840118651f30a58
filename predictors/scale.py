"""Scale: the monotone map from a label's unit to the latent scale on which a predictor is Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from predictors.slot_predictor import Warp

Sign = Literal[1, -1]


@dataclass(frozen=True)
class Scale:
    """z = sign * warp(sign * y): rising, and stretched towards the largest labels, or with sign -1 the smallest.

    Args:
        sign: which end of the labels saturates.
        warp: from signed labels to the latent scale.
    """

    sign: Sign
    warp: Warp

    def __call__(self, labels: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Labels to the latent scale; infinite beyond the end that it cannot reach."""
        return self.sign * self.warp(self.sign * labels)

    def inverse(self, latent: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Back to the label's unit; rising."""
        return self.sign * self.warp.inverse(self.sign * latent)

    def log_slope(self, labels: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """log dz/dy at labels: what turns a density on the latent scale into one of labels."""
        warp = self.warp
        if math.isinf(warp.gap):
            return labels.new_full(labels.shape, -math.log(warp.std))
        return -(warp.top + warp.gap - self.sign * labels).clamp(min=1e-300).log() - math.log(warp.std)

    def moments(
        self, mean: Float[Tensor, " b"], variance: Float[Tensor, " b"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Mean and standard deviation of the label whose latent value is Gaussian."""
        middle, deviation = self.warp.moments(self.sign * mean, variance)
        return self.sign * middle, deviation
