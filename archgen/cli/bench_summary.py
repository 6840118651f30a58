"""What a comparison of strategies comes to: one row a strategy, all curves, a plot with confidence bands."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CONFIDENCE = 1.96
"""Standard errors on each side of a mean's 95 % band."""
FIRST_SHOWN = 10
"""The query whose mean regret sets the plot's height; the first random ones would dwarf the rest."""


@dataclass(frozen=True)
class Curve:
    """What one campaign reached.

    Args:
        best: best objective value after each query.
        origins: for each query what proposed it.
        seconds: time to propose, a query.
    """

    task: str
    strategy: str
    seed: int
    best: list[float]
    origins: list[str]
    seconds: float


def summarise(curves: Sequence[Curve], top: float, mean: float) -> dict[str, Any]:
    """One strategy's row: regret with its standard error at a half and the whole of the budget, and more.

    Args:
        curves: one a seed.
        top, mean: of the objective in the table.
    """
    best = np.array([curve.best for curve in curves])
    regret = top - best
    row: dict[str, Any] = {"strategy": curves[0].strategy, "seeds": len(curves)}
    for at in dict.fromkeys((max(1, best.shape[1] // 2), best.shape[1])):
        row[f"regret@{at}"] = float(regret[:, at - 1].mean())
        row[f"se@{at}"] = standard_error(regret[:, at - 1])
    row["relative_improvement_%"] = float((100 * (best[:, -1] - mean) / mean).mean())
    row["from_generator_%"] = 100 * float(
        np.mean([curve.origins.count("generator") / len(curve.origins) for curve in curves])
    )
    row["seconds_a_query"] = float(np.mean([curve.seconds for curve in curves]))
    return row


def standard_error(values: np.ndarray) -> float:
    """Of the mean; 0 for a single value."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def write_curves(path: Path, curves: Sequence[Curve], top: float) -> None:
    """One line a query of every campaign."""
    rows = [
        {"strategy": c.strategy, "seed": c.seed, "query": at, "best": value, "regret": top - value, "origin": origin}
        for c in curves
        for at, (value, origin) in enumerate(zip(c.best, c.origins, strict=True), start=1)
    ]
    write_rows(path, rows)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with the keys of the first row as its header."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def plot_regret(path: Path, curves: Sequence[Curve], top: float, title: str) -> None:
    """Mean regret against queries, with 95 % bands over seeds."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    height = 0.0
    for name in dict.fromkeys(curve.strategy for curve in curves):
        regret = top - np.array([curve.best for curve in curves if curve.strategy == name])
        mean, at = regret.mean(0), np.arange(1, regret.shape[1] + 1)
        band = CONFIDENCE * np.array([standard_error(column) for column in regret.T])
        (line,) = axes.plot(at, mean, label=name)
        axes.fill_between(at, np.maximum(mean - band, 0), mean + band, color=line.get_color(), alpha=0.15, linewidth=0)
        height = max(height, float(mean[min(FIRST_SHOWN, len(mean)) - 1]))
    axes.set(xlabel="queries", ylabel="regret [points]", title=title, ylim=(0, 1.1 * height or 1.0))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
