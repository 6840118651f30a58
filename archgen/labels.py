"""Labels: measured properties of architectures, from a CSV file or a campaign's directory; and predictors of them."""

from __future__ import annotations

import csv
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
COLUMN = "arch"


@dataclass(frozen=True)
class Labels:
    """Architectures and what was measured of them.

    Args:
        graphs: the architectures.
        columns: by property one finite number for each.
    """

    graphs: tuple[ArchGraph, ...]
    columns: Mapping[str, Float[Tensor, " m"]]


def read_labels(path: Path, space: SearchSpace) -> Labels:
    """The labels of a CSV file with a column `arch` of the space's strings, or of a campaign's directory.

    A CSV column that holds no number in its first row is left out.

    Raises:
        InvalidOption: it cannot be read, is of another space, or holds a value that is no finite number; names the row.
    """
    labels = _of_campaign(path, space) if path.is_dir() or path.name == STORE else _of_csv(path, space)
    if len(labels.graphs) < 2 or not labels.columns:
        raise InvalidOption(f"{path}: {len(labels.graphs)} labelled architectures; expected at least 2")
    return labels


def fit_predictor(layout: Layout, labels: Labels, name: str) -> Predictor:
    """What predicts the column `name`: a GP for few labels of a small space, else effects that add up over parts."""
    rows, targets = layout.read(labels.graphs), labels.columns[name]
    groups = [part for part in layout.parts if len(part) > 1]
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
    columns = {name: torch.tensor([trial.metrics[name] for trial in done]).double() for name in sorted(names)}
    kept = {name: column for name, column in columns.items() if bool(column.isfinite().all())}
    return Labels(tuple(trial.graph for trial in done), kept)


def _of_csv(path: Path, space: SearchSpace) -> Labels:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidOption(f"{path}: cannot read labels ({error}); expected a CSV file or a campaign") from error
    if not table or COLUMN not in table[0]:
        raise InvalidOption(f"{path}: expected a header with a column {COLUMN!r} and at least one row")
    names = [name for name, text in table[0].items() if name not in (COLUMN, None) and _number(text) is not None]
    if not names:
        raise InvalidOption(f"{path}: no column but {COLUMN!r} holds numbers; expected one a property")
    graphs = [_arch(row[COLUMN], space, f"{path}, row {number}") for number, row in enumerate(table, start=1)]
    return Labels(tuple(graphs), {name: _column(table, name, path) for name in names})


def _arch(text: str | None, space: SearchSpace, where: str) -> ArchGraph:
    try:
        return space.parse(text or "")
    except ArchgenError as error:
        for other in SPACES:
            with suppress(ArchgenError):
                if other != space.name and get_space(other).parse(text or ""):
                    raise InvalidOption(f"{where}: {text!r} is of space {other!r}, expected {space.name!r}") from error
        raise InvalidOption(f"{where}: {error}") from error


def _column(table: list[dict[str, str]], name: str, path: Path) -> Float[Tensor, " m"]:
    found = [_number(row[name]) for row in table]
    for number, (value, row) in enumerate(zip(found, table, strict=True), start=1):
        if value is None or not math.isfinite(value):
            raise InvalidOption(
                f"{path}, row {number}: {name} is {row[name]!r}, expected a finite number; leave the row out"
            )
    return torch.tensor(found, dtype=torch.float64)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
