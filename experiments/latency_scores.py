"""How good predicted latencies are, and rows of a table that say so; for latency.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr
from torch import Tensor

from predictors.latency.predictor import fit_latency

CLOSE = 0.1
"""Part of the true latency by which a prediction may be off."""
CENTRAL_80 = 1.2816
"""Half the width of a central 80 % interval, in deviations."""
REFERENCES = 10
"""Measurements on a new device."""


@dataclass(frozen=True)
class Score:
    """How good predictions are: ranks, the share within `CLOSE`, and the share inside 80 % intervals."""

    spearman: float
    close: float
    inside: float

    @staticmethod
    def of(predicted: Tensor, true: Tensor, deviation: Tensor | None = None) -> Score:
        off = (predicted - true).abs()
        inside = float("nan") if deviation is None else float((off < CENTRAL_80 * deviation).double().mean())
        rank = float(spearmanr(predicted, true)[0])
        return Score(rank, float((off < CLOSE * true.abs()).double().mean()), inside)


def print_scores(name: str, scores: Sequence[Score], after: str = "") -> None:
    rank, close, inside = (np.array([getattr(one, of) for one in scores]) for of in ("spearman", "close", "inside"))
    ranks = "|" if np.isnan(rank).any() else f"{rank.mean():.4f} ± {rank.std():.4f} | {rank.min():.4f}"
    cells = f"{ranks} | {100 * close.mean():.1f} %"
    told = "" if np.isnan(inside).any() else f"{100 * inside.mean():.1f} %"
    print(f"| {name} | {cells} | {told} |{after}", flush=True)


def judged(
    sizes: Sequence[int],
    rows: Float[Tensor, "b d"],
    latencies: Float[Tensor, " b"],
    known: np.ndarray,
    asked: np.ndarray,
) -> Score:
    """Learned from the rows `known`, judged on the rows `asked`."""
    predictor = fit_latency(sizes, rows[known], latencies[known])
    mean, deviation = predictor.predict(rows[asked])
    return Score.of(mean, latencies[asked], (deviation.square() + predictor.noise**2).sqrt())
