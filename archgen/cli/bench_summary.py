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

from archgen.protocol import improvement_over_random

CONFIDENCE = 1.96
"""Standard errors on each side of a mean's 95 % band."""
CHANCE = 1912
"""Sets the draws of random search apart from other chance."""
CHANCES = 1000
"""Random searches beside every comparison."""
FIRST_SHOWN = 10
"""The query whose mean regret sets the plot's height; the first random ones would dwarf the rest."""


@dataclass(frozen=True)
class Curve:
    """What one campaign reached.

    Args:
        reached: after each query the best objective value, or of several objectives the hypervolume in percent of the
            table's; the table's mean while nothing feasible is found.
        regret: how far that is from the best of the table.
        origins: for each query what proposed it.
        seconds: time to propose, a query.
    """

    task: str
    strategy: str
    seed: int
    reached: list[float]
    regret: list[float]
    origins: list[str]
    seconds: float


def summarise(curves: Sequence[Curve], mean: float | None, sign: float) -> dict[str, Any]:
    """One strategy's row: regret with its standard error at a half and the whole of the budget, and more.

    `found_best_%` is the share of seeds that end with the best of the table, `queries_to_best` what these took.

    Args:
        curves: one a seed.
        mean: of the objective in the table; None for several objectives.
        sign: 1 where more is better, else -1.
    """
    reached = np.array([curve.reached for curve in curves])
    regret = np.array([curve.regret for curve in curves])
    row: dict[str, Any] = {"strategy": curves[0].strategy, "seeds": len(curves)}
    for at in dict.fromkeys((max(1, regret.shape[1] // 2), regret.shape[1])):
        row[f"regret@{at}"] = float(regret[:, at - 1].mean())
        row[f"se@{at}"] = standard_error(regret[:, at - 1])
    row["reached"] = float(reached[:, -1].mean())
    found = regret[:, -1] == 0
    row["found_best_%"] = 100 * float(found.mean())
    row["queries_to_best"] = float((regret[found] > 0).sum(1).mean() + 1) if found.any() else None
    if mean is not None and mean > 0:
        row |= _improvement(reached[:, -1], mean, sign)
    row["from_generator_%"] = 100 * float(
        np.mean([curve.origins.count("generator") / len(curve.origins) for curve in curves])
    )
    row["seconds_a_query"] = float(np.mean([curve.seconds for curve in curves]))
    return row


def chance(values: np.ndarray, sign: float, best: float, budget: int, seeds: Sequence[int]) -> list[Curve]:
    """Random search on a table with the same budget, which needs no campaign: rows drawn without replacement.

    Args:
        values: of the objective, one a row of those that keep the bounds.
        sign: 1 where more is better, else -1.
        best: the best of them.
    """
    curves = []
    for seed in seeds:
        rng = np.random.default_rng([seed, CHANCE])
        drawn = sign * rng.permutation(values)[:budget]
        reached = sign * np.maximum.accumulate(np.pad(drawn, (0, budget - len(drawn)), constant_values=-np.inf))
        gaps = (sign * (best - reached)).tolist()
        curves.append(Curve("", "chance", seed, reached.tolist(), gaps, ["random"] * budget, 0.0))
    return curves


def _improvement(reached: np.ndarray, mean: float, sign: float) -> dict[str, float]:
    """The relative improvement over the mean of the table with its 95 % interval over seeds, see `archgen.protocol`."""
    found = improvement_over_random(reached, np.array([mean]))
    low, high = sorted((sign * found.low, sign * found.high))
    return {"relative_improvement_%": sign * found.value, "improvement_low": low, "improvement_high": high}


def standard_error(values: np.ndarray) -> float:
    """Of the mean; 0 for a single value."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def write_curves(path: Path, curves: Sequence[Curve]) -> None:
    """One line a query of every campaign."""
    rows = [
        {"strategy": c.strategy, "seed": c.seed, "query": at, "reached": value, "regret": regret, "origin": origin}
        for c in curves
        for at, (value, regret, origin) in enumerate(zip(c.reached, c.regret, c.origins, strict=True), start=1)
    ]
    write_rows(path, rows)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with the keys of the first row as its header."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def plot_regret(path: Path, curves: Sequence[Curve], label: str, title: str) -> None:
    """Mean regret against queries, with 95 % bands over seeds."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    height = 0.0
    for name in dict.fromkeys(curve.strategy for curve in curves):
        regret = np.array([curve.regret for curve in curves if curve.strategy == name])
        mean, at = regret.mean(0), np.arange(1, regret.shape[1] + 1)
        band = CONFIDENCE * np.array([standard_error(column) for column in regret.T])
        (line,) = axes.plot(at, mean, label=name)
        axes.fill_between(at, np.maximum(mean - band, 0), mean + band, color=line.get_color(), alpha=0.15, linewidth=0)
        height = max(height, float(mean[min(FIRST_SHOWN, len(mean)) - 1]))
    axes.set(xlabel="queries", ylabel=label, title=title, ylim=(0, 1.1 * height or 1.0))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
