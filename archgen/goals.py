"""Goals: what a campaign is told to improve and to keep, read from what a user writes and held against a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from bo.pareto import hypervolume, nadir
from bo.records import Objective
from graphs.condition import Condition, contradictions, parse_condition
from graphs.errors import InvalidOption, unknown_name
from graphs.tables.table import BenchmarkTable

ACCURACY = "accuracy"
"""What stands for a table's usual objective where it has no column of that name."""


@dataclass(frozen=True)
class Goals:
    """What a campaign improves, the first objective first, and the bounds it keeps."""

    objectives: tuple[Objective, ...]
    constraints: tuple[Condition, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that they speak of."""
        named = [*(one.metric for one in self.objectives), *(one.name for one in self.constraints)]
        return tuple(dict.fromkeys(named))


def read_goals(
    maximize: Sequence[str], minimize: Sequence[str], subject_to: Sequence[str], usual: str, known: Collection[str] = ()
) -> Goals:
    """The goals that a user wrote.

    Args:
        maximize, minimize: metrics; the first of them is the first objective, and `usual` where there is none.
        subject_to: bounds such as `latency<=5ms`.
        usual: what is maximised unless told otherwise.
        known: the metrics that there are; any name will do where none are given.

    Raises:
        UnknownName: a metric that there is not.
        InvalidOption: a metric named twice, a bound that cannot be read, or bounds that contradict each other.
    """

    def named(metric: str) -> str:
        metric = usual if metric == ACCURACY and known and ACCURACY not in known else metric
        if known and metric not in known:
            raise unknown_name("metric", metric, known)
        return metric

    objectives = [Objective(named(one)) for one in maximize] + [Objective(named(one), False) for one in minimize]
    objectives = objectives or [Objective(usual)]
    names = [one.metric for one in objectives]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidOption(f"objective {twice!r} is named twice; name each metric once")
    constraints = tuple(replace(one, name=named(one.name)) for one in map(parse_condition, subject_to))
    contradictions(constraints)
    return Goals(tuple(objectives), constraints)


def table_reference(table: BenchmarkTable, goals: Goals) -> dict[str, float]:
    """What a table tells of goals: the `best` first objective of its rows that keep the bounds, the `mean` of all rows;
    for several objectives the reference point of the hypervolume.

    Raises:
        InvalidOption: no row keeps the bounds; names the one that the others leave no room for.
    """
    kept = _kept(table, goals.constraints)
    first = goals.objectives[0]
    values = table.column(first.metric)
    best = values[kept].max() if first.maximize else values[kept].min()
    found = {"best": float(best), "mean": float(values.mean())}
    if len(goals.objectives) > 1:
        columns: Mapping[str, np.ndarray] = {one.metric: table.column(one.metric)[kept] for one in goals.objectives}
        found |= nadir(columns, goals.objectives)
    return found


def table_hypervolume(table: BenchmarkTable, goals: Goals, point: Sequence[float]) -> float:
    """The hypervolume of all rows of a table that keep the bounds, beyond a reference point in gains."""
    kept = _kept(table, goals.constraints)
    signs = [1.0 if one.maximize else -1.0 for one in goals.objectives]
    columns = [sign * table.column(one.metric)[kept] for sign, one in zip(signs, goals.objectives, strict=True)]
    return hypervolume(np.stack(columns, axis=1), point)


def kept_values(table: BenchmarkTable, goals: Goals) -> Float[np.ndarray, " n"]:
    """The first objective of the rows that keep the bounds."""
    kept: Float[np.ndarray, " n"] = table.column(goals.objectives[0].metric)[_kept(table, goals.constraints)]
    return kept


def _kept(table: BenchmarkTable, constraints: Sequence[Condition]) -> Bool[np.ndarray, " n"]:
    """The rows that keep all bounds."""
    kept = np.ones(len(table), dtype=bool)
    for one in constraints:
        values = table.column(one.name)
        good = kept & one.holds(values)
        if not good.any():
            nearest = values[kept].min() if one.operator == "<=" else values[kept].max()
            beside = " beside the other bounds" if len(constraints) > 1 else ""
            raise InvalidOption(
                f"no architecture of {table.space.name} on {table.task} has {one.text}{beside}; "
                f"the nearest has {one.name} {nearest:.6g}"
            )
        kept = good
    return kept
