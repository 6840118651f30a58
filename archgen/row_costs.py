"""Costs of a layout's rows from costs of graphs: table sums where a cost adds up over the layout's parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.additive_law import part_configurations
from graphs.archgraph import ArchGraph
from graphs.layout import Layout

Configurations = list[tuple[tuple[int, ...], Int[Tensor, "c p"]]]
MOST_CONFIGURATIONS = 100_000
"""Configurations of all parts up to which it is worth asking whether a cost adds up."""
TRIED = 200
"""Random rows on which it must add up to the last digits."""


@dataclass(frozen=True, eq=False)
class AdditiveCost:
    """A cost that is a fixed part plus what each of the layout's parts adds.

    Args:
        layout: of the rows.
        fixed: of every row.
        parts: slots and configurations of each part.
        tables: what each configuration adds.
    """

    layout: Layout
    fixed: float
    parts: Configurations
    tables: list[Float[Tensor, " c"]]

    def __call__(self, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        """The cost of complete valid rows."""
        total = torch.full((len(rows),), self.fixed, dtype=torch.float64)
        for (slots, configurations), table in zip(self.parts, self.tables, strict=True):
            radix = _radix([self.layout.sizes[slot] for slot in slots])
            keys = configurations @ radix  # ascending, as configurations are listed in lexicographic order
            total += table[torch.searchsorted(keys, (rows[:, list(slots)] @ radix).contiguous())]
        return total


@dataclass(frozen=True, eq=False)
class GraphCost:
    """A cost that is asked of each distinct graph, once."""

    layout: Layout
    cost: Callable[[ArchGraph], float]

    def __call__(self, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        """The cost of complete valid rows."""
        known: dict[ArchGraph, float] = {}
        graphs = self.layout.write(rows)
        found = [known[graph] if graph in known else known.setdefault(graph, self.cost(graph)) for graph in graphs]
        return torch.tensor(found, dtype=torch.float64)


RowCost = AdditiveCost | GraphCost


def row_cost(layout: Layout, cost: Callable[[ArchGraph], float]) -> RowCost:
    """`cost` on rows: additive if it adds up over the layout's parts on random rows, else asked of the graphs."""
    if layout.edge_slots:
        return GraphCost(layout, cost)
    parts = part_configurations(layout)
    if sum(len(configurations) for _, configurations in parts) > MOST_CONFIGURATIONS or len(parts) == 1:
        return GraphCost(layout, cost)
    rng = np.random.default_rng(0)
    graphs = [layout.space.sample(rng) for _ in range(TRIED)]
    rows, wanted = layout.read(graphs), torch.tensor([cost(graph) for graph in graphs], dtype=torch.float64)
    tables = []
    for slots, configurations in parts:
        changed = rows[:1].repeat(len(configurations), 1)
        changed[:, list(slots)] = configurations
        tables.append(torch.tensor([cost(graph) for graph in layout.write(changed)]).double() - wanted[0])
    found = AdditiveCost(layout, float(wanted[0]), parts, tables)
    if torch.allclose(found(rows), wanted, rtol=1e-9, atol=1e-12):
        return found
    return GraphCost(layout, cost)


def _radix(sizes: list[int]) -> Int[Tensor, " p"]:
    return torch.tensor([*sizes[1:], 1]).flip(0).cumprod(0).flip(0)
