"""Measured subnets of the Once-for-All supernet, read from `ofa_mobilenetv3/subnets.csv` under ARCHGEN_DATA's folder.

A sample of the space by searches, not a table of it: most architectures have no row, and some have several, of which
two can differ in accuracy.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture, TableError
from graphs.spaces.ofa_mobilenetv3 import OfaMobileNetV3
from graphs.tables.table_path import table_path


@dataclass(frozen=True, eq=False)
class Subnets:
    """Rows in the order of the file.

    Args:
        graphs: the architectures.
        params: their parameters; a plain number, not millions.
        macs: multiply-accumulates for one image of 224; a plain number, not millions.
        top1: accuracy on ImageNet in percent.
        run: the search that measured the row.
    """

    graphs: tuple[ArchGraph, ...]
    params: Int[np.ndarray, " b"]
    macs: Int[np.ndarray, " b"]
    top1: Float[np.ndarray, " b"]
    run: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.graphs)


def load_subnets(folder: Path | None = None) -> Subnets:
    """All rows of the file, 1,749 as published.

    Args:
        folder: what ARCHGEN_DATA names unless given.

    Raises:
        TableError: the folder is not named, or the file is missing, empty, or has a row that is no measured subnet.
    """
    path = table_path("the Once-for-All subnets need their table", "ofa_mobilenetv3/subnets.csv", folder)
    try:
        with path.open(newline="") as file:
            table = list(csv.DictReader(file))
    except OSError as error:
        raise TableError(
            f"{path}: cannot read the table ({error.strerror}); set ARCHGEN_DATA to the folder that holds "
            "ofa_mobilenetv3/"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a CSV file ({error}); fetch the file again") from error
    if not table:
        raise TableError(f"{path}: expected a row a subnet, got none; fetch the file again")
    rows = []
    for line, row in enumerate(table, start=2):
        try:
            rows.append(_read_row(row))
        except (KeyError, TypeError, ValueError, InvalidArchitecture) as error:
            raise TableError(f"{path}, line {line}: no measured subnet ({error}); fetch the file again") from error
    graphs, params, macs, top1, run = zip(*rows, strict=True)
    return Subnets(graphs, np.array(params), np.array(macs), np.array(top1), run)


def _read_row(row: Mapping[str, str]) -> tuple[ArchGraph, int, int, float, str]:
    """A row's values; raises KeyError, TypeError, ValueError or InvalidArchitecture where one is wrong."""
    graph = OfaMobileNetV3().parse_columns(row)
    params, macs, top1 = int(row["params"]), int(row["macs"]), float(row["imagenet_top1"])
    if params < 1 or macs < 1 or not 0 <= top1 <= 100:
        raise ValueError(f"{params} parameters, {macs} MACs and {top1} % correct cannot be")
    return graph, params, macs, top1, row["run"]
