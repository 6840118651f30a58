"""Terms: properties that add up over a layout's parts on some scale, costs on their own and predictors on a latent one.

A property that is predicted keeps a bound by its mean, and the mean of a property that saturates lies below what its
mean latent value stands for, the further the less certain the value is. So every row that keeps a bound from below does
so on the latent scale too; a bound from above is loosened there by what the least certain rows need.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.additive_law import AdditiveLaw, Part
from archgen.row_costs import AdditiveCost, Configurations
from archgen.wishes import Properties
from graphs.condition import Condition
from predictors.additive import AdditivePredictor
from predictors.slot_predictor import Warp

LOOKED_AT = 2_000
"""Random rows that tell how uncertain a predictor is at most, and twice that is believed."""


@dataclass(frozen=True, eq=False)
class Term:
    """A property that adds up.

    Args:
        fixed: what every row has.
        tables: what each configuration of each part adds.
        slope: what one step of this scale is in the property's unit, in the middle.
        value: of complete rows, on this scale.
        cost: the property itself, if it is known exactly.
        warp: the scale of the property, if it is predicted.
        spread: the largest variance of the predictor on its scale.
    """

    fixed: float
    tables: list[Float[Tensor, " _"]]
    slope: float
    value: Callable[[Int[Tensor, "b s"]], Float[Tensor, " b"]]
    cost: AdditiveCost | None = None
    warp: Warp | None = None
    spread: float = 0.0

    def bound(self, condition: Condition) -> float:
        """The bound on this scale; no row beyond it keeps the condition."""
        if self.cost is not None:
            return self.cost.bound(condition)
        assert self.warp is not None
        bound = float(self.warp(torch.tensor(condition.value, dtype=torch.float64)))
        loose = condition.operator == "<=" and not math.isinf(self.warp.gap)
        return bound + self.spread * self.warp.std / 2 if loose else bound


@dataclass(frozen=True, eq=False)
class Bound:
    """A condition on a property that adds up."""

    condition: Condition
    term: Term

    @property
    def sign(self) -> float:
        """1 for a bound from below, -1 for one from above."""
        return 1.0 if self.condition.operator == ">=" else -1.0

    @cached_property
    def limit(self) -> float:
        """The bound on the term's scale."""
        return self.term.bound(self.condition)

    def room(self, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        """By how much rows keep the bound on the term's scale; negative where they do not."""
        return self.sign * (self.term.value(rows) - self.limit)


def additive_term(name: str, parts: Configurations, properties: Properties, thompson: int | None = None) -> Term | None:
    """The term of a property, or None where it is not known to add up.

    Args:
        thompson: the seed of a draw of the posterior, which takes the place of the mean of a predicted property.
    """
    if name in properties.costs:
        cost = properties.costs[name]
        return Term(cost.fixed, cost.tables, 1 / cost.unit, cost.sums, cost) if isinstance(cost, AdditiveCost) else None
    predictor = properties.predictors[name]
    if not isinstance(predictor, AdditivePredictor):
        return None
    function = predictor.mean if thompson is None else predictor.draw_effects(thompson)
    tables = [function.part_score(slots, configurations) for slots, configurations in parts]
    warp = predictor.warp
    slope = warp.std if math.isinf(warp.gap) else warp.std * math.exp(-warp.mean)
    uniform = additive_law(parts, [torch.zeros(len(one), dtype=torch.float64) for _, one in parts], None)
    rows = uniform.draw(LOOKED_AT, torch.Generator().manual_seed(0))
    spread = 2 * float(predictor.latent(rows)[1].max())
    return Term(function.intercept, tables, slope, function, warp=warp, spread=spread)


def additive_law(parts: Configurations, scores: Sequence[Float[Tensor, " _"]], bound: Bound | None) -> AdditiveLaw:
    """p(x) exp(score) under a bound, for a strength of 1."""
    costs = [torch.zeros_like(score) for score in scores] if bound is None else bound.term.tables
    built = tuple(Part(slots, rows, f, c) for (slots, rows), f, c in zip(parts, scores, costs, strict=True))
    if bound is None:
        return AdditiveLaw(built)
    cap, floor = (bound.limit, None) if bound.sign < 0 else (None, bound.limit)
    return AdditiveLaw(built, 1.0, cap, floor, bound.term.fixed)
