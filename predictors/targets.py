"""Monotone transforms of an objective whose bad values would otherwise set the scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphs.errors import EvaluationError

MAD_TO_STD = 1.4826
"""Median absolute deviation to standard deviation for a Gaussian."""
SPREAD = 0.5
"""Share of the robust standard deviation that is added to every gap."""


@dataclass(frozen=True)
class GapTransform:
    """z = -log(top - y + spread), standardised: equal steps are equal factors of the gap to the best value seen.

    Args:
        top: the best value seen.
        spread: half the robust standard deviation of the values, which keeps the best one finite.
        mean, std: of the logarithm over the training values.
    """

    top: float
    spread: float
    mean: float = 0.0
    std: float = 1.0

    @staticmethod
    def fit(values: Float[np.ndarray, " n"]) -> GapTransform:
        """The transform for `values`; equal values become 0.

        Raises:
            EvaluationError: no values, or one that is not finite.
        """
        if len(values) == 0 or not np.isfinite(values).all():
            raise EvaluationError(f"cannot scale {len(values)} values; expected at least one and all finite")
        top = float(values.max())
        if top == values.min():  # their computed deviation need not be exactly 0
            return GapTransform(top, 1.0)
        spread = (
            SPREAD * MAD_TO_STD * float(np.median(np.abs(values - np.median(values)))) or float(values.std()) or 1.0
        )
        raw = -np.log(top - values + spread)
        return GapTransform(top, spread, float(raw.mean()), float(raw.std()) or 1.0)

    def __call__(self, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Transformed values; those above `top` by `spread` or more are out of the domain and become infinite."""
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = self.top - values + self.spread
            return np.where(gap > 0, (-np.log(np.maximum(gap, 1e-300)) - self.mean) / self.std, np.inf)

    def inverse(self, transformed: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Back to the objective's unit."""
        return self.top + self.spread - np.exp(-(transformed * self.std + self.mean))
