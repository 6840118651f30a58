"""Wishes: what generated architectures should be like, and the surest way to draw such ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archgen.labels import Labels, Predictor, fit_predictor
from archgen.properties import Condition, contradictions, known_costs
from archgen.row_costs import RowCost, row_cost
from graphs.errors import InvalidOption, unknown_name
from graphs.layout import Layout

By = Literal["mean", "upper", "lower", "thompson"]
"""What of a predicted property is maximised: its mean, mean plus or minus a deviation, or one draw of its posterior."""


@dataclass(frozen=True)
class Wish:
    """What generated architectures should be like.

    Args:
        maximize: a property to make large, if any.
        given: bounds that every architecture keeps; predicted properties keep them by their mean.
        strength: how strongly the property is made large, per unit of it; set from the space unless given.
        by: what of a predicted property is made large.

    Raises:
        InvalidOption: contradictory bounds, or a strength that is no positive number.
    """

    maximize: str | None = None
    given: tuple[Condition, ...] = ()
    strength: float | None = None
    by: By = "mean"

    def __post_init__(self) -> None:
        contradictions(self.given)
        if self.strength is not None and not (self.strength > 0 and math.isfinite(self.strength)):
            raise InvalidOption(f"strength {self.strength}: expected a positive number")

    @property
    def names(self) -> list[str]:
        """The properties it speaks of."""
        asked = [condition.name for condition in self.given]
        return list(dict.fromkeys([*([self.maximize] if self.maximize else []), *asked]))


@dataclass(frozen=True)
class Properties:
    """What is known about rows of a layout: exact costs and fitted predictors, by name.

    Args:
        layout: of the rows.
        costs: exact.
        predictors: learned from labels.
    """

    layout: Layout
    costs: Mapping[str, RowCost]
    predictors: Mapping[str, Predictor]

    def evaluate(self, name: str, rows: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Mean and standard deviation, which is 0 for an exact cost."""
        if name in self.costs:
            cost = self.costs[name](rows)
            return cost, torch.zeros_like(cost)
        return self.predictors[name].predict(rows)

    def objective(self, wish: Wish, rows: Int[Tensor, "b s"], seed: int = 0) -> Float[Tensor, " b"]:
        """What the wish makes large, as `wish.by` says."""
        if wish.maximize is None:
            return torch.zeros(len(rows), dtype=torch.float64)
        if wish.by == "thompson" and wish.maximize in self.predictors:
            return self.predictors[wish.maximize].draw(seed)(rows)
        mean, deviation = self.evaluate(wish.maximize, rows)
        return mean + {"upper": 1.0, "lower": -1.0}.get(wish.by, 0.0) * deviation

    def kept(self, conditions: Sequence[Condition], rows: Int[Tensor, "b s"]) -> Bool[Tensor, " b"]:
        """Which rows keep all conditions."""
        kept = torch.ones(len(rows), dtype=torch.bool)
        for condition in conditions:
            kept &= torch.from_numpy(condition.holds(self.evaluate(condition.name, rows)[0].numpy()))
        return kept


def gather_properties(
    layout: Layout, names: Sequence[str], labels: Labels | None = None, task: str | None = None
) -> Properties:
    """The properties called `names`: exact where they are known costs, else learned from labels.

    Raises:
        UnknownName: a property that is neither a cost of the space nor a column of the labels.
        InvalidOption: the labels cannot be learned from.
    """
    costs = known_costs(layout.space, task)
    columns = {} if labels is None else labels.columns
    for name in names:
        if name not in costs and name not in columns:
            raise unknown_name("property", name, [*costs, *columns])
    exact = {name: row_cost(layout, costs[name]) for name in names if name in costs}
    learned = {name: fit_predictor(layout, labels, name) for name in names if name not in exact and labels is not None}
    return Properties(layout, exact, learned)
