"""Generated: one architecture with what is known of it; and the Teller, which makes them of a layout's rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from archgen.wishes import Properties
from graphs.archgraph import ArchGraph
from graphs.graph_json import graph_to_dict
from graphs.layout import Layout

SMALL = 6.0
"""Decimal logarithm of the size of a space up to which architectures are remembered."""
MOST = 1 << 16
"""Architectures that are remembered at most; then all are forgotten."""


@dataclass(frozen=True)
class Generated:
    """One architecture.

    Args:
        space: the name of its space.
        graph: the architecture.
        arch: the space's own string.
        identity: the canonical id of its network.
        properties: by name mean and standard deviation, 0 for what is known exactly.
    """

    space: str
    graph: ArchGraph
    arch: str
    identity: str
    properties: Mapping[str, tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `arch`, `id`, each property's `mean` and `deviation`, and `graph`."""
        found = {name: {"mean": mean, "deviation": deviation} for name, (mean, deviation) in self.properties.items()}
        return {"arch": self.arch, "id": self.identity, **found, "graph": graph_to_dict(self.graph, self.space)}

    @cached_property
    def line(self) -> str:
        """One line of `archgen generate`, with its end."""
        return _encode(self.as_dict()) + "\n"


_encode = json.JSONEncoder(separators=(",", ":")).encode


class Teller:
    """Callable from rows to architectures; in a small space what was told once is told from memory."""

    def __init__(self, layout: Layout, properties: Properties, names: Sequence[str]) -> None:
        self._layout, self._properties, self._names = layout, properties, tuple(names)
        small = layout.space.log10_size <= SMALL and math.prod(layout.sizes) < 2**63
        self._known: dict[int, Generated] | None = {} if small else None
        self._radix = torch.cat([layout.hidden[1:], layout.hidden.new_ones(1)]).flip(0).cumprod(0).flip(0)

    def __call__(self, rows: Int[Tensor, "b s"]) -> list[Generated]:
        """One for each row, in order."""
        known = self._known
        if known is None:
            return self._tell(rows)
        keys = (rows @ self._radix).tolist()
        if len(known) + len(keys) > MOST:
            known.clear()
        new = {key: place for place, key in enumerate(keys) if key not in known}
        if new:
            known.update(zip(new, self._tell(rows[list(new.values())]), strict=True))
        return [known[key] for key in keys]

    def _identify(self, graph: ArchGraph) -> str:
        """`SearchSpace.canonical`, but a large space's memory of graphs is not filled with what never comes again."""
        space = self._layout.space
        return space.canonical(graph) if self._known is not None else space._compute_digest(space.simplify(graph))

    def _tell(self, rows: Int[Tensor, "b s"]) -> list[Generated]:
        space, graphs = self._layout.space, self._layout.write(rows)
        told = [self._properties.evaluate(name, rows) for name in self._names]
        columns = [list(zip(mean.tolist(), deviation.tolist(), strict=True)) for mean, deviation in told]
        values = zip(*columns, strict=True) if columns else (() for _ in graphs)
        return [
            Generated(
                space.name, graph, space.format(graph), self._identify(graph), dict(zip(self._names, row, strict=True))
            )
            for graph, row in zip(graphs, values, strict=True)
        ]
