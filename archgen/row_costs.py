"""Costs of a layout's rows from costs of graphs: table sums where a cost adds up over the layout's parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.additive_law import part_configurations
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.layout import Layout

Configurations = list[tuple[tuple[int, ...], Int[Tensor, "_ _"]]]
Cost = Callable[[ArchGraph], float]
MOST_CONFIGURATIONS = 100_000
"""Configurations of a part, the invalid ones included, up to which it is worth asking whether a cost adds up."""
TRIED = 1_000
"""Random rows on which it must add up."""
EACH = 4
"""Rows beside them in which each value of each slot comes."""
MOST_VALUES = 1_000
"""Values of all slots up to which it is asked whether a cost adds up over slots."""
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
    """`cost` on rows: additive if it adds up over the layout's parts on many rows, else asked of the graphs.

    Whether it adds up even over slots is tried first, as that takes far fewer graphs.
    """
    parts = small_parts(layout)
    if parts is None or len(parts) == 1:
        return GraphCost(layout, cost)
    rng = np.random.default_rng(0)
    rows = layout.read([layout.space.sample(rng) for _ in range(TRIED)])
    rows = torch.cat([rows, _with_each_value(parts, rows)])
    wanted = _ask(layout, cost, rows)
    if (found := _over_slots(layout, cost, parts, rows, wanted)) is not None:
        return found
    changed = [rows[:1].repeat(len(configurations), 1) for _, configurations in parts]
    for one, (slots, configurations) in zip(changed, parts, strict=True):
        one[:, list(slots)] = configurations
    asked = [_ask(layout, cost, one) for one in changed]
    return _summed(layout, cost, parts, asked, torch.cat([wanted, *asked]), rows) or GraphCost(layout, cost)


def small_parts(layout: Layout) -> Configurations | None:
    """The configurations of all parts; None where edges are slots or a part has too many."""
    products = [math.prod(layout.sizes[slot] for slot in slots) for slots in layout.parts]
    return None if layout.edge_slots or max(products) > MOST_CONFIGURATIONS else part_configurations(layout)


def _with_each_value(parts: Configurations, rows: Int[Tensor, "b s"]) -> Int[Tensor, "m s"]:
    """Some of the rows with parts changed such that each value of each slot comes several times."""
    found = list[Tensor]()
    for slots, configurations in parts:
        for place in range(len(slots)):
            for value in sorted(set(configurations[:, place].tolist())):
                have = (configurations[:, place] == value).nonzero()[:, 0]
                number = have[torch.linspace(0, len(have) - 1, EACH).long()]
                row = rows[len(found) % len(rows)].repeat(EACH, 1)
                row[:, list(slots)] = configurations[number]
                found.append(row)
    return torch.cat(found)


def _over_slots(
    layout: Layout, cost: Cost, parts: Configurations, rows: Int[Tensor, "b s"], wanted: Float[Tensor, " b"]
) -> AdditiveCost | None:
    """The cost if it adds up over slots, by least squares; whole numbers make it exact."""
    total = sum(layout.sizes)
    if total > MOST_VALUES:
        return None
    first = torch.tensor([0, *layout.sizes[:-1]]).cumsum(0)
    design = torch.zeros(len(rows), total, dtype=torch.float64).scatter_(1, rows + first, 1.0)
    effects = torch.linalg.lstsq(design, wanted[:, None], driver="gelsd").solution[:, 0]
    tables = [effects[configurations + first[list(slots)]].sum(1) for slots, configurations in parts]
    return _summed(layout, cost, parts, tables, wanted, rows)


def _summed(
    layout: Layout,
    cost: Cost,
    parts: Configurations,
    tables: list[Float[Tensor, " _"]],
    asked: Float[Tensor, " m"],
    rows: Int[Tensor, "b s"],
) -> AdditiveCost | None:
    """The sum of tables, each up to a constant, if it is what was asked of the rows.

    Args:
        asked: costs of graphs, those of `rows` first.
    """
    unit = _unit(asked)
    scale, added = unit or 1.0, []
    for (slots, configurations), table in zip(parts, tables, strict=True):
        here = table[(configurations == rows[0, list(slots)]).all(1).nonzero()[0, 0]]
        added.append((table - here) * scale)
    fixed = float(asked[0]) * scale
    if unit is not None:
        fixed, added = round(fixed), [table.round() for table in added]
    found = AdditiveCost(layout, cost, scale, unit is not None, float(fixed), parts, added)
    same, wanted = found.sums(rows) / scale, asked[: len(rows)]
    good = torch.equal(same, wanted) if found.exact else torch.allclose(same, wanted, rtol=1e-9, atol=1e-12)
    return found if good else None


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


def _radix(sizes: list[int]) -> Int[Tensor, " p"]:
    return torch.tensor([*sizes[1:], 1]).flip(0).cumprod(0).flip(0)
