"""How a campaign stands beside its best trial: constraints kept, failures by kind, cost spent, incumbents, front."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bo.pareto import front, hypervolume, reference_point
from bo.records import History, Trial

UNTYPED = "untyped"
"""The kind of a failure that its campaign recorded without one."""


@dataclass(frozen=True)
class Front:
    """What the objectives of a campaign have come to.

    Args:
        trials: the feasible ones that no other one beats, best first objective first.
        point: the reference point in the metrics' own signs, by metric; empty before it is known.
        hypervolume: between `point` and what the trials dominate; None before the point is known.
    """

    trials: tuple[Trial, ...]
    point: Mapping[str, float]
    hypervolume: float | None


def kept(history: History) -> dict[str, int]:
    """For each constraint, as text, how many evaluated trials keep it."""
    return {
        one.text: sum(one.holds(trial.metrics.get(one.name, math.nan)) for trial in history.done)
        for one in history.constraints
    }


def failures(history: History) -> dict[str, int]:
    """How many trials failed in each way, the most frequent first."""
    counts = Counter(trial.failure or UNTYPED for trial in history.trials if trial.status == "failed")
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def cost_spent(history: History) -> float | None:
    """The sum of what evaluations took, in the evaluator's unit; None where it reports nothing."""
    costs = [trial.cost for trial in history.ended if trial.cost is not None]
    return math.fsum(costs) if costs else None


def incumbents(history: History) -> list[Trial]:
    """The feasible trials that beat every earlier one in the first objective; the first of them had nothing to beat."""
    found: list[Trial] = []
    for trial in history.feasible:
        if not found or history.gain(trial) > history.gain(found[-1]):
            found.append(trial)
    return found


def measure_front(history: History, reference: Mapping[str, float]) -> Front | None:
    """The front with its hypervolume; None where a campaign has one objective alone. Loads torch with a known point."""
    if not history.others:
        return None
    trials, point = front(history), reference_point(history, reference)
    if point is None:
        return Front(tuple(trials), {}, None)
    gains = np.array([history.gains(trial) for trial in trials], dtype=float).reshape(len(trials), len(point))
    signed = {
        one.metric: value if one.maximize else -value for one, value in zip(history.objectives, point, strict=True)
    }
    return Front(tuple(trials), signed, hypervolume(gains, point))
