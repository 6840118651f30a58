"""The slots of nodes with attributes, and which operations agree with what is known of an inner place.

A place's operation decides which attributes it has, so the slots of a place limit each other by way of it: what is
known of each leaves some operations, and a value may be taken if one of those that all others leave may have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from graphs.archgraph import AttrValue

if TYPE_CHECKING:
    from graphs.spaces.attributed_dag import AttributedDag

OPERATION = "op"
"""The name of the field that holds operations."""


@dataclass(frozen=True)
class Slot:
    """A field of a node that has any choice.

    Args:
        node: 0 for the input, 1 and up for inner places, the last for the output.
        field: the field's number in the space.
        name: the field's name.
        options: what each value of the slot stands for; None for no node or no such attribute.
    """

    node: int
    field: int
    name: str
    options: tuple[AttrValue | None, ...]

    @cached_property
    def number(self) -> dict[AttrValue | None, int]:
        """The value of each option."""
        return {option: value for value, option in enumerate(self.options)}


def node_slots(space: AttributedDag) -> list[Slot]:
    """The slots of the input, of each inner place, and of the output; those of one value left out."""
    last, found = space.max_nodes - 1, list[Slot]()
    for node in range(space.max_nodes):
        names = {0: ["input"], last: ["output"]}.get(node, list(space.inner))
        may_lack = space.fewest < node < last
        for number, field in enumerate(space.fields):
            options: list[AttrValue | None]
            if field.name == OPERATION:
                options = [*names, None] if may_lack else [*names]
            else:
                having = [space.choices[name][field.name] for name in names if field.name in space.choices[name]]
                known = {value for values in having for value in values}
                options = [value for value in field.choices if value is not None and value in known]
                options += [None] if options and (may_lack or len(having) < len(names)) else []
            if len(options) > 1:
                found.append(Slot(node, number, field.name, tuple(options)))
    return found


def agreement(space: AttributedDag, slots: Sequence[Slot]) -> Bool[Tensor, "s v o"]:
    """Whether an operation agrees with a value of a slot, by slot, value and operation, the last being no node.

    Values that a slot does not have agree with none.
    """
    names = [*space.inner, None]
    table = torch.zeros(len(slots), max((len(slot.options) for slot in slots), default=0), len(names))
    for row, slot in zip(table, slots, strict=True):
        for place, name in enumerate(names):
            choices = {} if name is None else space.choices[name]
            has = (name,) if slot.name == OPERATION else choices.get(slot.name, (None,))
            for value, option in enumerate(slot.options):
                row[value, place] = float(option in has)
    return table.bool()


def positions(space: AttributedDag, slots: Sequence[Slot]) -> tuple[Float[Tensor, "v d"], ...]:
    """For each slot the positions of its values among a numeric attribute's choices, from -1 to 1, 0 for none.

    A column for each attribute of the input, of inner places and of the output. Choices are spaced as whoever chose
    them thought that they matter, often by factors, so positions say more than the numbers themselves.
    """
    last = space.max_nodes - 1

    def key(slot: Slot) -> tuple[bool, bool, str]:
        return slot.node == 0, slot.node == last, slot.name

    numeric = [slot for slot in slots if all(isinstance(one, int | float) for one in slot.options if one is not None)]
    columns = {name: column for column, name in enumerate(dict.fromkeys(map(key, numeric)))}
    found = []
    for slot in slots:
        table = torch.zeros(len(slot.options), len(columns), dtype=torch.float64)
        known = sum(option is not None for option in slot.options)
        if key(slot) in columns and known > 1:
            table[:known, columns[key(slot)]] = torch.linspace(-1, 1, known, dtype=torch.float64)
        found.append(table)
    return tuple(found)
