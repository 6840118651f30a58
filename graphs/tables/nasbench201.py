"""The NAS-Bench-201 table, read from `nasbench201/nasbench201.csv` under the folder that ARCHGEN_DATA names."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphs.errors import TableError, unknown_name
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.hardware import FILES, FOLDER
from graphs.tables.table import BenchmarkTable
from graphs.tables.table_path import table_path

_SHARED = {"params": "params_millions", "macs": "macs_millions"}
_COLUMNS = {
    "cifar10": {
        "valid_accuracy": "cifar10_valid_acc_200ep",
        "test_accuracy": "cifar10_test_acc_200ep",
        "train_seconds": "cifar10_train_seconds_12ep",
        **_SHARED,
    },
    "cifar100": {
        "valid_accuracy": "cifar100_valid_acc_12ep",
        "test_accuracy": "cifar100_test_acc_200ep",
        **_SHARED,
    },
}
TASKS = tuple(_COLUMNS)
_CHEAPER = {"cifar10": {12.0: {"valid_accuracy": "cifar10_valid_acc_12ep"}}}
"""Accuracies after fewer epochs, by task and epochs."""
EPOCHS = 200.0
"""Of the others."""
DEVICE = "1080ti_1"
"""Whose latency in milliseconds is the metric `latency`: one image on a GTX 1080 Ti."""


def load_nasbench201(task: str, folder: Path | None = None) -> BenchmarkTable:
    """All 15,625 cells on `task`. The benchmark trained every string, so a query is answered by the row of its own
    string, and two strings of one function differ by training noise.

    Args:
        task: one of `TASKS`.
        folder: what ARCHGEN_DATA names unless given.

    Raises:
        UnknownName: no such task.
        TableError: the folder is not named, or the file is missing or not the published table.
    """
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    path = table_path("NAS-Bench-201 needs its table", "nasbench201/nasbench201.csv", folder)
    wanted = _COLUMNS[task]
    space = NasBench201()
    try:
        with path.open(newline="") as file:
            table = list(csv.DictReader(file))
        columns = {metric: np.array([float(row[name]) for row in table]) for metric, name in wanted.items()}
        cheaper = {
            epochs: {metric: np.array([float(row[name]) for row in table]) for metric, name in named.items()}
            for epochs, named in _CHEAPER.get(task, {}).items()
        }
        rows: dict[int | str, int] = {row["arch"]: place for place, row in enumerate(table)}
    except OSError as error:
        raise TableError(
            f"{path}: cannot read the table ({error.strerror}); set ARCHGEN_DATA to the folder that holds nasbench201/"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise TableError(f"{path}: a row or column is missing or no number ({error}); fetch the file again") from error
    if len(rows) != space.size:
        raise TableError(f"{path}: expected {space.size} cells, got {len(rows)}; fetch the file again")
    columns |= _latency(rows, path.parent.parent)
    return BenchmarkTable(space, task, space.format, rows, columns, cheaper=cheaper, full=EPOCHS if cheaper else None)


def _latency(rows: Mapping[int | str, int], folder: Path) -> dict[str, Float[np.ndarray, " b"]]:
    """The column `latency`; none where the file of latencies is missing."""
    path = folder / FOLDER / FILES[0]
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        found = {row["arch"]: float(row[DEVICE]) for row in csv.DictReader(file)}
    return {"latency": np.array([found[str(arch)] for arch in rows])}
