"""What a campaign is made of, as frozen data: objective, configuration, trials and their history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from graphs.archgraph import ArchGraph
from graphs.condition import Condition

Status = Literal["pending", "done", "stopped", "failed"]
"""Stopped: measured at a lower fidelity alone, and not promising enough to be measured in full."""
Failure = Literal["error", "crash", "out_of_memory", "timeout", "bad_output", "not_finite", "worker_lost"]
"""How an evaluation failed: it raised, its process died, needed too much memory or time, it answered in a wrong form or
with numbers that are not finite, or one worker after another vanished with it."""


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
        others: further objectives; `objective` is the first one.
        constraints: what an architecture must keep to count as a solution.
    """

    space: str
    task: str
    strategy: str
    objective: Objective
    seed: int = 0
    batch: int = 1
    threads: int = 1
    distinct: Literal["network", "description"] = "network"
    options: Mapping[str, int | str] = field(default_factory=dict)
    others: tuple[Objective, ...] = ()
    constraints: tuple[Condition, ...] = ()

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (self.objective, *self.others)

    @property
    def goals(self) -> tuple[str, ...]:
        """The metrics that every evaluated trial must have: those of objectives and constraints."""
        named = [*(one.metric for one in self.objectives), *(one.name for one in self.constraints)]
        return tuple(dict.fromkeys(named))


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
    """One query of a campaign: a proposal with its number, its identity and, once told, its metrics.

    Args:
        error: why it failed, for people.
        failure: how it failed; None where it did not.
        cost: what its evaluation took, in the unit that the evaluator reports, if it does.
    """

    number: int
    step: int
    proposal: Proposal
    arch: str
    identity: str
    status: Status = "pending"
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    failure: Failure | None = None
    cost: float | None = None

    @property
    def graph(self) -> ArchGraph:
        return self.proposal.graph


@dataclass(frozen=True)
class History:
    """Everything a strategy may look at: all trials so far, in the order in which they were asked.

    Args:
        trials: all of them.
        objective: the first objective.
        others: further objectives.
        constraints: what a trial must keep to be feasible.
        reference: what is known of the task beforehand, see `bo.campaign.Campaign`.
        prior: evaluated trials of an earlier campaign, or labels of a table: learned from, and no queries of this one.
    """

    trials: tuple[Trial, ...]
    objective: Objective
    others: tuple[Objective, ...] = ()
    constraints: tuple[Condition, ...] = ()
    reference: Mapping[str, float] = field(default_factory=dict)
    prior: tuple[Trial, ...] = ()

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (self.objective, *self.others)

    @cached_property
    def learned(self) -> tuple[Trial, ...]:
        """Everything that has been measured: the prior, then the evaluated trials."""
        return (*self.prior, *self.done)

    @cached_property
    def done(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.status == "done")

    @cached_property
    def pending(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.status == "pending")

    @cached_property
    def stopped(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.status == "stopped")

    @cached_property
    def ended(self) -> tuple[Trial, ...]:
        """The queries spent."""
        return tuple(trial for trial in self.trials if trial.status != "pending")

    @cached_property
    def feasible(self) -> tuple[Trial, ...]:
        """Evaluated trials that keep every constraint."""
        return tuple(trial for trial in self.done if self.violation(trial) == 0)

    @cached_property
    def seen(self) -> frozenset[str]:
        """Identities that must not be proposed again."""
        return frozenset(trial.identity for trial in (*self.prior, *self.trials))

    def gain(self, trial: Trial) -> float:
        """The trial's first objective, larger is better."""
        return self.objective.gain(trial.metrics)

    def gains(self, trial: Trial) -> tuple[float, ...]:
        """All objectives of the trial, larger is better."""
        return tuple(objective.gain(trial.metrics) for objective in self.objectives)

    def violation(self, trial: Trial) -> float:
        """By how much the trial breaks the constraints: the sum of what each is missed by, relative to its bound."""
        return math.fsum(one.excess(trial.metrics[one.name]) for one in self.constraints)

    def merit(self, trial: Trial) -> tuple[float, float]:
        """Orders evaluated trials: the less they break the constraints, then the larger their first objective."""
        return -self.violation(trial), self.gain(trial)

    @property
    def best(self) -> Trial | None:
        """The feasible trial with the best first objective, the earlier one of equals; None before the first."""
        return max(self.feasible, key=lambda trial: (self.gain(trial), -trial.number), default=None)

    def best_so_far(self) -> list[float]:
        """The best first objective of feasible trials after each trial that has ended, in the metric's own sign.

        NaN before the first.
        """
        curve, best = [], -math.inf
        for trial in self.ended:
            if trial.status == "done" and self.violation(trial) == 0:
                best = max(best, self.gain(trial))
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
