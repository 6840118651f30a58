"""RoBoT: a robust combination of training-free metrics (He et al., Robustifying and Boosting Training-Free Neural
Architecture Search, ICLR 2024, algorithm 1).

Weights w in [-1, 1]^m of scaled metrics are worth the objective of the architecture that the weighted sum ranks first.
GP-UCB searches them; what is left of the budget goes down the ranking of the best weights. It works on plain arrays, so
the architectures may be of any space.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from botorch.acquisition.analytic import UpperConfidenceBound
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float, Int
from scipy.stats import rankdata

from graphs.errors import InvalidOption, unknown_name
from predictors.queries import Objective, answer, sent
from predictors.targets import GapTransform

Queries = Generator[int, float | None, tuple[Float[np.ndarray, " m"], int]]
"""Architectures to measure; is sent the values, returns the best weights and how many were explored."""
SCALES = ("min-max", "log-min-max", "ranks")
BETA = 2.576**2
"""UCB is the mean plus the root of this times the deviation; the released script's confidence."""
CANDIDATES = 4096
"""Weights among which UCB is maximised: Sobol points of the cube, and as many around the best weights so far."""
NEAR = 0.1
"""Deviation of the weights around the best ones."""


@final
@dataclass(frozen=True, eq=False)
class RobotResult:
    """What a search found.

    Args:
        queried: distinct architectures in the order in which the objective was asked.
        values: the objective of each.
        weights: those of the metrics whose first architecture was the best.
        explored: how many queries the search for weights took; the others went down the ranking of the best weights.
    """

    queried: tuple[int, ...]
    values: Float[np.ndarray, " q"]
    weights: Float[np.ndarray, " m"]
    explored: int

    @property
    def best(self) -> int:
        """The architecture with the largest objective of all queried."""
        return self.queried[int(self.values.argmax())]

    @property
    def best_value(self) -> float:
        """Its objective."""
        return float(self.values.max())


def robot(
    metrics: Float[np.ndarray, "n m"],
    objective: Objective,
    budget: int,
    *,
    seed: int = 0,
    scale: str = "min-max",
    iterations: int | None = None,
    gap: bool = False,
) -> RobotResult:
    """Search with at most `budget` queries of the objective.

    An architecture that was asked already costs no query, so that few distinct ones may come from many weights.

    Args:
        metrics: a row an architecture; NaN is a metric that failed, and its architecture is ranked last.
        objective: asked once for each architecture.
        budget: how many architectures may be asked, at least 1.
        seed: of the first weights and of the candidates of UCB.
        scale: how columns are made comparable, see `scaled`. The released script has "min-max", the paper "ranks".
        iterations: weights that are tried, `budget` - 1 unless given (and at least one), as in the released script.
        gap: whether the GP sees the logarithm of the gap to the best value, in place of the value.

    Raises:
        InvalidOption: metrics that are empty or have no complete row, or a budget or iterations out of range.
        UnknownName: no such scale.
        EvaluationError: the objective is not finite.
    """
    search = robot_queries(metrics, budget, seed=seed, scale=scale, iterations=iterations, gap=gap)
    asked, (weights, explored) = answer(search, objective)
    return RobotResult(tuple(asked), np.array(list(asked.values())), weights, explored)


def robot_queries(
    metrics: Float[np.ndarray, "n m"],
    budget: int,
    *,
    seed: int = 0,
    scale: str = "min-max",
    iterations: int | None = None,
    gap: bool = False,
) -> Queries:
    """The search as a generator, for those who measure in their own time: it yields architectures, each once, and is
    sent the objective of the last one.

    Args:
        metrics, budget, seed, scale, iterations, gap: see `robot`.

    Returns:
        The best weights, and how many queries the search for weights took.

    Raises:
        InvalidOption, UnknownName: at the first query, see `robot`.
    """
    tried = max(budget - 1, 1) if iterations is None else iterations
    if budget < 1 or tried < 1:
        raise InvalidOption(f"budget is {budget} and iterations are {iterations}, expected at least 1 of each")
    columns, rng = scaled(metrics, scale), np.random.default_rng(seed)
    asked: dict[int, float] = {}
    weights: list[Float[np.ndarray, " m"]] = []
    worth: list[float] = []
    while len(weights) < tried and len(asked) < min(budget, len(columns)):
        weights.append(_next_weights(weights, worth, columns.shape[1], rng, gap))
        place = int(np.argmax(_sums(columns, weights[-1])))
        if place not in asked:
            asked[place] = sent((yield place))
        worth.append(asked[place])
    explored, best = len(asked), weights[int(np.argmax(worth))]
    for place in ranking(columns, best).tolist():
        if len(asked) == budget:
            break
        if place not in asked:
            asked[place] = sent((yield place))
    return best, explored


def scaled(metrics: Float[np.ndarray, "n m"], scale: str) -> Float[np.ndarray, "n m"]:
    """Columns from 0 to 1; a constant one is 0 throughout, and NaN stays NaN.

    "min-max" is linear; "log-min-max" is linear in sign(x) log(1 + |x|), for columns of many orders of magnitude;
    "ranks" has equal steps, ties sharing their mean rank.

    Raises:
        InvalidOption: no architecture, no metric, an infinite value, or no row without NaN.
        UnknownName: no such scale.
    """
    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    if metrics.ndim != 2 or 0 in metrics.shape or np.isinf(metrics).any() or np.isnan(metrics).any(1).all():
        raise InvalidOption(
            f"metrics of shape {metrics.shape}, {int(np.isinf(metrics).sum())} of them infinite; expected a row an "
            "architecture, a column a metric, NaN where a metric failed, and at least one row without NaN"
        )
    values = metrics.astype(np.float64)
    if scale == "log-min-max":
        values = np.sign(values) * np.log1p(np.abs(values))
    if scale == "ranks":
        values = rankdata(values, axis=0, nan_policy="omit")
    if np.isnan(values).all(0).any():
        raise InvalidOption("a metric failed for every architecture; leave its column out")
    low, high = np.nanmin(values, 0), np.nanmax(values, 0)
    result: Float[np.ndarray, "n m"] = (values - low) / np.where(high > low, high - low, 1.0)
    return result


def ranking(columns: Float[np.ndarray, "n m"], weights: Float[np.ndarray, " m"]) -> Int[np.ndarray, " n"]:
    """Architectures from the largest weighted sum on; of equal ones the first comes first, those with NaN last."""
    return np.argsort(-_sums(columns, weights), kind="stable")


def _sums(columns: Float[np.ndarray, "n m"], weights: Float[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
    sums = columns @ weights
    return np.where(np.isnan(sums), -np.inf, sums)


def _next_weights(
    weights: list[Float[np.ndarray, " m"]], worth: list[float], width: int, rng: np.random.Generator, gap: bool
) -> Float[np.ndarray, " m"]:
    """The candidate with the largest upper confidence bound; the first weights are drawn by chance."""
    if not weights:
        return rng.uniform(-1, 1, width)
    values = np.array(worth)
    if gap:
        values = GapTransform.fit(values)(values)
    spread = float(values.std())
    standard = (values - values.mean()) / (spread or 1.0)
    best = weights[int(values.argmax())]
    sobol = torch.quasirandom.SobolEngine(width, scramble=True, seed=int(rng.integers(2**31)))  # type: ignore[no-untyped-call]
    near = np.clip(best + NEAR * rng.standard_normal((CANDIDATES // 2, width)), -1, 1)
    some = torch.cat([2 * sobol.draw(CANDIDATES // 2, dtype=torch.float64) - 1, torch.from_numpy(near)])
    model = SingleTaskGP(_unit(torch.from_numpy(np.stack(weights))), torch.from_numpy(standard)[:, None])
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    with torch.no_grad():
        bound = UpperConfidenceBound(model, beta=BETA)(_unit(some)[:, None])
    found: Float[np.ndarray, " m"] = some[int(bound.argmax())].numpy()
    return found


def _unit(weights: torch.Tensor) -> torch.Tensor:
    """From [-1, 1] to the unit cube, where BoTorch's priors of length scales fit."""
    return (weights + 1) / 2
