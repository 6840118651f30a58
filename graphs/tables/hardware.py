"""Latencies and energies of NAS-Bench-201's cells on devices, from `nasbench201_hardware/` under ARCHGEN_DATA's folder.

`latency_27_devices_ms.csv` (HELP, Lee et al. NeurIPS 2021, and an i7 from BRP-NAS, Dudziak et al. NeurIPS 2020) has
milliseconds; the number after a device's name is the batch. `hw_nas_bench.csv` (HW-NAS-Bench, Li et al. ICLR 2021) has
latencies in milliseconds, energies in millijoules and operations per byte, for networks on three data sets.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture, TableError, unknown_name
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.table_path import table_path

FOLDER = "nasbench201_hardware"
FILES = ("latency_27_devices_ms.csv", "hw_nas_bench.csv")
MISSING = -1.0
"""What stands in place of a measurement that failed."""


@dataclass(frozen=True, eq=False)
class HardwareTable:
    """Rows in the order of the file.

    Args:
        graphs: every cell of the space.
        columns: by device or device and metric one number a cell, NaN where none was measured.
    """

    graphs: tuple[ArchGraph, ...]
    columns: Mapping[str, Float[np.ndarray, " b"]]

    def __len__(self) -> int:
        return len(self.graphs)

    def column(self, name: str) -> Float[np.ndarray, " b"]:
        """The column of that name; raises `UnknownName`."""
        if name not in self.columns:
            raise unknown_name("device", name, self.columns)
        return self.columns[name]


def load_hardware(file: str = FILES[0], folder: Path | None = None) -> HardwareTable:
    """All 15,625 cells.

    Args:
        file: one of `FILES`.
        folder: what ARCHGEN_DATA names unless given.

    Raises:
        UnknownName: no such file.
        TableError: the folder is not named, or the file is missing or not the published table.
    """
    if file not in FILES:
        raise unknown_name("hardware table", file, FILES)
    path = table_path("the hardware tables need their files", f"{FOLDER}/{file}", folder)
    cells, names, values = read_cells(path)
    size, graphs = NasBench201().size, dict.fromkeys(cells)
    if len(graphs) != size or len(cells) != size or len(values) != len(names):
        raise TableError(f"{path}: expected {size} different cells, got {len(graphs)}; fetch the file again")
    values[values == MISSING] = np.nan
    return HardwareTable(tuple(graphs), dict(zip(names, values, strict=True)))


def read_cells(path: Path) -> tuple[tuple[ArchGraph, ...], list[str], np.ndarray]:
    """The cells of a CSV file, the names of its columns but the first, and a row of values for each of these.

    Raises:
        TableError: the file cannot be read, or a row is cut short or holds no number.
    """
    space = NasBench201()
    try:
        with path.open(newline="") as opened:
            header, *table = list(csv.reader(opened))
        cells = tuple(space.parse(row[0]) for row in table)
        values = np.array([[float(cell or "nan") for cell in row[1:]] for row in table]).T
    except OSError as error:
        raise TableError(
            f"{path}: cannot read the table ({error.strerror}); set ARCHGEN_DATA to the folder that holds {FOLDER}/"
        ) from error
    except (csv.Error, IndexError, ValueError, InvalidArchitecture) as error:
        raise TableError(f"{path}: a row is cut short or holds no number ({error}); fetch the file again") from error
    return cells, header[1:], values


def whole_milliseconds(column: Float[np.ndarray, " b"]) -> bool:
    """Whether every measurement of a latency in milliseconds is a whole number: a clock too coarse to rank cells."""
    measured = column[np.isfinite(column)]
    return bool((measured == measured.round()).all())
