"""The NAS-Bench-Graph tables, read from the pip package `nas-bench-graph`, which is never imported for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from graphs.errors import TableError, unknown_name
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.tables.table import BenchmarkTable
from graphs.tables.unpickle import read_plain_pickle

TASKS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv")
NETWORKS = 26_206
_COLUMNS = {
    "valid_accuracy": ("valid_perf", 100.0),
    "test_accuracy": ("perf", 100.0),
    "params": ("para", 1.0),
    "latency": ("latency", 1000.0),
}
"""Our metric: the package's name and the factor that brings it to our unit."""


def load_nas_bench_graph(task: str, folder: Path | None = None) -> BenchmarkTable:
    """All 26,206 networks on `task`. A query is answered by the row of the network, so every description of it agrees.

    Args:
        task: one of `TASKS`.
        folder: where `<task>.bench` lies; the installed package's own unless given.

    Raises:
        UnknownName: no such task.
        TableError: the package or the file is missing, damaged or not the published table.
    """
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    path = (folder or _package_folder()) / f"{task}.bench"
    table = read_plain_pickle(path)
    try:
        columns = {
            metric: np.array([row[name] for row in table.values()], dtype=np.float64) * factor
            for metric, (name, factor) in _COLUMNS.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise TableError(f"{path}: a row lacks a number ({error}); reinstall nas-bench-graph") from error
    if len(table) != NETWORKS or not all(np.isfinite(values).all() for values in columns.values()):
        raise TableError(
            f"{path}: expected {NETWORKS} rows of finite numbers, got {len(table)}; reinstall nas-bench-graph"
        )
    space = NasBenchGraph()
    return BenchmarkTable(space, task, space.table_key, {key: row for row, key in enumerate(table)}, columns)


def _package_folder() -> Path:
    spec = importlib.util.find_spec("nas_bench_graph")
    if spec is None or spec.origin is None:
        raise TableError("the package nas-bench-graph is not installed; run: pip install nas-bench-graph")
    return Path(spec.origin).parent / "light"
