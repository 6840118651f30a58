"""The rows of a campaign's W&B run, each computed from the queries up to it and from nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bo.calibration import HALF_WIDTHS
from bo.pareto import hypervolume, non_dominated, reference_point
from bo.records import CampaignConfig, History, Trial, regret
from bo.standing import UNTYPED

Row = dict[str, float | int | str]


@dataclass
class Tally:
    """What the rows accumulate over the queries so far, which end in the order of their numbers."""

    config: CampaignConfig
    trials: list[Trial] = field(default_factory=list)
    done: int = 0
    feasible: int = 0
    best: Trial | None = None
    cost: float | None = None
    abs_z: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    satisfied: Counter[str] = field(default_factory=Counter)
    gains: np.ndarray | None = None
    point: tuple[float, ...] | None = None
    volume: float | None = None

    @property
    def queries(self) -> int:
        return len(self.trials)

    def row(self, trial: Trial, reference: Mapping[str, float], step: Mapping[str, Any] | None = None) -> Row:
        """The row of the next trial that has ended.

        Args:
            trial: the one after those so far.
            reference: what is known of the task.
            step: what the store keeps of the trial's step, given with the first trial of a step alone.
        """
        self.trials.append(trial)
        history = History((trial,), self.config.objective, self.config.others, self.config.constraints)
        row: Row = {"query": self.queries, "status": trial.status}
        row |= {f"metrics/{name}": value for name, value in trial.metrics.items()}
        row |= _proposing(step) if step is not None else {}
        row |= self._predicted(trial)
        if trial.status == "done":
            row |= self._evaluated(trial, history)
        if history.feasible:
            row |= self._feasible(trial, history, reference)
        if trial.cost is not None:
            self.cost = math.fsum((self.cost or 0.0, trial.cost))
            row["cost"] = trial.cost
        return row | self._count(trial) | self._so_far(reference)

    def _predicted(self, trial: Trial) -> Row:
        mean, std = trial.proposal.mean, trial.proposal.std
        row: Row = {f"predicted/{name}": v for name, v in (("mean", mean), ("std", std)) if v is not None}
        if trial.status == "done" and mean is not None and std:
            self.abs_z.append(abs(trial.metrics[self.config.objective.metric] - mean) / std)
            row["predicted/abs_z"] = self.abs_z[-1]
        return row

    def _evaluated(self, trial: Trial, history: History) -> Row:
        self.done += 1
        row: Row = {"objective": trial.metrics[self.config.objective.metric]}
        row |= {f"objective/{one.metric}": trial.metrics[one.metric] for one in self.config.others}
        if self.config.constraints:
            row["violation"] = history.violation(trial)
            self.satisfied.update(one.text for one in self.config.constraints if one.holds(trial.metrics[one.name]))
        return row

    def _feasible(self, trial: Trial, history: History, reference: Mapping[str, float]) -> Row:
        self.feasible += 1
        row: Row = {}
        if self.best is None or history.gain(trial) > history.gain(self.best):
            if self.best is not None:
                self.counts[f"incumbents/{trial.proposal.origin}"] += 1
            self.best = trial
            row = {"incumbent/origin": trial.proposal.origin, "incumbent/arch": trial.arch}
        if self.config.others:
            self._extend_front(history.gains(trial), reference)
        return row

    def _extend_front(self, gains: tuple[float, ...], reference: Mapping[str, float]) -> None:
        """Keep the front; its hypervolume is computed anew only where it has changed or the point became known."""
        rows = np.array([gains]) if self.gains is None else np.concatenate([self.gains, [gains]])
        good = non_dominated(rows)
        self.gains = rows[good]
        changed = bool(good[-1])
        if self.point is None:
            config = self.config
            so_far = History(tuple(self.trials), config.objective, config.others, config.constraints)
            self.point, changed = reference_point(so_far, reference), True
        if self.point is not None and changed:
            self.volume = hypervolume(self.gains, self.point)

    def _count(self, trial: Trial) -> Row:
        self.counts[f"origin/{trial.proposal.origin}"] += 1
        if trial.status == "failed":
            self.counts[f"failures/{trial.failure or UNTYPED}"] += 1
        self.counts["failed"] += trial.status == "failed"
        if trial.status == "stopped":
            self.counts["stopped"] += 1
        return dict(self.counts)

    def _so_far(self, reference: Mapping[str, float]) -> Row:
        row: Row = {"valid_share": (self.queries - self.counts["failed"]) / self.queries}
        if self.config.constraints and self.done:
            row["feasible_share"] = self.feasible / self.done
            row |= {f"satisfied/{one.text}": self.satisfied[one.text] / self.done for one in self.config.constraints}
        if self.abs_z:
            row["calibration/mean_abs_z"] = math.fsum(self.abs_z) / len(self.abs_z)
            row |= {
                f"calibration/inside_{percent}": sum(z <= half for z in self.abs_z) / len(self.abs_z)
                for percent, half in HALF_WIDTHS.items()
            }
        if self.cost is not None:
            row["cost_spent"] = self.cost
        if self.gains is not None:
            row["front_size"] = len(self.gains)
        if self.volume is not None:
            row["hypervolume"] = self.volume
        if self.best is not None:
            value = self.best.metrics[self.config.objective.metric]
            row |= {"best_so_far": value, "incumbent/query": self.best.number + 1}
            gap = regret(self.config.objective, reference, value)
            row |= {"regret": gap} if gap is not None else {}
        return row


def _proposing(step: Mapping[str, Any]) -> Row:
    """What is known of how a step's candidates came about, from the notes of its strategy.

    `pool` counts the new and distinct candidates by origin. `generated` counts what the generator drew, and
    `generated_valid`, `generated_distinct` and `generated_new` those of them that are so, where a strategy says it.
    """
    notes = step["notes"]
    row: Row = {"proposing/seconds": step["seconds"]}
    pool = notes.get("pool")
    if isinstance(pool, Mapping):
        row |= {f"pool/{origin}": count for origin, count in pool.items() if _is_number(count)}
    row |= {f"proposing/{name}": value for name, value in notes.items() if _is_number(value)}
    drawn = notes.get("generated")
    if _is_number(drawn) and drawn:
        shares = {name: notes.get(f"generated_{name}") for name in ("valid", "distinct", "new")}
        row |= {f"generator/{name}_share": count / drawn for name, count in shares.items() if _is_number(count)}
    return row


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
