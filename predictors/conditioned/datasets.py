"""Data sets as predictors see them: sets of class numbers, sets of items in classes, or vectors of statistics."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption


@runtime_checkable
class DataSets(Protocol):
    """A number of data sets, described in the same way."""

    def __len__(self) -> int: ...

    def vectors(self) -> Float[Tensor, "t p"]:
        """What a kernel compares; equal for equal data sets."""

    def tensors(self) -> tuple[Tensor, ...]:
        """What an encoder reads; the first dimension of each counts the data sets."""


@final
@dataclass(frozen=True, eq=False)
class ClassSets:
    """Data sets of which only the classes are known, by number.

    Args:
        members: the numbers, from 1 on; 0 fills up shorter sets.
        known: how many class numbers there are in all; larger ones are all one, the unknown class.
    """

    members: Int[Tensor, "t c"]
    known: int

    @staticmethod
    def of(sets: Sequence[Collection[int]], known: int) -> ClassSets:
        """From any collections of numbers; order and repetition do not matter.

        Raises:
            InvalidOption: an empty set, or a number below 1.
        """
        distinct = [sorted(set(one)) for one in sets]
        for place, one in enumerate(distinct):
            if not one or one[0] < 1:
                raise InvalidOption(f"data set {place} has the classes {one}; expected at least one, numbered from 1")
        members = torch.zeros(len(sets), max(map(len, distinct), default=0), dtype=torch.int64)
        for row, one in zip(members, distinct, strict=True):
            row[: len(one)] = torch.tensor(one)
        return ClassSets(members, known)

    def __len__(self) -> int:
        return len(self.members)

    def vectors(self) -> Float[Tensor, "t p"]:
        """1 for each class that is there, and in a last column how many are unknown; of unit length."""
        number = self.members.clamp(max=self.known + 1)
        counts = torch.zeros(len(number), self.known + 2, dtype=torch.float64)
        counts = counts.scatter_add_(1, number, torch.ones_like(number, dtype=torch.float64))[:, 1:]
        return counts / counts.square().sum(1, keepdim=True).sqrt()

    def tensors(self) -> tuple[Tensor, ...]:
        return (self.members,)


@final
@dataclass(frozen=True, eq=False)
class ItemSets:
    """Data sets as items with features, in classes.

    Args:
        items: zeros fill up smaller classes and data sets of fewer classes.
        there: which items are real.
    """

    items: Float[Tensor, "t c i f"]
    there: Bool[Tensor, "t c i"]

    @staticmethod
    def of(sets: Sequence[Sequence[Tensor]]) -> ItemSets:
        """From the items of each class of each data set, a row of features an item.

        Raises:
            InvalidOption: a data set without classes, a class without items, or features of different numbers.
        """
        classes = [one for data_set in sets for one in data_set]
        if not all(map(len, sets)) or not classes or not all(map(len, classes)):
            raise InvalidOption("a data set without classes, or a class without items; expected at least one of each")
        widths = sorted({tuple(one.shape[1:]) for one in classes})
        if len(widths) != 1 or len(widths[0]) != 1:
            raise InvalidOption(f"items of shapes {widths}; expected rows of equally many features")
        items = torch.zeros(len(sets), max(map(len, sets)), max(map(len, classes)), widths[0][0])
        there = torch.zeros(items.shape[:3], dtype=torch.bool)
        for place, data_set in enumerate(sets):
            for number, one in enumerate(data_set):
                items[place, number, : len(one)] = one
                there[place, number, : len(one)] = True
        return ItemSets(items, there)

    def __len__(self) -> int:
        return len(self.items)

    def vectors(self) -> Float[Tensor, "t p"]:
        """Mean and deviation over classes of the mean item of each."""
        weight = self.there.double()[..., None]
        means = (weight * self.items).sum(2) / weight.sum(2).clamp(min=1)
        real = self.there.any(2)[..., None].double()
        centre = (real * means).sum(1) / real.sum(1)
        spread = (real * (means - centre[:, None]).square()).sum(1) / real.sum(1)
        return torch.cat([centre, spread.sqrt()], 1)

    def tensors(self) -> tuple[Tensor, ...]:
        return self.items, self.there


@final
@dataclass(frozen=True, eq=False)
class StatisticVectors:
    """Data sets as numbers that were computed from them, on comparable scales."""

    values: Float[Tensor, "t p"]

    def __len__(self) -> int:
        return len(self.values)

    def vectors(self) -> Float[Tensor, "t p"]:
        return self.values.double()

    def tensors(self) -> tuple[Tensor, ...]:
        return (self.values.float(),)


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Architectures, each on one of some data sets.

    Args:
        graphs: n architectures.
        place: of each one's data set among `datasets`.
        datasets: at least one.

    Raises:
        InvalidOption: not one place for each graph, or a place where no data set is.
    """

    graphs: tuple[ArchGraph, ...]
    place: Int[Tensor, " n"]
    datasets: DataSets

    def __post_init__(self) -> None:
        count, places = len(self.datasets), self.place
        if len(places) != len(self.graphs) or bool(((places < 0) | (places >= count)).any()):
            raise InvalidOption(
                f"places of {len(places)} data sets for {len(self.graphs)} graphs; expected one each, below {count}"
            )

    def __len__(self) -> int:
        return len(self.graphs)

    def take(self, rows: Int[Tensor, " m"]) -> Pairs:
        """The pairs with these numbers, in this order."""
        return Pairs(tuple(self.graphs[row] for row in rows.tolist()), self.place[rows], self.datasets)


def check_targets(pairs: Pairs, labels: Float[Tensor, " n"]) -> None:
    """Raise `InvalidOption` unless there are at least 2 labels, one finite one for each pair."""
    if len(labels) != len(pairs) or len(labels) < 2 or not bool(labels.isfinite().all()):
        raise InvalidOption(
            f"cannot fit {len(labels)} labels of {len(pairs)} pairs; expected at least 2, one each, all finite"
        )
