"""What is known about slots before any label: which values are alike, which slots act alike, what each value costs.

A linear function of a row adds one effect for each slot's value and one for each pair of slots inside a group. A term
states how such effects may come about with few numbers, for instance one coefficient of a cost for all slots; the
effects' prior covariance is the sum over terms of scale^2 B B^T.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.errors import InvalidOption

Tables = Sequence[Float[Tensor, "_ _"]]
"""For each slot, d numbers for each of its values."""


@dataclass(frozen=True, eq=False)
class SlotFeatures:
    """The slots of a layout and what is known about them; see `slot_features`.

    Args:
        sizes: how many values each slot has; K in all.
        groups: slots whose pairs have effects of their own.
        shared: levels, each a list of sets of slots whose values mean the same.
        costs: additive costs, e.g. the MACs of each value; d of them.
        attributes: numbers that describe a value, e.g. its kernel size; d of them.
    """

    sizes: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    shared: tuple[tuple[tuple[int, ...], ...], ...]
    costs: Float[Tensor, "total c"]
    attributes: Float[Tensor, "total a"]

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """The number of the first effect of each slot."""
        return tuple(itertools.accumulate(self.sizes, initial=0))[:-1]

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs of slots that have effects of their own."""
        inside = (pair for group in self.groups for pair in itertools.combinations(group, 2))
        return tuple((i, j) for i, j in inside if self.sizes[i] * self.sizes[j] > 1)

    @cached_property
    def pair_offsets(self) -> tuple[int, ...]:
        """The number of the first effect of each pair; the last entry is the number of all effects."""
        sizes = (self.sizes[i] * self.sizes[j] for i, j in self.pairs)
        return tuple(itertools.accumulate(sizes, initial=sum(self.sizes)))

    @cached_property
    def pair_variance(self) -> float:
        """Of a row of independent uniform values whose pairs have effects of variance 1."""
        return math.fsum(1 - 1 / (self.sizes[i] * self.sizes[j]) for i, j in self.pairs)

    def singles(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "b s"]:
        """The numbers of the effects of the slots' values."""
        return values + torch.tensor(self.offsets)

    def active(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "b e"]:
        """The numbers of all effects that a row has: of each slot's value, then of each pair."""
        if not self.pairs:
            return self.singles(values)
        first, second = torch.tensor(self.pairs).T
        numbers = values[:, first] * torch.tensor(self.sizes)[second] + values[:, second]
        return torch.cat([self.singles(values), numbers + torch.tensor(self.pair_offsets[:-1])], 1)

    @cached_property
    def terms(self) -> Mapping[str, Float[Tensor, "total d"]]:
        """B of each term, by name; a row of independent uniform values has the same variance under each."""
        slots = [(slot,) for slot in range(len(self.sizes))]
        found = {"slots": torch.eye(sum(self.sizes), dtype=torch.float64)}
        levels = {"": slots} | {f" shared {level}": list(sets) for level, sets in enumerate(self.shared)}
        for level, sets in levels.items():
            if level:
                found[f"slots{level}"] = torch.cat([self._values(members) for members in sets], 1)
            for number, column in enumerate(self.attributes.T):
                found[f"attribute {number}{level}"] = torch.stack([column * self._of(members) for members in sets], 1)
        found |= {f"cost {number}": column[:, None] for number, column in enumerate(self.costs.T)}
        scales = {name: self._deviation(basis) for name, basis in found.items()}
        return {name: basis / scales[name] for name, basis in found.items() if scales[name] > 0}

    @cached_property
    def kinds(self) -> Int[Tensor, " total"]:
        """A number for each value of each slot, equal where values mean the same at the last shared level, else 0."""
        kinds, free = torch.zeros(sum(self.sizes), dtype=torch.int64), 1
        for members in self.shared[-1] if self.shared else ():
            for slot in members:
                first, size = self.offsets[slot], self.sizes[slot]
                kinds[first : first + size] = free + torch.arange(size)
            free += max(self.sizes[slot] for slot in members)
        return kinds

    def _of(self, members: Sequence[int]) -> Float[Tensor, " total"]:
        """1 for the values of these slots, else 0."""
        marks = [torch.full((size,), float(slot in members)) for slot, size in enumerate(self.sizes)]
        return torch.cat(marks).double()

    def _values(self, members: Sequence[int]) -> Float[Tensor, "total k"]:
        """One column for each value that slots of a set may have."""
        columns = torch.cat([torch.eye(size, max(self.sizes[slot] for slot in members)) for size in self.sizes])
        return columns.double() * self._of(members)[:, None]

    def _deviation(self, basis: Float[Tensor, "total d"]) -> float:
        """Of a row of uniform values, over all columns."""
        parts = basis.split(list(self.sizes))  # type: ignore[no-untyped-call]
        return math.sqrt(sum(float(part.var(0, correction=0).sum()) for part in parts))


def slot_features(
    sizes: Sequence[int],
    *,
    groups: Sequence[Sequence[int]] = (),
    shared: Sequence[Sequence[Sequence[int]]] = (),
    costs: Tables = (),
    attributes: Tables = (),
) -> SlotFeatures:
    """The features of slots with `sizes` values; all else is optional and helps where it is true.

    Args:
        groups: disjoint sets of slots whose pairs interact, e.g. the layers of one stage.
        shared: levels, each a list of disjoint sets of slots in which value k means the same, e.g. [stages, [all]].
        costs: for each slot the additive costs of each value, all slots the same ones in the same order.
        attributes: for each slot numbers that describe each value, best centred, 0 where one does not apply.

    Raises:
        InvalidOption: no slots, a slot that does not exist or is twice in a list, or tables of another shape.
    """
    for kind, sets in (("groups", groups), *(("shared", level) for level in shared)):
        members = [slot for some in sets for slot in some]
        if len(set(members)) < len(members) or not set(members) <= set(range(len(sizes))):
            raise InvalidOption(f"{kind} must be disjoint sets of slots 0 to {len(sizes) - 1}, got {sets}")
    if not sizes or min(sizes) < 1 or max(sizes) < 2:
        raise InvalidOption(f"expected slots of at least one value, one of them of two, got sizes {tuple(sizes)}")
    return SlotFeatures(
        tuple(sizes),
        tuple(map(tuple, groups)),
        tuple(tuple(map(tuple, level)) for level in shared),
        _joined("costs", sizes, costs),
        _joined("attributes", sizes, attributes),
    )


def _joined(kind: str, sizes: Sequence[int], tables: Tables) -> Float[Tensor, "total d"]:
    """The tables of all slots one above the other."""
    if not tables:
        return torch.zeros(sum(sizes), 0, dtype=torch.float64)
    shapes = [tuple(table.shape) for table in tables]
    if len(tables) != len(sizes) or shapes != [(size, shapes[0][-1]) for size in sizes]:
        raise InvalidOption(
            f"{kind} must be one table a slot with a row a value and equal columns, sizes {tuple(sizes)}; got {shapes}"
        )
    joined = torch.cat([table.double() for table in tables])
    if not bool(joined.isfinite().all()):
        raise InvalidOption(f"{kind} must be finite; row {int((~joined.isfinite()).any(1).nonzero()[0])} is not")
    return joined
