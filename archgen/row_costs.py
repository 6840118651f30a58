"""Costs of a layout's rows from costs of graphs: table sums where a cost adds up over the layout's parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.additive_law import part_configurations
from archgen.properties import Condition
from graphs.archgraph import ArchGraph
from graphs.layout import Layout

Configurations = list[tuple[tuple[int, ...], Int[Tensor, "_ _"]]]
Cost = Callable[[ArchGraph], float]
MOST_CONFIGURATIONS = 100_000
"""Configurations of all parts up to which it is worth asking whether a cost adds up."""
TRIED = 1_000
"""Random rows on which it must add up."""
UNITS = (1.0, 1e3, 1e6, 1e9)
"""A cost may be a whole number of things in one of these."""


@dataclass(frozen=True, eq=False)
class AdditiveCost:
    """A cost that is a fixed part plus what each of the layout's parts adds.

    Args:
        layout: of the rows.
        cost: of a graph.
        unit: what one of the cost is in the numbers below; those are whole if `exact`.
        exact: whether their sums are the cost to the last bit; else the graphs are asked.
        fixed: of every row.
        parts: slots and configurations of each part.
        tables: what each configuration adds.
    """

    layout: Layout
    cost: Cost
    unit: float
    exact: bool
    fixed: float
    parts: Configurations
    tables: list[Float[Tensor, " _"]]

    def __call__(self, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        """The cost of complete valid rows."""
        return self.sums(rows) / self.unit if self.exact else _ask(self.layout, self.cost, rows)

    def sums(self, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        """The cost times the unit, by the tables."""
        total = torch.full((len(rows),), self.fixed, dtype=torch.float64)
        for (slots, configurations), table in zip(self.parts, self.tables, strict=True):
            radix = _radix([self.layout.sizes[slot] for slot in slots])
            keys = configurations @ radix  # ascending, as configurations are listed in lexicographic order
            total += table[torch.searchsorted(keys, (rows[:, list(slots)] @ radix).contiguous())]
        return total

    def bound(self, condition: Condition) -> float:
        """The bound in the numbers of the tables: the last whole number that keeps it, if `exact`."""
        scaled = condition.value * self.unit
        if not self.exact or abs(scaled) > 2**52:
            return scaled
        whole, step = round(scaled), 1 if condition.operator == "<=" else -1
        while not condition.holds(whole / self.unit):
            whole -= step
        while condition.holds((whole + step) / self.unit):
            whole += step
        return float(whole)


@dataclass(frozen=True, eq=False)
class GraphCost:
    """A cost that is asked of each distinct graph, once."""

    layout: Layout
    cost: Cost

    def __call__(self, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        """The cost of complete valid rows."""
        return _ask(self.layout, self.cost, rows)


RowCost = AdditiveCost | GraphCost


def row_cost(layout: Layout, cost: Cost) -> RowCost:
    """`cost` on rows: additive if it adds up over the layout's parts on random rows, else asked of the graphs."""
    if layout.edge_slots:
        return GraphCost(layout, cost)
    parts = part_configurations(layout)
    if sum(len(configurations) for _, configurations in parts) > MOST_CONFIGURATIONS or len(parts) == 1:
        return GraphCost(layout, cost)
    rng = np.random.default_rng(0)
    rows = layout.read([layout.space.sample(rng) for _ in range(TRIED)])
    wanted, tables = _ask(layout, cost, rows), []
    for slots, configurations in parts:
        changed = rows[:1].repeat(len(configurations), 1)
        changed[:, list(slots)] = configurations
        tables.append(_ask(layout, cost, changed))
    unit = _unit(torch.cat([wanted, *tables]))
    scale, first = unit or 1.0, _scaled(wanted[:1], unit)
    added = [_scaled(table, unit) - first for table in tables]
    found = AdditiveCost(layout, cost, scale, unit is not None, float(first), parts, added)
    same = found.sums(rows) / scale
    if torch.equal(same, wanted) if found.exact else torch.allclose(same, wanted, rtol=1e-9, atol=1e-12):
        return found
    return GraphCost(layout, cost)


def _ask(layout: Layout, cost: Cost, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
    graphs = layout.write(rows)
    known = {graph: cost(graph) for graph in dict.fromkeys(graphs)}
    return torch.tensor([known[graph] for graph in graphs], dtype=torch.float64)


def _unit(costs: Float[Tensor, " m"]) -> float | None:
    """The first unit of which all are whole numbers, to the last bit."""
    for unit in UNITS:
        whole = (costs * unit).round()
        if bool((whole.abs() < 2**40).all()) and torch.equal(whole / unit, costs):
            return unit
    return None


def _scaled(costs: Float[Tensor, " m"], unit: float | None) -> Float[Tensor, " m"]:
    return costs if unit is None else (costs * unit).round()


def _radix(sizes: list[int]) -> Int[Tensor, " p"]:
    return torch.tensor([*sizes[1:], 1]).flip(0).cumprod(0).flip(0)
