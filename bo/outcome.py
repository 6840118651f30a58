"""How an evaluation came out, and the trial that it makes of a candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bo.records import Failure, Trial
from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError, NotFinite

COST = "cost"
"""The metric in which an evaluator says what the evaluation took, in a unit of its own."""


@dataclass(frozen=True)
class Measured:
    """The evaluator answered; what it said has yet to be checked, and may be anything."""

    metrics: Any


@dataclass(frozen=True)
class Failed:
    """The candidate cannot be evaluated, and would not another time."""

    failure: Failure
    reason: str


@dataclass(frozen=True)
class Lost:
    """The worker vanished and says nothing about the candidate, which is given back."""

    reason: str


Outcome = Measured | Failed | Lost
Costs = Mapping[str, Callable[[ArchGraph], float]]


def measured(trial: Trial, metrics: Any, goals: Sequence[str], costs: Costs) -> Trial:
    """The trial with its metrics.

    Args:
        goals: metrics that must be there and finite.
        costs: metrics that follow from the graph; they stand in the place of what the evaluator says.

    Raises:
        EvaluationError: a metric is no number or a goal is missing; NotFinite: a goal is NaN or infinite.
    """
    try:
        told = {str(name): float(value) for name, value in metrics.items()}
    except (AttributeError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise EvaluationError(
            f"trial {trial.number}: expected metrics by name, each a number, got {metrics!r}"
        ) from error
    told |= {name: float(cost(trial.graph)) for name, cost in costs.items()}
    for name in goals:
        value = told.get(name)
        if value is None:
            there = ", ".join(sorted(told)) or "none"
            raise EvaluationError(f"trial {trial.number}: expected a finite {name!r} among the metrics, got {there}")
        if not math.isfinite(value):
            raise NotFinite(f"trial {trial.number}: expected a finite {name!r} among the metrics, got {value!r}")
    spent = told.get(COST)
    cost = spent if spent is not None and math.isfinite(spent) else None
    return replace(trial, status="done", metrics=told, cost=cost)


def failed(trial: Trial, reason: str, failure: Failure) -> Trial:
    """The trial with the reason why it has no metrics, without characters that a database would refuse."""
    readable = reason.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return replace(trial, status="failed", error=readable, failure=failure)


def raised(error: Exception) -> Failed:
    """What an exception of an evaluator, or of the check of its answer, means."""
    if isinstance(error, NotFinite):
        failure: Failure = "not_finite"
    elif isinstance(error, EvaluationError):
        failure = "bad_output"
    else:
        failure = "out_of_memory" if lacks_memory(f"{type(error).__name__}: {error}") else "error"
    return Failed(failure, f"{type(error).__name__}: {error}")


def conclude(trial: Trial, outcome: Measured | Failed, goals: Sequence[str], costs: Costs) -> Trial:
    """The trial as it ended: done, or failed where its metrics cannot be used."""
    if isinstance(outcome, Measured):
        try:
            return measured(trial, outcome.metrics, goals, costs)
        except EvaluationError as error:
            outcome = raised(error)
    return failed(trial, outcome.reason, outcome.failure)


_NO_MEMORY = (
    "MemoryError",
    "OutOfMemory",
    "out of memory",
    "std::bad_alloc",
    "Cannot allocate memory",
    "can't allocate memory",
    "ALLOC_FAILED",
    "RESOURCE_EXHAUSTED",
)


def lacks_memory(text: str) -> bool:
    """Whether a message is one of those that Python, torch, CUDA and others leave when memory runs out."""
    return any(sign in text for sign in _NO_MEMORY)
