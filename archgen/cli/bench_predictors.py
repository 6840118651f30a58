"""`archgen bench-predictors`: how well each kind of predictor learns a table from few labels; table, CSV and plot."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import Tensor

from archgen.cli.bench_summary import CONFIDENCE, standard_error, write_rows
from archgen.cli.parallel import in_parallel
from archgen.labels import read_labels
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table
from predictors.encodings import Encodings
from predictors.kinds import KINDS, MIXES
from predictors.predictor import Predictor
from predictors.scores import Scores, score

TABLES = {"nasbench201": "nasbench201/nasbench201.csv", "ofa-mobilenetv3": "ofa_mobilenetv3/subnets.csv"}
"""Tables of spaces under the folder that ARCHGEN_DATA names."""
METRICS = tuple(field.name for field in fields(Scores))
SHOWN = {"kendall": "Kendall", "spearman": "Spearman", "regret": "top-10 regret", "rmse": "RMSE", "nll": "NLL"}


@dataclass(frozen=True)
class PredictorBench:
    """What is compared.

    Args:
        space, target: what is predicted.
        labels: numbers of labels, separated by commas.
        seeds: of the random choices of labelled rows.
        kinds: of predictors, separated by commas; None is all that the space has.
        table: a file of labels; None is the space's own table, of `task` where it has several.
        tested: rows that are predicted at most, 0 for all that were not learned from.
        folder: where the results are kept.
    """

    space: str
    target: str
    labels: str
    seeds: range
    kinds: str | None
    table: Path | None
    task: str | None
    tested: int
    folder: Path

    @property
    def counts(self) -> list[int]:
        """Numbers of labels."""
        parts = [part.strip() for part in self.labels.split(",") if part.strip()]
        if not parts or not all(part.isdecimal() and int(part) >= 2 for part in parts):
            raise InvalidOption(f"labels {self.labels!r}: expected numbers from 2 on, separated by commas")
        return sorted({int(part) for part in parts})


@dataclass(frozen=True)
class PredictorJob:
    """One fit."""

    bench: PredictorBench
    kind: str
    labels: int
    seed: int


def run_predictor_bench(bench: PredictorBench, workers: int, as_json: bool) -> None:
    """`archgen bench-predictors`.

    Raises:
        InvalidOption, UnknownName: what cannot be compared, before anything is written.
    """
    space = get_space(bench.space)
    kinds = _kinds(bench, space)
    total = len(labelled_table(bench)[0])
    if workers < 1 or len(bench.seeds) < 1 or bench.tested < 0:
        raise InvalidOption(f"{workers} workers, {len(bench.seeds)} seeds, {bench.tested} tested: expected 1 and more")
    if bench.counts[-1] > total - 2:
        raise InvalidOption(f"{bench.counts[-1]} labels of a table of {total}: leave at least 2 to be predicted")
    bench.folder.mkdir(parents=True, exist_ok=True)
    jobs = [PredictorJob(bench, kind, n, seed) for n in bench.counts for kind in kinds for seed in bench.seeds]
    rows = in_parallel(run_predictor_job, jobs, workers, _told)
    summary = [_summarise([row for row in rows if (row["kind"], row["labels"]) == at]) for at in _places(rows)]
    files = {name: bench.folder / name for name in ("scores.csv", "summary.csv", "kendall.png")}
    write_rows(files["scores.csv"], rows)
    write_rows(files["summary.csv"], summary)
    _plot(files["kendall.png"], summary, f"{bench.space}, {bench.target}, {len(bench.seeds)} choices of labels")
    if as_json:
        told = {"space": bench.space, "target": bench.target, "rows": summary}
        print(json.dumps({**told, "files": [str(path) for path in files.values()]}))
        return
    _show(
        summary, f"{bench.space}, {bench.target}: rows not learned from, mean of {len(bench.seeds)} choices of labels"
    )
    print("  ".join(str(path) for path in files.values()))


def run_predictor_job(job: PredictorJob) -> dict[str, Any]:
    """Fit and score once; labelled rows are drawn by chance, the others are predicted."""
    torch.set_num_threads(1)
    graphs, targets = labelled_table(job.bench)
    order = np.random.default_rng(job.seed).permutation(len(graphs))
    kept, left = order[: job.labels], order[job.labels :]
    left = left[: job.bench.tested] if job.bench.tested else left
    encodings = _encodings(job.bench.space)
    started = time.perf_counter()
    predictor = Predictor(encodings.space, job.kind, seed=job.seed, encodings=encodings)
    predictor.fit([graphs[row] for row in kept], targets[torch.from_numpy(kept)])
    fitted = time.perf_counter()
    found = score(predictor.predict([graphs[row] for row in left]), targets[torch.from_numpy(left)])
    ended = time.perf_counter()
    times = {"fit_seconds": fitted - started, "score_seconds": ended - fitted}
    return {"kind": job.kind, "labels": job.labels, "seed": job.seed, **asdict(found), **times}


@cache
def labelled_table(bench: PredictorBench) -> tuple[list[ArchGraph], Float[Tensor, " n"]]:
    """The rows of the table; raises `InvalidOption`, `UnknownName` or `TableError` where there is none."""
    space = get_space(bench.space)
    path = bench.table
    if path is None and bench.task is None and bench.space in TABLES:
        path = Path(os.environ.get("ARCHGEN_DATA", ".")) / TABLES[bench.space]
        if not path.exists():
            raise InvalidOption(f"{path}: no such table; set ARCHGEN_DATA to the folder that holds it, or give --table")
    if path is not None:
        found = read_labels(path, space, [bench.target])
        return list(found.graphs), found.columns[bench.target]
    if bench.task is None:
        raise InvalidOption(f"name a --task of {bench.space}, or a --table of labels")
    table = load_table(bench.space, bench.task)
    column, graphs = table.column(bench.target), list(space.networks)
    rows = [table.rows.get(table.key(graph)) for graph in graphs]
    kept = [(graph, row) for graph, row in zip(graphs, rows, strict=True) if row is not None]
    return [graph for graph, _ in kept], torch.tensor([float(column[row]) for _, row in kept], dtype=torch.float64)


@cache
def _encodings(space: str) -> Encodings:
    return Encodings(get_space(space))


def _kinds(bench: PredictorBench, space: SearchSpace) -> list[str]:
    encodings = Encodings(space)
    if bench.kinds is None:
        return [*MIXES, *(name for name, kind in KINDS.items() if kind.fits(encodings))]
    names = list(dict.fromkeys(part.strip() for part in bench.kinds.split(",") if part.strip()))
    if not names:
        raise InvalidOption(f"kinds {bench.kinds!r}: name at least one of {', '.join([*MIXES, *KINDS])}")
    for name in names:
        Predictor(space, name, encodings=encodings)
    return names


def _places(rows: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    return list(dict.fromkeys((row["kind"], row["labels"]) for row in rows))


def _summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds, with the standard error of Kendall's."""
    means = {name: float(np.mean([row[name] for row in rows])) for name in (*METRICS, "fit_seconds", "score_seconds")}
    error = standard_error(np.array([row["kendall"] for row in rows]))
    return {"kind": rows[0]["kind"], "labels": rows[0]["labels"], "seeds": len(rows), **means, "kendall_se": error}


def _told(row: dict[str, Any]) -> str:
    return f"{row['kind']} from {row['labels']} labels, seed {row['seed']}: Kendall {row['kendall']:.3f}"


def _plot(path: Path, summary: Sequence[dict[str, Any]], title: str) -> None:
    """Kendall's tau and the coverage of 80 % intervals against the number of labels."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    ranks, coverage = figure.subplots(1, 2)
    for kind in dict.fromkeys(row["kind"] for row in summary):
        rows = [row for row in summary if row["kind"] == kind]
        at = [row["labels"] for row in rows]
        bars = [CONFIDENCE * row["kendall_se"] for row in rows]
        ranks.errorbar(at, [row["kendall"] for row in rows], yerr=bars, marker="o", markersize=3, label=kind)
        coverage.plot(at, [row["inside80"] for row in rows], marker="o", markersize=3, label=kind)
    coverage.axhspan(0.76, 0.84, alpha=0.15)
    for axes, name in ((ranks, "Kendall's tau"), (coverage, "share inside the central 80 %")):
        axes.set(xscale="log", xlabel="labels", ylabel=name)
        axes.grid(alpha=0.3)
    ranks.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def _show(summary: Sequence[dict[str, Any]], title: str) -> None:
    shares = {f"inside{share}": f"in {share} %" for share in (50, 80, 95)}
    table = Table("labels", "kind", *SHOWN.values(), *shares.values(), "fit", "score", box=None, pad_edge=False)
    for row in summary:
        times = (f"{row['fit_seconds']:.1f} s", f"{row['score_seconds']:.1f} s")
        cells = [f"{row[name]:.3f}" for name in SHOWN] + [f"{100 * row[name]:.0f}" for name in shares]
        table.add_row(str(row["labels"]), row["kind"], *cells, *times)
    print(f"\n{title}")
    Console(width=140).print(table)
