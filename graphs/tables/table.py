"""BenchmarkTable: published measurements of a whole space, queried like a training run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from graphs.archgraph import ArchGraph
from graphs.errors import TableError, unknown_name
from graphs.space import SearchSpace

UNITS = {
    "valid_accuracy": "%",
    "test_accuracy": "%",
    "params": "M",
    "macs": "M",
    "latency": "ms",
    "train_seconds": "s",
}


@dataclass(frozen=True)
class BenchmarkTable:
    """The measured rows of `space` on one task.

    Args:
        space: the search space.
        task: the data set's name.
        key: the row key of a graph: what the benchmark trained, which may be a description or a network.
        rows: for each key the place of its row in the columns.
        columns: metric to values, one a row; units in `UNITS`.
        objective: the metric that a search maximises unless told otherwise.
        cheaper: metrics at lower fidelities, in the unit of `full`: fidelity to metric to values.
        full: the fidelity of `columns`, such as 200 epochs; None where nobody has told it.
    """

    space: SearchSpace
    task: str
    key: Callable[[ArchGraph], int | str] = field(repr=False)
    rows: Mapping[int | str, int] = field(repr=False)
    columns: Mapping[str, np.ndarray] = field(repr=False)
    objective: str = "valid_accuracy"
    cheaper: Mapping[float, Mapping[str, np.ndarray]] = field(default_factory=dict, repr=False)
    full: float | None = None

    @property
    def fidelities(self) -> tuple[float, ...]:
        """All at which the table tells metrics, in rising order; none where there is but one."""
        return (*sorted(self.cheaper), self.full) if self.cheaper and self.full is not None else ()

    def __call__(self, graph: ArchGraph, fidelity: float | None = None) -> dict[str, float]:
        """The metrics of `graph`; raises `TableError` where the table has no row for it.

        Args:
            fidelity: one of `fidelities`, which is then the metric `cost`, too; everything at its best unless given.
        """
        key = self.key(graph)
        if key not in self.rows:
            raise TableError(f"the table of {self.space.name} on {self.task} has no row {key!r}")
        row = self.rows[key]
        columns = self.columns if fidelity in (None, self.full) else self.cheaper.get(fidelity)
        if columns is None:
            told = ", ".join(f"{one:g}" for one in self.fidelities) or "none"
            raise TableError(f"{self.space.name} on {self.task} was not measured at {fidelity:g}; fidelities: {told}")
        metrics = {metric: float(values[row]) for metric, values in columns.items()}
        return metrics if fidelity is None else {**metrics, "cost": fidelity}

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, metric: str) -> np.ndarray:
        """All values of `metric`; raises `UnknownName`."""
        if metric not in self.columns:
            raise unknown_name("metric", metric, self.columns)
        return self.columns[metric]

    def best(self, metric: str) -> float:
        """The largest value of `metric` in the table."""
        return float(self.column(metric).max())
