"""Published training-free metrics of NAS-Bench-201's cells, from `nasbench201_hardware/zero_cost_cifar10.csv`.

Source: NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022), of CIFAR-10, for the cells that are no duplicates.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from graphs.errors import InvalidArchitecture, TableError
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.hardware import FOLDER, HardwareTable
from graphs.tables.table_path import table_path

FILE = "zero_cost_cifar10.csv"
FAILED = -1e8
"""What stands in place of a metric that failed."""


def load_zero_cost(folder: Path | None = None) -> HardwareTable:
    """The cells that have metrics, NaN where one failed.

    Args:
        folder: what ARCHGEN_DATA names unless given.

    Raises:
        TableError: the folder is not named, or the file is missing or not the published table.
    """
    path = table_path("training-free metrics need their file", f"{FOLDER}/{FILE}", folder)
    space = NasBench201()
    try:
        with path.open(newline="") as opened:
            header, *table = list(csv.reader(opened))
        graphs = tuple(space.parse(row[0]) for row in table)
        values = np.array([[float(cell or "nan") for cell in row[1:]] for row in table]).T
    except OSError as error:
        raise TableError(
            f"{path}: cannot read the table ({error.strerror}); set ARCHGEN_DATA to the folder that holds {FOLDER}/"
        ) from error
    except (csv.Error, IndexError, ValueError, InvalidArchitecture) as error:
        raise TableError(f"{path}: a row is cut short or holds no number ({error}); fetch the file again") from error
    if not table or len(values) != len(header) - 1:
        raise TableError(f"{path}: expected a cell and its metrics a row; fetch the file again")
    values[values == FAILED] = np.nan
    return HardwareTable(graphs, dict(zip(header[1:], values, strict=True)))
