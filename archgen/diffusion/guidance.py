"""Guidance by tilting: candidates for the clean graph are drawn from the model and one is kept by its score.

For a target law p(x) exp(beta f(x)) the exact reverse step draws the clean graph from p(x | known) exp(beta f(x)).
We draw `candidates` graphs from p(x | known) and keep one with probability proportional to exp(beta f):
self-normalised importance resampling, exact as the candidates grow, and free of gradients, so any surrogate can guide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph

Score = Callable[[Sequence[ArchGraph]], np.ndarray]
"""Graphs to f, larger is better."""


@dataclass(frozen=True)
class Guide:
    """What to tilt by and how strongly.

    Args:
        score: f.
        strength: beta; None sets it so that the weights of all candidates of a step keep `share` of their number as
            effective sample size.
        candidates: clean graphs drawn for each graph and step.
        share: the effective sample size aimed at, as a share of all candidates.
    """

    score: Score
    strength: float | None = None
    candidates: int = 8
    share: float = 0.2


def choose(guide: Guide, graphs: Sequence[ArchGraph], rows: int, rng: torch.Generator) -> Int[Tensor, " rows"]:
    """For each of `rows` equal runs of candidates the number of the one that is kept."""
    score = torch.from_numpy(np.asarray(guide.score(graphs), dtype=np.float64))
    beta = strength_for(score, guide.share) if guide.strength is None else guide.strength
    tilt = (beta * score).view(rows, -1).softmax(1)
    picked = torch.multinomial(tilt, 1, generator=rng)[:, 0]
    return picked + torch.arange(rows) * tilt.shape[1]


def strength_for(score: Float[Tensor, " m"], share: float) -> float:
    """The beta at which exp(beta * score) has an effective sample size of `share` times its number, by bisection."""
    spread = float(score.max() - score.min())
    if spread == 0:
        return 0.0
    low, high = 0.0, 200.0 / spread
    for _ in range(40):
        middle = (low + high) / 2
        weight = (middle * (score - score.max())).exp()
        effective = float(weight.sum() ** 2 / (weight**2).sum())
        low, high = (middle, high) if effective > share * len(score) else (low, middle)
    return low
