"""Published training-free metrics of NAS-Bench-201's cells, from `nasbench201_hardware/zero_cost_cifar10.csv`.

Source: NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022), of CIFAR-10, for the cells that are no duplicates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from graphs.errors import TableError
from graphs.tables.hardware import FOLDER, HardwareTable, read_cells
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
    cells, names, values = read_cells(path)
    if not cells or len(values) != len(names):
        raise TableError(f"{path}: expected a cell and its metrics a row; fetch the file again")
    values[values == FAILED] = np.nan
    return HardwareTable(cells, dict(zip(names, values, strict=True)))
