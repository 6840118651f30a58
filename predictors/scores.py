"""Scores of predictions against the labels that were measured: ranks, errors, surprise, and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import kendalltau, spearmanr
from torch import Tensor

from predictors.prediction import Prediction

TOP = 10
FARTHEST = 20.0
"""Surprise of a label that the scale cannot reach counts as one this many deviations away."""


@dataclass(frozen=True)
class Scores:
    """How good predictions are.

    Args:
        kendall, spearman: rank correlation of predicted means and labels; NaN where one of them does not vary.
        regret: the best label minus the best among the `TOP` that are predicted largest, in the label's unit.
        rmse: root of the mean squared error, in the label's unit.
        nll: mean surprise in nats; smaller is better, comparable between predictors of the same labels only.
        inside50, inside80, inside95: the share of labels inside the central interval of that probability.
    """

    kendall: float
    spearman: float
    regret: float
    rmse: float
    nll: float
    inside50: float
    inside80: float
    inside95: float


def score(prediction: Prediction, labels: Float[Tensor, " m"]) -> Scores:
    """The scores of predictions whose labels are known."""
    mean, errors = prediction.mean, prediction.errors(labels).abs()
    best = labels[mean.argsort(descending=True, stable=True)[:TOP]].max()
    clipped = prediction.surprise(labels).clamp(max=FARTHEST**2 / 2)
    inside = [float((errors <= _half_width(share)).double().mean()) for share in (0.5, 0.8, 0.95)]
    return Scores(
        _rank(kendalltau, mean, labels),
        _rank(spearmanr, mean, labels),
        float(labels.max() - best),
        float((mean - labels).square().mean().sqrt()),
        float(clipped.mean()),
        *inside,
    )


def _half_width(share: float) -> float:
    """Deviations to both sides of a Gaussian that hold `share` of it."""
    return float(torch.special.ndtri(torch.tensor((1 + share) / 2, dtype=torch.float64)))


def _rank(correlation: object, left: Tensor, right: Tensor) -> float:
    assert callable(correlation)
    a, b = left.numpy(), right.numpy()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(correlation(a, b).statistic)
