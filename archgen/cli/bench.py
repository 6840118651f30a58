"""`archgen bench`: the same benchmark for several strategies and seeds; a table, CSV files and a plot."""

from __future__ import annotations

import csv
import json
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from archgen.cli.search import check_budget
from archgen.session import open_campaign
from archgen.strategies import check_strategy
from graphs.errors import InvalidOption
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table

CONFIDENCE = 1.96
"""Standard errors on each side of a mean's 95 % band."""


@dataclass(frozen=True)
class Job:
    """One campaign of the comparison."""

    space: str
    task: str
    strategy: str
    seed: int
    budget: int
    maximize: str | None
    distinct: Literal["network", "description"]
    folder: Path


@dataclass(frozen=True)
class Curve:
    """What one campaign reached.

    Args:
        best: best objective value after each query.
        origins: for each query what proposed it.
        seconds: wall time, the generator's training included; 0 where the campaign was finished before.
    """

    strategy: str
    seed: int
    best: list[float]
    origins: list[str]
    seconds: float


def run_bench(
    space: str,
    task: str,
    budget: int,
    seeds: int,
    strategies: list[str],
    maximize: str | None,
    distinct: Literal["network", "description"],
    workers: int,
    folder: Path,
    first_seed: int,
    as_json: bool,
) -> None:
    table = load_table(space, task)
    check_budget(get_space(space), budget, distinct)
    for name in strategies:
        check_strategy(name)
    if seeds < 1 or workers < 1 or not strategies:
        raise InvalidOption(f"seeds {seeds}, workers {workers}, strategies {strategies}: expected at least one of each")
    jobs = [
        Job(space, task, name, seed, budget, maximize, distinct, folder)
        for seed in range(first_seed, first_seed + seeds)
        for name in strategies
    ]
    curves = _run_all(jobs, workers)
    metric = maximize or table.objective
    reference = {"best": table.best(metric), "mean": float(table.column(metric).mean())}
    rows = [summarise(name, [curve for curve in curves if curve.strategy == name], reference) for name in strategies]
    files = {"curves": folder / "curves.csv", "summary": folder / "summary.csv", "plot": folder / "regret.png"}
    _write_curves(files["curves"], curves, reference["best"])
    _write_rows(files["summary"], rows)
    plot_regret(files["plot"], curves, strategies, reference["best"], f"{space} on {task}, {metric}, {seeds} seeds")
    if as_json:
        named = {name: str(path) for name, path in files.items()}
        print(json.dumps({"space": space, "task": task, "budget": budget, "seeds": seeds, "rows": rows, **named}))
        return
    _show(rows, f"{space} on {task}: regret in {metric}, mean and standard error over {seeds} seeds")
    for name, path in files.items():
        print(f"{name}: {path}")


def summarise(strategy: str, curves: list[Curve], reference: dict[str, float]) -> dict[str, Any]:
    """One row of the table: mean regret and its standard error at a half and the whole of the budget."""
    best = np.array([curve.best for curve in curves])
    regret = reference["best"] - best
    middle = best.shape[1] // 2
    row: dict[str, Any] = {"strategy": strategy, "seeds": len(curves)}
    for at in dict.fromkeys((middle or 1, best.shape[1])):
        row[f"regret@{at}"] = float(regret[:, at - 1].mean())
        row[f"se@{at}"] = float(regret[:, at - 1].std(ddof=1) / len(curves) ** 0.5) if len(curves) > 1 else 0.0
    row["relative_improvement_%"] = float((100 * (best[:, -1] - reference["mean"]) / reference["mean"]).mean())
    row["seconds"] = float(np.mean([curve.seconds for curve in curves]))
    return row


def run_job(job: Job) -> Curve:
    """Run or go on with one campaign."""
    table = load_table(job.space, job.task)
    started = time.perf_counter()
    with open_campaign(
        job.folder / job.strategy / f"seed{job.seed}",
        space=job.space,
        task=job.task,
        strategy=job.strategy,
        seed=job.seed,
        maximize=job.maximize,
        distinct=job.distinct,
    ) as campaign:
        finished_before = campaign.spent >= job.budget
        campaign.run(table, job.budget)
        history = campaign.history
    seconds = 0.0 if finished_before else time.perf_counter() - started
    origins = [trial.proposal.origin for trial in history.trials[: job.budget]]
    return Curve(job.strategy, job.seed, history.best_so_far()[: job.budget], origins, seconds)


def _run_all(jobs: list[Job], workers: int) -> list[Curve]:
    """All jobs on `workers` fresh processes of one thread each, in the order of `jobs`."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    console = Console(stderr=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures: list[Future[Curve]] = [pool.submit(run_job, job) for job in jobs]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                curve = future.result()
                told = f"{curve.strategy} seed {curve.seed}: {curve.best[-1]:.2f}, {curve.seconds:.0f} s"
                console.print(f"{done}/{len(jobs)} {told}", highlight=False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _write_curves(path: Path, curves: list[Curve], top: float) -> None:
    rows = [
        {"strategy": c.strategy, "seed": c.seed, "query": at, "best": value, "regret": top - value, "origin": origin}
        for c in curves
        for at, (value, origin) in enumerate(zip(c.best, c.origins, strict=True), start=1)
    ]
    _write_rows(path, rows)


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def plot_regret(path: Path, curves: list[Curve], strategies: list[str], top: float, title: str) -> None:
    """Mean regret against queries, with 95 % bands over seeds."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name in strategies:
        regret = top - np.array([curve.best for curve in curves if curve.strategy == name])
        mean, at = regret.mean(0), np.arange(1, regret.shape[1] + 1)
        band = CONFIDENCE * regret.std(0, ddof=1) / len(regret) ** 0.5 if len(regret) > 1 else np.zeros_like(mean)
        (line,) = axes.plot(at, mean, label=name)
        axes.fill_between(at, np.maximum(mean - band, 0), mean + band, color=line.get_color(), alpha=0.15, linewidth=0)
    shown = top - np.array([curve.best[min(9, len(curve.best) - 1)] for curve in curves])
    axes.set(xlabel="queries", ylabel="regret [points]", title=title, ylim=(0, 1.2 * max(float(shown.mean()), 1e-3)))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def _show(rows: list[dict[str, Any]], title: str) -> None:
    marks = [name.removeprefix("regret@") for name in rows[0] if name.startswith("regret@")]
    table = Table("strategy", *(f"{mark} queries" for mark in marks), "improvement", "s a run", title=title, box=None)
    for row in rows:
        cells = [f"{row[f'regret@{mark}']:.3f} ± {row[f'se@{mark}']:.3f}" for mark in marks]
        table.add_row(row["strategy"], *cells, f"{row['relative_improvement_%']:+.1f} %", f"{row['seconds']:.0f}")
    Console().print(table)
