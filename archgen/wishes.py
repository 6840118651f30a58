"""Wishes: what generated architectures should be like, and what is known of the properties that they speak of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archgen.labels import Labels, Predictor, fit_predictor
from archgen.properties import known_costs
from archgen.row_costs import RowCost, row_cost
from graphs.condition import Condition, contradictions
from graphs.errors import InvalidOption, UnknownName, unknown_name
from graphs.layout import Layout
from predictors.encodings import Encodings

By = Literal["mean", "upper", "lower", "thompson"]
"""What of a predicted property is maximised: its mean, mean plus or minus a deviation, or one draw of its posterior."""
Objective = Callable[[Int[Tensor, "b s"]], Float[Tensor, " b"]]
"""What is made large of complete rows."""


@dataclass(frozen=True)
class Wish:
    """What generated architectures should be like.

    Args:
        maximize: a property to make large, if any.
        given: bounds that every architecture keeps; predicted properties keep them by their mean.
        strength: how strongly the property is made large, in nats per unit of it, of one that saturates per unit in
            the middle of its labels; set from the space unless given.
        by: what of a predicted property is made large.

    Raises:
        InvalidOption: contradictory bounds, a strength that is no positive number, or an unknown `by`.
    """

    maximize: str | None = None
    given: tuple[Condition, ...] = ()
    strength: float | None = None
    by: By = "mean"

    def __post_init__(self) -> None:
        contradictions(self.given)
        if self.strength is not None and not (self.strength > 0 and math.isfinite(self.strength)):
            raise InvalidOption(f"strength {self.strength}: expected a positive number")
        if self.by not in get_args(By):
            raise InvalidOption(f"by {self.by!r}: expected one of {', '.join(get_args(By))}")
        if self.strength is not None and self.maximize is None:
            raise InvalidOption(f"strength {self.strength}: there is nothing to make large; name what to maximize")

    @property
    def names(self) -> list[str]:
        """The properties it speaks of."""
        asked = [condition.name for condition in self.given]
        return list(dict.fromkeys([*([] if self.maximize is None else [self.maximize]), *asked]))

    @property
    def bounds(self) -> str:
        """All of `given`, for people."""
        return ", ".join(condition.text for condition in self.given)


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

    def objective(self, wish: Wish, seed: int) -> Objective:
        """What the wish makes large, as `wish.by` says; 0 where that is nothing."""
        name, by = wish.maximize, wish.by
        if name is None:
            return lambda rows: torch.zeros(len(rows), dtype=torch.float64)
        if by == "thompson" and name in self.predictors:
            return self.predictors[name].draw(seed)
        sign = {"upper": 1.0, "lower": -1.0}.get(by, 0.0)

        def objective(rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
            mean, deviation = self.evaluate(name, rows)
            return mean + sign * deviation

        return objective

    def kept(self, conditions: Sequence[Condition], rows: Int[Tensor, "b s"]) -> Bool[Tensor, " b"]:
        """Which rows keep all conditions."""
        kept = torch.ones(len(rows), dtype=torch.bool)
        for name in dict.fromkeys(condition.name for condition in conditions):
            mean = self.evaluate(name, rows)[0].numpy()
            for condition in conditions:
                if condition.name == name:
                    kept &= torch.from_numpy(condition.holds(mean))
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
            error = unknown_name("property", name, [*costs, *columns])
            raise error if labels else UnknownName(f"{error} Others are learned from labels, and none are given.")
    exact = {name: row_cost(layout, costs[name]) for name in names if name in costs}
    encodings = Encodings(layout.space)
    learned = {
        name: fit_predictor(layout, labels, name, encodings)
        for name in names
        if name not in exact and labels is not None
    }
    return Properties(layout, exact, learned)
