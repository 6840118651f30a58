"""What several objectives come to: the front, and the hypervolume that it dominates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from bo.records import History, Objective, Trial

POINT = "reference_point/"
"""Before a metric's name: the key of its value in the reference point of a hypervolume."""
FIRST = 10
"""Feasible trials whose worst values are the reference point where none is known beforehand."""


def non_dominated(gains: Float[np.ndarray, "n m"]) -> Bool[np.ndarray, " n"]:
    """Which rows no other row beats: at least as good in every column and better in one."""
    kept, left = np.zeros(len(gains), dtype=bool), np.lexsort(-gains.T)
    while len(left):  # what comes first in this order is beaten by none that follows
        row = gains[left[0]]
        kept[left[0]] = True
        left = left[1:]
        left = left[~((gains[left] <= row).all(1) & (gains[left] < row).any(1))]
    return kept


def front(history: History) -> list[Trial]:
    """The feasible trials that no other one beats in the objectives, best first objective first."""
    trials = history.feasible
    gains = np.array([history.gains(trial) for trial in trials], dtype=float).reshape(-1, len(history.objectives))
    kept = [trial for trial, good in zip(trials, non_dominated(gains), strict=True) if good]
    return sorted(kept, key=lambda trial: (-history.gain(trial), trial.number))


def measured(history: History) -> list[Trial]:
    """The feasible trials of the campaign and of what it was given beforehand."""
    return [trial for trial in history.learned if history.violation(trial) == 0]


def ranked(history: History, most: int) -> list[Trial]:
    """The `most` most promising trials that have been measured: the front of the feasible ones, the front of what is
    left, and so on; then what breaks the constraints least."""
    found, left = list[Trial](), list(measured(history))
    while left and len(found) < most:
        good = non_dominated(np.array([history.gains(trial) for trial in left]))
        layer = [trial for trial, one in zip(left, good, strict=True) if one]
        found += sorted(layer, key=lambda trial: (-history.gain(trial), trial.number))
        left = [trial for trial, one in zip(left, good, strict=True) if not one]
    if len(found) < most:
        broken = [trial for trial in history.learned if history.violation(trial) > 0]
        found += sorted(broken, key=lambda trial: (history.violation(trial), trial.number))
    return found[:most]


def reference_point(history: History, reference: Mapping[str, float]) -> tuple[float, ...] | None:
    """The point whose dominated volume is measured, in gains: larger is better.

    It is what `reference` states under `reference_point/` and each metric; else the worst values of the first `FIRST`
    feasible trials, and None before there are so many.
    """
    stated = [reference.get(POINT + objective.metric) for objective in history.objectives]
    if all(value is not None for value in stated):
        return tuple(
            objective.gain({objective.metric: float(value)})
            for objective, value in zip(history.objectives, stated, strict=True)
            if value is not None
        )
    first = history.feasible[:FIRST]
    if len(first) < FIRST:
        return None
    return tuple(min(column) for column in zip(*map(history.gains, first), strict=True))


def hypervolume(gains: Float[np.ndarray, "n m"], point: Sequence[float]) -> float:
    """The volume between `point` and what the rows dominate, in the product of the objectives' units.

    Source: Fonseca et al. (2006), by BoTorch.
    """
    import torch  # seconds that only campaigns of several objectives need
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    if not len(gains):
        return 0.0
    rows = gains[non_dominated(gains)]
    return float(Hypervolume(torch.tensor(list(point), dtype=torch.float64)).compute(torch.from_numpy(rows)))


def hypervolume_so_far(history: History, point: Sequence[float]) -> list[float]:
    """The hypervolume of the feasible trials after each trial that has ended."""
    curve, rows, value = [], np.empty((0, len(point))), 0.0
    feasible = {trial.number for trial in history.feasible}
    for trial in history.ended:
        if trial.number in feasible:
            gains = np.array([history.gains(trial)])
            if not bool((rows >= gains).all(1).any()) and bool((gains > np.array(point)).all()):
                rows = np.concatenate([rows[~(gains >= rows).all(1)], gains])
                value = hypervolume(rows, point)
        curve.append(value)
    return curve


def nadir(columns: Mapping[str, np.ndarray], objectives: Sequence[Objective]) -> dict[str, float]:
    """A reference point from a whole table: the worst of its front, and a tenth of the front's range beyond it; where
    the front has no range, the worst of the table.

    Source: the rule of Ishibuchi et al. (2011), as BoTorch's `infer_reference_point` has it.

    Returns:
        By `reference_point/` and the metric, in the metric's own sign.

    Raises:
        ValueError: no row is finite.
    """
    signs = np.array([1.0 if objective.maximize else -1.0 for objective in objectives])
    gains = signs * np.stack([np.asarray(columns[one.metric], dtype=float) for one in objectives], axis=1)
    gains = gains[np.isfinite(gains).all(1)]
    best = gains[non_dominated(gains)]
    low, high = best.min(0), best.max(0)
    point = signs * np.where(high > low, low - 0.1 * (high - low), gains.min(0))
    return {POINT + one.metric: float(value) for one, value in zip(objectives, point, strict=True)}
