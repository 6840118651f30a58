"""A search over the ranks of training-free metrics themselves, where RoBoT searches weights of them.

A Gaussian process sees an architecture as its ranks under all metrics: a linear kernel, whose effects are RoBoT's
weights with their uncertainty, and an RBF for what no weights express, e.g. that the highest ranks of a metric are
worse than high ones. Every query teaches it of all architectures, and not only of one vector of weights. The next one
has the largest mean plus deviation; the first one has the highest mean rank, as nothing else is known.

Ranks have one scale in every space, so the hyper-parameters are fixed: twenty values are too few to learn them from.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

from graphs.errors import InvalidOption
from predictors.queries import Objective, answer, sent
from predictors.robot import scaled
from predictors.targets import GapTransform


@final
@dataclass(frozen=True)
class RankBeliefs:
    """What is believed of targets of variance 1 before the first query.

    Args:
        linear, local: variances of the two kernels.
        length: root mean square difference of ranks, from -1 to 1, at which the local kernel has fallen to exp(-1/2).
        noise: variance of what ranks do not tell.
        confidence: deviations that are added to the mean to choose what is asked next.
    """

    linear: float = 1.0
    local: float = 0.5
    length: float = 0.5
    noise: float = 0.1
    confidence: float = 1.0


BELIEFS = RankBeliefs()
"""Chosen on random subsets of NAS-Bench-201's cells, where others near them are as good."""


@final
@dataclass(frozen=True, eq=False)
class RankSearchResult:
    """What a search found.

    Args:
        queried: distinct architectures in the order in which the objective was asked.
        values: the objective of each.
    """

    queried: tuple[int, ...]
    values: Float[np.ndarray, " q"]

    @property
    def best(self) -> int:
        """The architecture with the largest objective of all queried."""
        return self.queried[int(self.values.argmax())]

    @property
    def best_value(self) -> float:
        """Its objective."""
        return float(self.values.max())


def rank_search(
    metrics: Float[np.ndarray, "n m"], objective: Objective, budget: int, beliefs: RankBeliefs = BELIEFS
) -> RankSearchResult:
    """Search with at most `budget` queries of the objective; nothing is left to chance.

    Args:
        metrics: a row an architecture; one with NaN, a metric that failed, is never asked.
        objective: asked once for each architecture.
        budget: how many architectures may be asked, at least 1.
        beliefs: of the Gaussian process.

    Raises:
        InvalidOption: metrics that are empty or have no complete row, or no budget.
        EvaluationError: the objective is not finite.
    """
    asked, _ = answer(rank_queries(metrics, budget, beliefs), objective)
    return RankSearchResult(tuple(asked), np.array(list(asked.values())))


def rank_queries(
    metrics: Float[np.ndarray, "n m"], budget: int, beliefs: RankBeliefs = BELIEFS
) -> Generator[int, float | None, None]:
    """The search as a generator: it yields architectures, each once, and is sent the objective of the last one.

    Args:
        metrics, budget, beliefs: see `rank_search`.

    Raises:
        InvalidOption: at the first query, see `rank_search`.
    """
    if budget < 1:
        raise InvalidOption(f"budget is {budget}, expected at least 1")
    ranks = 2 * scaled(metrics, "ranks") - 1
    complete = np.flatnonzero(~np.isnan(ranks).any(1))
    ranks = ranks[complete]
    left, chosen, values = np.ones(len(ranks), dtype=bool), list[int](), list[float]()
    bound = ranks.mean(1)
    while len(chosen) < min(budget, len(ranks)):
        chosen.append(int(np.argmax(np.where(left, bound, -np.inf))))
        left[chosen[-1]] = False
        values.append(sent((yield int(complete[chosen[-1]]))))
        mean, deviation = _posterior(ranks, np.array(chosen), np.array(values), beliefs)
        bound = mean + beliefs.confidence * deviation


def _posterior(
    ranks: Float[np.ndarray, "n m"],
    chosen: Int[np.ndarray, " q"],
    values: Float[np.ndarray, " q"],
    beliefs: RankBeliefs,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Means and deviations of all architectures, of the logarithm of the gap to the best value, standardised."""
    targets = GapTransform.fit(values)(values)
    across = _kernel(ranks[chosen], ranks, beliefs)
    factor = cholesky(across[:, chosen] + beliefs.noise * np.eye(len(chosen)), lower=True)
    halves = solve_triangular(factor, across, lower=True)
    mean = halves.T @ solve_triangular(factor, targets, lower=True)
    variance = beliefs.linear * (ranks**2).mean(1) + beliefs.local - (halves**2).sum(0)
    return mean, np.sqrt(np.maximum(variance, 0.0))


def _kernel(
    left: Float[np.ndarray, "q m"], right: Float[np.ndarray, "n m"], beliefs: RankBeliefs
) -> Float[np.ndarray, "q n"]:
    width = left.shape[1]
    local = np.exp(-cdist(left, right, "sqeuclidean") / (2 * beliefs.length**2 * width))
    result: Float[np.ndarray, "q n"] = beliefs.linear * left @ right.T / width + beliefs.local * local
    return result
