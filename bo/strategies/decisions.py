"""Decisions: what a controller decides of an architecture, one after another, and in which classes.

A decision is a slot of a layout. Where the layout wants to be told something before the first slot, such as the number
of nodes, that is the first decision. A class is what Auto-GNN calls an action class: all decisions of one kind, such as
all hidden sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.layout import Layout

Choose = Callable[[int, Bool[Tensor, "b k"]], Int[Tensor, " b"]]
"""Takes a decision and the values that each row may give it; the values that are chosen."""
SAMPLED = 512
"""Random architectures among which the starts are found."""


class Decisions:
    """The decisions of a layout. A row holds the number of its start, then the layout's slots.

    Args:
        layout: the space's.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.starts = _starts(layout)
        """What is given before the first slot; the number of rows stands for any other start."""
        self.sizes = (len(self.starts) + 1, *layout.sizes)
        free = [slot for slot in range(len(layout)) if slot not in layout.restricted]
        first = [0] if len(self.starts) > 1 else []
        self.order = (*first, *(slot + 1 for slot in (*free, *layout.restricted)))
        """In which order decisions are made."""
        classes: dict[str, list[int]] = {}
        for decision in self.order:
            classes.setdefault(_class(layout, decision), []).append(decision)
        self.names = tuple(classes)
        self.classes = tuple(map(tuple, classes.values()))
        self.class_of = {decision: kind for kind, some in enumerate(self.classes) for decision in some}
        self._limited = {0, *(slot + 1 for slot in layout.restricted)}

    def read(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
        """The rows of graphs; raises `InvalidArchitecture` where one is not of the space."""
        values = self.layout.read(graphs)
        same = (self.layout.start(values)[:, None] == self.starts).all(2)
        number = torch.where(same.any(1), same.long().argmax(1), len(self.starts))
        return torch.cat([number[:, None], values], 1)

    def write(self, rows: Int[Tensor, "b s"]) -> list[ArchGraph]:
        """The inverse of `read`."""
        return self.layout.write(rows[:, 1:])

    def fill(self, count: int, choose: Choose, like: Int[Tensor, "b s"] | None = None) -> Int[Tensor, "b s"]:
        """Rows whose decisions are made by `choose`, in order, among what the layout allows.

        Args:
            count: how many rows.
            choose: makes a decision of all rows at once.
            like: rows whose starts hold where no other one is chosen.
        """
        rows = torch.cat([torch.zeros(count, 1, dtype=torch.int64), self.layout.hidden.expand(count, -1)], 1)
        if like is None:
            rows[:, 1:] = self.starts[0]
        else:
            rows[:, 0], rows[:, 1:] = like[:, 0], self.layout.start(like[:, 1:])
        for decision in self.order:
            rows[:, decision] = choose(decision, self._allowed(rows, decision, like))
            if decision == 0:
                unlike = rows[:, 0] < len(self.starts)
                rows[unlike, 1:] = self.starts[rows[unlike, 0]]
        return rows

    def _allowed(self, rows: Int[Tensor, "b s"], decision: int, like: Int[Tensor, "b s"] | None) -> Bool[Tensor, "b k"]:
        """What a decision may be; a single value where the start tells it."""
        if decision == 0:
            allowed = torch.ones(len(rows), self.sizes[0], dtype=torch.bool)
            allowed[:, -1] = False if like is None else like[:, 0] == len(self.starts)
            return allowed
        known = rows[:, decision] < self.sizes[decision]
        given = torch.arange(self.sizes[decision]) == rows[:, decision, None]
        if known.all():
            return given
        if decision in self._limited:
            allowed = self.layout.allowed(rows[:, 1:], decision - 1)
        else:
            allowed = torch.ones(len(rows), self.sizes[decision], dtype=torch.bool)
        return torch.where(known[:, None], given, allowed)


def _starts(layout: Layout) -> Int[Tensor, "b s"]:
    """The different starts among random architectures, which are the same ones in every process."""
    if type(layout).start is Layout.start:
        return layout.hidden[None]
    rng = np.random.default_rng(0)
    values = layout.read([layout.space.sample(rng) for _ in range(SAMPLED)])
    starts: Int[Tensor, "b s"] = layout.start(values).unique(dim=0)  # type: ignore[no-untyped-call]
    return starts


def _class(layout: Layout, decision: int) -> str:
    slot = decision - 1
    if slot < 0:
        return "start"
    if layout.wired and slot == 0:
        return "wiring"
    if slot >= len(layout) - len(layout.edge_slots):
        return "edges"
    _, number = layout.node_slots[slot - int(layout.wired)]
    field = layout.space.fields[number] if number < len(layout.space.fields) else None
    fits = field is not None and layout.sizes[slot] <= len(field.choices) + 1  # not where nodes are more than a layer
    return field.name if field is not None and fits else f"field {number}"
