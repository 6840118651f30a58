"""`archgen bench`: the same benchmark for several strategies and seeds; tables, CSV files and plots."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from archgen.cli.bench_summary import CHANCES, Curve, chance, plot_regret, summarise, write_curves, write_rows
from archgen.cli.parallel import in_parallel
from archgen.cli.search import check_budget
from archgen.goals import Goals, kept_values, read_goals, table_hypervolume, table_reference
from archgen.session import open_campaign
from archgen.strategies import check_strategy, ensure_generator
from bo.lock import hold
from bo.pareto import hypervolume_so_far, reference_point
from bo.records import History, regret
from graphs.errors import InvalidOption
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table
from graphs.tables.table import UNITS, BenchmarkTable


@dataclass(frozen=True)
class Bench:
    """What is compared.

    Args:
        folder: holds a folder for each task, with a folder for each strategy, with a campaign for each seed; and the
            generators, one for each seed, which know no task.
    """

    space: str
    tasks: tuple[str, ...]
    strategies: tuple[str, ...]
    seeds: range
    budget: int
    maximize: tuple[str, ...]
    minimize: tuple[str, ...]
    subject_to: tuple[str, ...]
    distinct: Literal["network", "description"]
    folder: Path

    def check(self) -> None:
        """Raise on names that do not exist and numbers that cannot be used, before anything is written."""
        check_budget(get_space(self.space), self.budget, self.distinct)
        for task in self.tasks:
            table_reference(load_table(self.space, task), self.goals(task))
        for name in self.strategies:
            check_strategy(name)
        if not self.tasks or not self.strategies or not len(self.seeds):
            raise InvalidOption("name at least one task and one strategy, and ask for at least 1 seed")

    def goals(self, task: str) -> Goals:
        table = load_table(self.space, task)
        return read_goals(self.maximize, self.minimize, self.subject_to, table.objective, table.columns)

    def generator(self, seed: int) -> Path:
        return self.folder / "generators" / f"seed{seed}.safetensors"


@dataclass(frozen=True)
class Job:
    """One campaign of the comparison."""

    bench: Bench
    task: str
    strategy: str
    seed: int


def run_bench(bench: Bench, workers: int, as_json: bool) -> None:
    """`archgen bench`: run what is missing, then write and show the comparison."""
    bench.check()
    if workers < 1:
        raise InvalidOption(f"workers {workers}: expected at least 1")
    with hold(bench.folder):
        _compare(bench, workers, as_json)


def _compare(bench: Bench, workers: int, as_json: bool) -> None:
    if "archgen" in bench.strategies:
        in_parallel(_train, [(bench, seed) for seed in bench.seeds], workers, lambda seed: f"generator, seed {seed}")
    jobs = [Job(bench, t, name, seed) for t in bench.tasks for seed in bench.seeds for name in bench.strategies]
    curves = in_parallel(run_job, jobs, workers, _told)
    found = {task: _write(bench, task, [curve for curve in curves if curve.task == task]) for task in bench.tasks}
    if as_json:
        print(json.dumps({"space": bench.space, "budget": bench.budget, "seeds": list(bench.seeds), "tasks": found}))
        return
    for task, result in found.items():
        _show(
            result["rows"],
            f"{bench.space} on {task}: {result['regret']}, mean and standard error of {len(bench.seeds)} seeds",
        )
        print("  ".join(result[name] for name in ("summary", "curves", "plot")))


def run_job(job: Job) -> Curve:
    """Run or go on with one campaign."""
    bench = job.bench
    table = load_table(bench.space, job.task)
    with open_campaign(
        bench.folder / job.task / job.strategy / f"seed{job.seed}",
        space=bench.space,
        task=job.task,
        strategy=job.strategy,
        seed=job.seed,
        maximize=bench.maximize,
        minimize=bench.minimize,
        subject_to=bench.subject_to,
        distinct=bench.distinct,
        generator=bench.generator(job.seed),
    ) as campaign:
        campaign.run(table, bench.budget)
        history = campaign.history
        seconds = sum(step["seconds"] for step in campaign.store.steps()) / campaign.spent
    reached, short = _reached(table, history)
    origins = [trial.proposal.origin for trial in history.trials[: bench.budget]]
    return Curve(job.task, job.strategy, job.seed, reached[: bench.budget], short[: bench.budget], origins, seconds)


def _reached(table: BenchmarkTable, history: History) -> tuple[list[float], list[float]]:
    """`Curve.reached` and `Curve.regret` of a campaign on a table."""
    if not history.others:
        mean = history.reference["mean"]
        values = [mean if math.isnan(value) else value for value in history.best_so_far()]
        return values, [regret(history.objective, history.reference, value) or 0.0 for value in values]
    point = reference_point(history, history.reference)
    assert point is not None  # a table states it
    whole = table_hypervolume(table, Goals(history.objectives, history.constraints), point)
    shares = [100 * value / whole for value in hypervolume_so_far(history, point)]
    return shares, [max(0.0, 100 - share) for share in shares]


def _train(job: tuple[Bench, int]) -> int:
    import torch

    bench, seed = job
    torch.set_num_threads(1)
    path = bench.generator(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    ensure_generator(get_space(bench.space), seed, path)
    return seed


def _told(curve: Curve) -> str:
    return f"{curve.task} {curve.strategy} seed {curve.seed}: {curve.reached[-1]:.2f}, {curve.seconds:.2f} s a query"


def _write(bench: Bench, task: str, curves: list[Curve]) -> dict[str, Any]:
    goals, table = bench.goals(task), load_table(bench.space, task)
    first, *others = goals.objectives
    mean, sign = (None, 1.0) if others else (float(table.column(first.metric).mean()), 1.0 if first.maximize else -1.0)
    rows = [summarise([curve for curve in curves if curve.strategy == name], mean, sign) for name in bench.strategies]
    if not others:
        values = kept_values(table, goals)
        best = float(values.max() if first.maximize else values.min())
        rows.append(summarise(chance(values, sign, best, bench.budget, range(CHANCES)), mean, sign))
    files = {name: bench.folder / task / name for name in ("summary.csv", "curves.csv", "regret.png")}
    write_rows(files["summary.csv"], rows)
    write_curves(files["curves.csv"], curves)
    metric = ", ".join(one.metric for one in goals.objectives)
    label = "hypervolume lacking [%]" if others else f"regret [{UNITS.get(first.metric, first.metric)}]"
    plot_regret(files["regret.png"], curves, label, f"{bench.space} on {task}, {metric}, {len(bench.seeds)} seeds")
    named = zip(("summary", "curves", "plot"), map(str, files.values()), strict=True)
    return {"objective": metric, "regret": label, "rows": rows, **dict(named)}


def _show(rows: list[dict[str, Any]], title: str) -> None:
    marks = [name.removeprefix("regret@") for name in rows[0] if name.startswith("regret@")]
    single = "relative_improvement_%" in rows[0]
    gained = "improvement" if single else "hypervolume"
    headers = ("strategy", *(f"{mark} queries" for mark in marks), "best found", gained, "s a query")
    table = Table(*headers, box=None, pad_edge=False)
    for row in rows:
        cells = [f"{row[f'regret@{mark}']:.3f} ± {row[f'se@{mark}']:.3f}" for mark in marks]
        last = f"{row['reached']:.1f} %"
        if single:
            low, high = row["improvement_low"], row["improvement_high"]
            last = f"{row['relative_improvement_%']:+.2f} % [{low:+.2f}, {high:+.2f}]"
        found = f"{row['found_best_%']:.0f} %"
        if row["found_best_%"]:
            found += f", by query {row['queries_to_best']:.1f}"
        table.add_row(row["strategy"], *cells, found, last, f"{row['seconds_a_query']:.2f}")
    print(f"\n{title}")
    Console().print(table)
