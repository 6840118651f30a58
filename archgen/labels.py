"""Labels: measured properties of architectures, from a CSV file or a campaign's directory; and predictors of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from archgen.arch_table import COLUMN, Row, columns_of, read_table
from archgen.campaign_folder import STORE, read_campaign
from archgen.graph_file import read_graphs
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, unknown_name
from graphs.layout import Layout
from graphs.space import SearchSpace
from predictors.additive import AdditivePredictor, fit_additive
from predictors.encodings import Encodings, features_of
from predictors.row_predictor import RowPredictor, fit_row_predictor

Predictor = AdditivePredictor | RowPredictor
MOST_FOR_GP = 1_000
"""Labels up to which a GP is fitted where the space can be listed; more, or a larger space, take an additive model."""
OTHERS = ("", "id", "graph")
"""Columns that are no properties: a data frame's index, and what a line of `archgen generate` says besides."""


@dataclass(frozen=True)
class Labels:
    """Architectures and what was measured of them.

    Args:
        graphs: the architectures.
        columns: by property one finite number for each.
    """

    graphs: tuple[ArchGraph, ...]
    columns: Mapping[str, Float[Tensor, " m"]]


def read_labels(path: Path | str, space: SearchSpace, only: Sequence[str] | None = None) -> Labels:
    """The labels of a file or of a campaign's directory.

    A CSV file has a column `arch` of the space's strings, or the space's own columns; a file of JSON lines has numbers
    beside each `graph`. A column of which less than half are numbers is left out. An architecture may come more than
    once.

    Args:
        path: the file or the directory.
        space: of the architectures.
        only: the columns that are wanted; the others may hold anything.

    Raises:
        InvalidOption: it cannot be read, is of another space, or holds a value that is no finite number; names the row.
        UnknownName: a wanted column is not there.
        StoreError: the directory holds no campaign.
    """
    path = Path(path)
    if path.is_dir() or path.name == STORE:
        labels = _of_campaign(path, space)
        if only is not None and (unknown := [name for name in only if name not in labels.columns]):
            raise unknown_name(f"metric of {path}", unknown[0], labels.columns)
        labels = labels if only is None else Labels(labels.graphs, {name: labels.columns[name] for name in only})
    else:
        labels = _of_file(path, space, only)
    if len(labels.graphs) < 2 or not labels.columns:
        raise InvalidOption(f"{path}: {len(labels.graphs)} labelled architectures; expected at least 2")
    return labels


def fit_predictor(layout: Layout, labels: Labels, name: str, encodings: Encodings | None = None) -> Predictor:
    """What predicts the column `name`: a GP on motifs for few labels of a listed space, else an additive model.

    Args:
        layout: of the space.
        labels: what was measured.
        name: the column.
        encodings: of the space, where several predictors share them.
    """
    targets = labels.columns[name]
    if len(targets) <= MOST_FOR_GP and layout.space.enumerable:
        return fit_row_predictor(layout, labels.graphs, targets, encodings)
    return fit_additive(features_of(layout), layout.read(labels.graphs), targets)


def _of_campaign(path: Path, space: SearchSpace) -> Labels:
    campaign = read_campaign(path if path.is_dir() else path.parent)
    if campaign.space.name != space.name:
        raise InvalidOption(f"{path}: a campaign on {campaign.space.name!r}, expected labels of {space.name!r}")
    done = campaign.history.done
    names = set.intersection(*(set(trial.metrics) for trial in done)) if done else set()
    columns = {name: _tensor([trial.metrics[name] for trial in done]) for name in sorted(names)}
    kept = {name: column for name, column in columns.items() if bool(column.isfinite().all())}
    return Labels(tuple(trial.graph for trial in done), kept)


def _of_file(path: Path, space: SearchSpace, only: Sequence[str] | None) -> Labels:
    if _is_json(path):
        graphs, table = _of_lines(path, space)
        held: tuple[str, ...] = ()
    else:
        graphs, table = read_table(path, space)
        held = (*columns_of(table[0], space), "resolution" if space.columns else COLUMN)
    found = [name for name in table[0] if name not in (*held, *OTHERS) and _mostly_numbers(table, name)]
    if only is not None and (unknown := [name for name in only if name not in table[0]]):
        raise unknown_name(f"column of {path}", unknown[0], found)
    if not (names := found if only is None else list(only)):
        raise InvalidOption(f"{path}: no column but {COLUMN!r} holds numbers; expected one a property")
    return Labels(tuple(graphs), {name: _column(table, name, path) for name in names})


def _is_json(path: Path) -> bool:
    with suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8-sig") as file:
        return file.readline().lstrip().startswith("{")
    return False


def _of_lines(path: Path, space: SearchSpace) -> tuple[list[ArchGraph], list[Row]]:
    """Graphs in JSON, a line each, with numbers beside the key `graph`."""
    graphs = read_graphs(path, space)
    with path.open(encoding="utf-8-sig") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    names = dict.fromkeys(name for line in lines for name, value in line.items() if isinstance(value, int | float))
    return graphs, [{name: None if line.get(name) is None else str(line[name]) for name in names} for line in lines]


def _mostly_numbers(table: list[Row], name: str) -> bool:
    return 2 * sum(_number(row[name]) is not None for row in table) >= len(table)


def _column(table: list[Row], name: str, path: Path) -> Float[Tensor, " m"]:
    found = []
    for number, row in enumerate(table, start=1):
        value = _number(row[name])
        if value is None or not math.isfinite(value):
            told = "missing" if row[name] is None else repr(row[name])
            raise InvalidOption(
                f"{path}, row {number}: {name} is {told}, expected a finite number; leave out the row or the column"
            )
        found.append(value)
    return _tensor(found)


def _tensor(numbers: list[float]) -> Float[Tensor, " m"]:
    return torch.tensor(numbers, dtype=torch.float64)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
