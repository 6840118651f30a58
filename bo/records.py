"""What a campaign is made of, as frozen data: objective, configuration, trials and their history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from graphs.archgraph import ArchGraph

Status = Literal["pending", "done", "failed"]


@dataclass(frozen=True)
class Objective:
    """The metric that a campaign improves."""

    metric: str
    maximize: bool = True

    def gain(self, metrics: Mapping[str, float]) -> float:
        """The metric with its sign turned so that larger is better."""
        return metrics[self.metric] if self.maximize else -metrics[self.metric]


@dataclass(frozen=True)
class CampaignConfig:
    """What decides the proposals of a campaign. The budget is not part of it, so a campaign can be prolonged.

    Args:
        space: the space's name.
        task: what is evaluated, for a benchmark the data set.
        strategy: how candidates are proposed.
        objective: what is improved.
        seed: where all chance comes from.
        batch: proposals a step.
        threads: threads of the numeric libraries; part of it because sums depend on it in their last bits.
        distinct: "network" evaluates each network once, "description" each description once.
        options: what else the strategy was told, by name.
    """

    space: str
    task: str
    strategy: str
    objective: Objective
    seed: int = 0
    batch: int = 1
    threads: int = 1
    distinct: Literal["network", "description"] = "network"
    options: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """A candidate before it is evaluated.

    Args:
        graph: the architecture.
        origin: what proposed it: initial, random, mutation, neighbour, generator, listed.
        parent: the number of the trial it was derived from, if any.
        mean, std: the surrogate's prediction of the objective, in the objective's unit.
        acquisition: the value that selected it.
    """

    graph: ArchGraph
    origin: str
    parent: int | None = None
    mean: float | None = None
    std: float | None = None
    acquisition: float | None = None


@dataclass(frozen=True)
class Trial:
    """One query of a campaign: a proposal with its number, its identity and, once told, its metrics."""

    number: int
    step: int
    proposal: Proposal
    arch: str
    identity: str
    status: Status = "pending"
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    @property
    def graph(self) -> ArchGraph:
        return self.proposal.graph


@dataclass(frozen=True)
class History:
    """Everything a strategy may look at: all trials so far, in the order in which they were asked."""

    trials: tuple[Trial, ...]
    objective: Objective

    @cached_property
    def done(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.status == "done")

    @cached_property
    def pending(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.status == "pending")

    @cached_property
    def seen(self) -> frozenset[str]:
        """Identities that must not be proposed again."""
        return frozenset(trial.identity for trial in self.trials)

    def gain(self, trial: Trial) -> float:
        """The trial's objective, larger is better."""
        return self.objective.gain(trial.metrics)

    @property
    def best(self) -> Trial | None:
        """The best evaluated trial, the earlier one where two are equal; None before the first."""
        return max(self.done, key=lambda trial: (self.gain(trial), -trial.number), default=None)

    def best_so_far(self) -> list[float]:
        """The best objective value after each trial that has ended, in the metric's own sign; NaN before the first."""
        curve, best = [], -math.inf
        for trial in self.trials:
            if trial.status == "done":
                best = max(best, self.gain(trial))
            if trial.status != "pending":
                curve.append(math.nan if best == -math.inf else best if self.objective.maximize else -best)
        return curve


def regret(objective: Objective, reference: Mapping[str, float], value: float) -> float | None:
    """How far `value` is from the best of the task, where that is known; rounding errors count as 0."""
    best = reference.get("best")
    if best is None or not math.isfinite(best):
        return None
    gap = best - value if objective.maximize else value - best
    return 0.0 if abs(gap) < 1e-9 * abs(best) else gap


def relative_improvement(objective: Objective, reference: Mapping[str, float], value: float) -> float | None:
    """By how many percent `value` is better than the mean of the task's table, where that is known and not 0."""
    mean = reference.get("mean")
    if not mean or not math.isfinite(mean):
        return None
    return 100 * (value - mean if objective.maximize else mean - value) / abs(mean)
