"""Calibration: predictions made before the evaluation against the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bo.records import History, Trial

HALF_WIDTHS = {50: 0.6744897501960817, 80: 1.2815515655446004, 95: 1.959963984540054}
"""For each central interval of a normal distribution, in percent, its half width in standard deviations."""


@dataclass(frozen=True)
class Calibration:
    """Predictions made before the evaluation, and the truth.

    Args:
        trials: the evaluated ones that had a predicted mean and standard deviation.
        mean, std, truth: their values.
    """

    trials: tuple[Trial, ...]
    mean: np.ndarray
    std: np.ndarray
    truth: np.ndarray

    def inside(self, percent: int) -> int:
        """How many truths lie in the central interval of 50, 80 or 95 percent."""
        return int((np.abs(self.truth - self.mean) <= HALF_WIDTHS[percent] * self.std).sum())

    def mean_abs_z(self) -> float:
        """Mean distance of truth and prediction in standard deviations, 0.80 if calibrated; NaN without predictions."""
        known = self.std > 0
        if not known.any():
            return math.nan
        return float((np.abs(self.truth - self.mean)[known] / self.std[known]).mean())

    def rank_correlations(self) -> tuple[float, float]:
        """Spearman's rho and Kendall's tau; NaN where all predictions or all truths are equal."""
        if np.ptp(self.mean) == 0 or np.ptp(self.truth) == 0:
            return math.nan, math.nan
        from scipy import stats  # half a second that only this needs

        return (
            float(stats.spearmanr(self.mean, self.truth).statistic),
            float(stats.kendalltau(self.mean, self.truth).statistic),
        )


def calibration(history: History) -> Calibration:
    """The evaluated trials that a surrogate had predicted with a standard deviation."""
    metric = history.objective.metric
    rows = [
        (trial, trial.proposal.mean, trial.proposal.std, trial.metrics[metric])
        for trial in history.done
        if _finite(trial.proposal.mean) and _finite(trial.proposal.std)
    ]
    values = np.array([row[1:] for row in rows], dtype=float).reshape(-1, 3)
    return Calibration(tuple(row[0] for row in rows), *values.T)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
