"""What a campaign's W&B run is given at its end: the summary, tables with drawings, the report and artifacts."""

from __future__ import annotations

import html
import io
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from bo.calibration import HALF_WIDTHS, calibration
from bo.pareto import front
from bo.records import History, regret, relative_improvement
from bo.standing import cost_spent, failures, kept, measure_front
from bo.store import Store
from bo.wandb_run import image, log_files, table, web_page
from graphs.archgraph import ArchGraph
from graphs.draw_text import draw_text
from graphs.space import SearchSpace

DRAWN = 12
"""Trials whose architectures are drawn: the best ones. Thousands of images would make a table that nobody opens."""
CHECKPOINTS = "*.safetensors"
"""The files in a campaign's folder that are kept as models."""
_SIZE, _DPI = (3.6, 4.0), 100
_LEADING = ("number", "drawing", "arch", "origin", "status", "failure", "cost", "feasible")


def summarise(space: SearchSpace, history: History, reference: Mapping[str, float]) -> dict[str, Any]:
    """The run's summary: what was spent and kept, the best architecture, regret and improvement where known."""
    ended, done = len(history.ended), len(history.done)
    failed = failures(history)
    values: dict[str, Any] = {"queries": ended, "space/log10_size": space.log10_size}
    values |= {f"failures/{kind}": count for kind, count in failed.items()}
    if ended:
        values["valid_share"] = (ended - sum(failed.values())) / ended
    if history.constraints and done:
        values["feasible_share"] = len(history.feasible) / done
        values |= {f"satisfied/{text}": count / done for text, count in kept(history).items()}
    if (cost := cost_spent(history)) is not None:
        values["cost_spent"] = cost
    if count := len((found := calibration(history)).trials):
        values |= {f"calibration/inside_{percent}": found.inside(percent) / count for percent in HALF_WIDTHS}
    if (best := measure_front(history, reference)) is not None:
        values["front_size"] = len(best.trials)
        values |= {f"reference_point/{metric}": value for metric, value in best.point.items()}
        values |= {} if best.hypervolume is None else {"hypervolume": best.hypervolume}
    return values | _best(history, reference)


def _best(history: History, reference: Mapping[str, float]) -> dict[str, Any]:
    best = history.best
    if best is None:
        return {}
    values: dict[str, Any] = {"best/arch": best.arch, "best/query": best.number + 1}
    values |= {"best/origin": best.proposal.origin}
    values |= {f"best/{name}": value for name, value in best.metrics.items()}
    value = best.metrics[history.objective.metric]
    found = {
        "regret": regret(history.objective, reference, value),
        "relative_improvement": relative_improvement(history.objective, reference, value),
    }
    return values | {name: number for name, number in found.items() if number is not None}


def tabulate(history: History, drawings: Mapping[int, Any]) -> tuple[list[str], list[list[Any]]]:
    """Column names and one row a trial.

    Args:
        drawings: what stands for a trial's architecture, by its number; nothing for the others.
    """
    names = sorted({name for trial in history.trials for name in trial.metrics})
    feasible = {trial.number for trial in history.feasible}
    rows = []
    for trial in history.trials:
        good = trial.number in feasible if trial.status == "done" else None
        told = [trial.number, drawings.get(trial.number), trial.arch, trial.proposal.origin, trial.status]
        rows.append([*told, trial.failure, trial.cost, good, *map(trial.metrics.get, names)])
    return [*_LEADING, *names], rows


def add_media(
    run: Any, store: Store, folder: Path, space: SearchSpace, history: History, report: Path | None
) -> None:  # fmt: skip
    """Give a run the trials as a table, drawings, the report, a copy of the store, and the checkpoints in `folder`."""
    best = sorted(history.done, key=lambda trial: (*(-part for part in history.merit(trial)), trial.number))[:DRAWN]
    drawings = {trial.number: image(picture(trial.graph)) for trial in best}
    run.summary["trials"] = table(*tabulate(history, drawings))
    if history.others:
        run.summary["pareto_front"] = table(*tabulate_front(history))
    if history.best is not None:
        drawn = html.escape(draw_text(space.simplify(history.best.graph)))
        run.summary["best/network"] = web_page(f"<pre>{drawn}</pre>")
    files = _copy(store, Path(run.dir).parent)
    if report is not None and report.suffix == ".html":
        run.summary["report"] = web_page(report.read_text(encoding="utf-8"))
    elif report is not None:
        files.append(report)
    log_files(run, f"campaign-{run.id}", "campaign", files)
    log_files(run, f"generator-{run.id}", "model", sorted(folder.glob(CHECKPOINTS)))


def tabulate_front(history: History) -> tuple[list[str], list[list[Any]]]:
    """Column names and one row a trial on the Pareto front."""
    names = [objective.metric for objective in history.objectives]
    rows: list[list[Any]] = [
        [trial.number, trial.arch, trial.proposal.origin, *(trial.metrics[name] for name in names)]
        for trial in front(history)
    ]
    return ["number", "arch", "origin", *names], rows


def picture(graph: ArchGraph) -> np.ndarray:
    """The architecture as pixels: rows, columns, red, green and blue."""
    from matplotlib.figure import Figure  # half a second that only a run's end needs

    from graphs.draw_plot import draw_plot

    figure, out = Figure(figsize=_SIZE, dpi=_DPI, facecolor="white"), io.BytesIO()
    draw_plot(graph, figure.add_axes((0.01, 0.01, 0.98, 0.98)))
    figure.savefig(out, format="rgba")
    width, height = (round(_DPI * length) for length in _SIZE)
    return np.frombuffer(out.getvalue(), dtype=np.uint8).reshape(height, width, 4)[..., :3].copy()


def _copy(store: Store, folder: Path) -> list[Path]:
    """A copy of the store's file in `folder`; nothing where a database server keeps the campaign."""
    path = Path(store.path)
    if not path.is_file() or path.suffix != ".sqlite":
        return []
    kept = folder / path.name
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(kept)) as copy:
        source.backup(copy)  # the file alone lacks what SQLite still has in its write-ahead log
    return [kept]
