"""What a report tells, read from the store once: the trials and how they stand to what is known of the task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bo.campaign import Campaign
from bo.records import CampaignConfig, History, Trial, regret, relative_improvement
from bo.standing import Front, incumbents, measure_front
from bo.store import Store
from graphs.errors import StoreError
from graphs.space import SearchSpace


@dataclass(frozen=True)
class ReportData:
    """A campaign opened for reading.

    Args:
        campaign: the trials.
        steps: number, notes and seconds of each step.
        created: when the campaign began, in seconds since 1970, where it is known.
        columns: of the task's table, where there is one: each metric's values, one a row.
    """

    campaign: Campaign
    steps: tuple[dict[str, Any], ...]
    created: float | None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def space(self) -> SearchSpace:
        return self.campaign.space

    @property
    def config(self) -> CampaignConfig:
        return self.campaign.config

    @property
    def metric(self) -> str:
        return self.config.objective.metric

    @property
    def up(self) -> bool:
        """Whether more of the objective is better."""
        return self.config.objective.maximize

    @cached_property
    def history(self) -> History:
        return self.campaign.history

    @cached_property
    def ended(self) -> tuple[Trial, ...]:
        """The queries spent, in their order."""
        return self.history.ended

    @cached_property
    def failed(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.ended if trial.status == "failed")

    @cached_property
    def ranked(self) -> tuple[Trial, ...]:
        """The evaluated trials, best first: those that keep the constraints, then by the first objective."""
        merit = self.history.merit
        return tuple(sorted(self.history.done, key=lambda trial: (*(-part for part in merit(trial)), trial.number)))

    @cached_property
    def infeasible(self) -> frozenset[int]:
        """The numbers of the evaluated trials that break a constraint."""
        return frozenset(trial.number for trial in self.history.done) - {t.number for t in self.history.feasible}

    @cached_property
    def front(self) -> Front | None:
        """The front in the campaign's objectives, where it has several."""
        return measure_front(self.history, self.campaign.reference)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """All metrics of all trials, the objectives first."""
        own = [one.metric for one in self.history.objectives]
        return tuple(dict.fromkeys([*own, *(name for trial in self.history.trials for name in trial.metrics)]))

    @cached_property
    def improvements(self) -> frozenset[int]:
        """The numbers of the trials that beat every earlier one; the first has nothing to beat."""
        return frozenset(trial.number for trial in incumbents(self.history)[1:])

    def value(self, trial: Trial) -> float:
        """The trial's objective in its own sign; NaN where it was not evaluated."""
        return trial.metrics[self.metric] if trial.status == "done" else math.nan

    def reference(self, name: str) -> float | None:
        """`best` or `mean` of the objective in the task's table, where known."""
        value = self.campaign.reference.get(name)
        return float(value) if value is not None and math.isfinite(value) else None

    def regret(self, value: float) -> float | None:
        """How far `value` is from the best of the task, where that is known; rounding errors count as 0."""
        return regret(self.campaign.objective, self.campaign.reference, value)

    def improvement(self, value: float) -> float | None:
        """By how many percent `value` is better than the mean of the table, where that is known and not 0."""
        return relative_improvement(self.campaign.objective, self.campaign.reference, value)


def read_campaign(
    space: SearchSpace, store: Store, columns: Mapping[str, np.ndarray] | None = None
) -> ReportData:  # fmt: skip
    """Open the campaign in `store` for reading; `columns` are those of its task's table.

    Raises:
        StoreError: the store holds no campaign, or one of another space.
    """
    config = store.read_config()
    if config is None:
        raise StoreError(f"{store.path.parent}: no campaign has begun here; start one with archgen search --dir")
    if config.space != space.name:
        raise StoreError(
            f"{store.path.parent}: holds a campaign in the space {config.space!r}, got the space {space.name!r}; "
            f"pass the space {config.space!r}"
        )
    created = store.read_meta("created")
    return ReportData(
        Campaign(space, config, store),
        tuple(store.steps()),
        float(created) if isinstance(created, int | float) else None,
        columns or {},
    )


def lineage(data: ReportData, trial: Trial) -> list[Trial]:
    """`trial` and those it descends from, the oldest first."""
    by_number: Mapping[int, Trial] = {one.number: one for one in data.history.trials}
    line = [trial]
    while (parent := by_number.get(-1 if line[-1].proposal.parent is None else line[-1].proposal.parent)) is not None:
        if parent in line:
            break  # no campaign writes a circle, but a report must end
        line.append(parent)
    return line[::-1]
