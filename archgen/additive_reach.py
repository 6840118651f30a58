"""Whether bounds on properties that add up can be kept at all, one by one and two by two."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from archgen.additive_terms import Bound, additive_law
from archgen.row_costs import Configurations
from archgen.sources import TRIAL, refusal
from archgen.wishes import Properties

STRONG = 1e6
"""Strength times the width of a property at which a law is as good as its best row."""


def require_each(bounds: Sequence[Bound], properties: Properties, parts: Configurations) -> None:
    """Raise `InvalidOption` where nothing keeps a bound."""
    for bound in bounds:
        row = torch.empty(1, len(properties.layout), dtype=torch.int64)
        for (slots, configurations), table in zip(parts, bound.term.tables, strict=True):
            row[0, list(slots)] = configurations[(bound.sign * table).argmax()]
        if float(bound.room(row)) < 0:
            nearest = float(properties.evaluate(bound.condition.name, row)[0])
            raise refusal(bound.condition, nearest, (), sure=True)


def require_pairs(bounds: Sequence[Bound], properties: Properties, parts: Configurations) -> None:
    """Raise `InvalidOption` where nothing is found that keeps two bounds, be the law ever so strong."""
    for beside, bound in itertools.combinations(bounds, 2):
        aim = [bound.sign * table for table in bound.term.tables]
        width = float(sum(table.max() - table.min() for table in aim)) or 1.0
        law = additive_law(parts, [STRONG / width * table for table in aim], beside)
        rows = law.draw(TRIAL, torch.Generator().manual_seed(0))
        rows = rows[properties.kept((beside.condition,), rows)]
        value = properties.evaluate(bound.condition.name, rows)[0]
        if len(rows) and not bool(torch.from_numpy(bound.condition.holds(value.numpy())).any()):
            nearest = float(value.max() if bound.sign > 0 else value.min())
            raise refusal(bound.condition, nearest, (beside.condition,), sure=False)
