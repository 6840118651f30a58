"""What a campaign's W&B run contains, computed from its history alone: rows, summary, table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bo.records import History, Objective, Trial, regret, relative_improvement
from graphs.space import SearchSpace

Row = dict[str, float | int | str]


@dataclass
class Tally:
    """What the rows accumulate over the queries so far."""

    objective: Objective
    queries: int = 0
    failed: int = 0
    best: float | None = None
    origins: Counter[str] = field(default_factory=Counter)

    def row(self, trial: Trial, reference: Mapping[str, float]) -> Row:
        """The row of the next trial that has ended."""
        self.queries += 1
        self.failed += trial.status == "failed"
        self.origins[trial.proposal.origin] += 1
        row: Row = {"query": self.queries, "status": trial.status, "failed": self.failed}
        row |= {f"origin/{name}": count for name, count in self.origins.items()}
        row |= {f"metrics/{name}": value for name, value in trial.metrics.items()}
        mean, std = trial.proposal.mean, trial.proposal.std
        row |= {f"predicted/{name}": v for name, v in (("mean", mean), ("std", std)) if v is not None}
        if trial.status == "done":
            row["objective"] = value = trial.metrics[self.objective.metric]
            better = max if self.objective.maximize else min
            self.best = value if self.best is None else better(self.best, value)
            if mean is not None and std:
                row["predicted/abs_z"] = abs(value - mean) / std
        if self.best is not None:
            row["best_so_far"] = self.best
            if (gap := regret(self.objective, reference, self.best)) is not None:
                row["regret"] = gap
        return row


def summarise(space: SearchSpace, history: History, reference: Mapping[str, float]) -> dict[str, Any]:
    """The run's summary: queries, valid share, the best architecture, regret and relative improvement where known."""
    ended = len(history.trials) - len(history.pending)
    values: dict[str, Any] = {"queries": ended, "space/log10_size": space.log10_size}
    if ended:
        values["valid_share"] = len(history.done) / ended
    if (best := history.best) is not None:
        values |= {"best/arch": best.arch, "best/query": best.number + 1}
        values |= {f"best/{name}": value for name, value in best.metrics.items()}
        value = best.metrics[history.objective.metric]
        found = {
            "regret": regret(history.objective, reference, value),
            "relative_improvement": relative_improvement(history.objective, reference, value),
        }
        values |= {name: number for name, number in found.items() if number is not None}
    return values


def tabulate(history: History) -> tuple[list[Any], list[Any]]:
    """Column names and one row a trial."""
    names = sorted({name for trial in history.done for name in trial.metrics})
    rows = [[t.number, t.arch, t.proposal.origin, t.status, *map(t.metrics.get, names)] for t in history.trials]
    return ["number", "arch", "origin", "status", *names], rows
