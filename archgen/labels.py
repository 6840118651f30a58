"""Labels: measured properties of architectures, from a CSV file or a campaign's directory; and predictors of them."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from archgen.session import STORE, read_campaign
from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError, InvalidOption
from graphs.layout import Layout
from graphs.space import SearchSpace
from graphs.spaces.catalogue import SPACES, get_space
from predictors.additive import AdditivePredictor, fit_additive
from predictors.slot_features import slot_features
from predictors.slot_gp import SlotGP, fit_slot_gp

Predictor = AdditivePredictor | SlotGP
MOST_FOR_GP = 1_000
"""Labels up to which a GP is fitted where the space can be listed; more, or a larger space, take an additive model."""
MOST_PAIR_EFFECTS = 5_000
"""Effects of pairs of values up to which an additive model has them."""
COLUMN = "arch"
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


def read_labels(path: Path | str, space: SearchSpace) -> Labels:
    """The labels of a CSV file with a column `arch` of the space's strings, or of a campaign's directory.

    A CSV column of which less than half are numbers is left out. An architecture may come more than once.

    Raises:
        InvalidOption: it cannot be read, is of another space, or holds a value that is no finite number; names the row.
        StoreError: the directory holds no campaign.
    """
    path = Path(path)
    labels = _of_campaign(path, space) if path.is_dir() or path.name == STORE else _of_csv(path, space)
    if len(labels.graphs) < 2 or not labels.columns:
        raise InvalidOption(f"{path}: {len(labels.graphs)} labelled architectures; expected at least 2")
    return labels


def fit_predictor(layout: Layout, labels: Labels, name: str) -> Predictor:
    """What predicts the column `name`: a GP for few labels of a small space, else effects that add up over parts."""
    rows, targets = layout.read(labels.graphs), labels.columns[name]
    groups = [part for part in layout.parts if len(part) > 1]
    pairs = sum(layout.sizes[i] * layout.sizes[j] for part in groups for i, j in itertools.combinations(part, 2))
    groups = groups if pairs <= MOST_PAIR_EFFECTS else []
    features = slot_features(layout.sizes, groups=groups, shared=layout.alike, attributes=layout.attributes)
    if len(targets) <= MOST_FOR_GP and layout.space.enumerable:
        return fit_slot_gp(features, rows, targets)
    return fit_additive(features, rows, targets)


def _of_campaign(path: Path, space: SearchSpace) -> Labels:
    campaign = read_campaign(path if path.is_dir() else path.parent)
    if campaign.space.name != space.name:
        raise InvalidOption(f"{path}: a campaign on {campaign.space.name!r}, expected labels of {space.name!r}")
    done = campaign.history.done
    names = set.intersection(*(set(trial.metrics) for trial in done)) if done else set()
    columns = {name: _tensor([trial.metrics[name] for trial in done]) for name in sorted(names)}
    kept = {name: column for name, column in columns.items() if bool(column.isfinite().all())}
    return Labels(tuple(trial.graph for trial in done), kept)


def _of_csv(path: Path, space: SearchSpace) -> Labels:
    table = _table(path)
    names = [name for name in table[0] if name not in (COLUMN, *OTHERS) and _mostly_numbers(table, name)]
    if not names:
        raise InvalidOption(f"{path}: no column but {COLUMN!r} holds numbers; expected one a property")
    graphs = [_arch(row[COLUMN], space, f"{path}, row {number}") for number, row in enumerate(table, start=1)]
    return Labels(tuple(graphs), {name: _column(table, name, path) for name in names})


def _table(path: Path) -> list[dict[str, str | None]]:
    """The rows by column; None where a row ends early."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            table, header = list(reader), [name.strip() for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidOption(f"{path}: cannot read labels ({error}); expected a CSV file or a campaign") from error
    if not table or COLUMN not in header:
        raise InvalidOption(f"{path}: expected a header with a column {COLUMN!r} and at least one row")
    if twice := [name for name in header if header.count(name) > 1]:
        raise InvalidOption(f"{path}: two columns are called {twice[0]!r}; rename one")
    for number, row in enumerate(table, start=1):
        if None in row:
            raise InvalidOption(f"{path}, row {number}: more cells than the header's {len(header)} columns")
    return [dict(zip(header, row.values(), strict=True)) for row in table]


def _arch(text: str | None, space: SearchSpace, where: str) -> ArchGraph:
    try:
        return space.parse(text or "")
    except ArchgenError as error:
        others = [name for name in SPACES if name != space.name and _reads(name, text or "")]
        told = f"{text!r} is of space {others[0]!r}, expected {space.name!r}" if others else str(error)
        raise InvalidOption(f"{where}: {told}") from error


def _reads(name: str, text: str) -> bool:
    """Whether `text` is an architecture of the space called `name`."""
    with suppress(ArchgenError):
        get_space(name).parse(text)
        return True
    return False


def _mostly_numbers(table: list[dict[str, str | None]], name: str) -> bool:
    return 2 * sum(_number(row[name]) is not None for row in table) >= len(table)


def _column(table: list[dict[str, str | None]], name: str, path: Path) -> Float[Tensor, " m"]:
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
