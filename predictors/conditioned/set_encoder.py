"""Set encoders: networks from data sets to vectors that do not depend on the order of classes and items.

Deep sets (Zaheer et al. 2017, eq. 4) with a mean and an attention pool side by side; of items in classes twice, as in
MetaD2A (Lee et al. 2021, section 3.2): items to the prototype of their class, prototypes to the data set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from graphs.errors import InvalidOption
from predictors.conditioned.datasets import ClassSets, DataSets, ItemSets, StatisticVectors

Encoder = Callable[[tuple[Tensor, ...]], Float[Tensor, "t h"]]
"""From the tensors of data sets to a vector each."""
EMBEDDING = 0.1
"""Deviation of class embeddings at the start: classes that are seldom seen stay near one that is not."""


@final
class Pool(nn.Module):
    """Mean and attention-weighted mean of the members of sets, side by side.

    Args:
        width: of members.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, members: Float[Tensor, "*s m w"], there: Bool[Tensor, "*s m"]) -> Float[Tensor, "*s v"]:
        """Of members that are there; zeros for sets of none."""
        share = there.to(members.dtype)
        mean = (share[..., None] * members).sum(-2) / share.sum(-1, keepdim=True).clamp(min=1)
        score = self.score(members)[..., 0].masked_fill(~there, -1e9)
        weight = score.softmax(-1) * share
        return torch.cat([mean, (weight[..., None] * members).sum(-2)], -1)


@final
class ClassSetEncoder(nn.Module):
    """One learned vector a class, pooled. A class that was not in training is the zero vector.

    Args:
        seen: the classes of the data sets in training.
        width: of the result, and of the embeddings.
    """

    def __init__(self, seen: ClassSets, width: int) -> None:
        super().__init__()
        numbers = sorted(set(seen.members.flatten().tolist()) & set(range(1, seen.known + 1)))
        number = torch.zeros(seen.known + 2, dtype=torch.int64)
        number[numbers] = torch.arange(1, len(numbers) + 1)
        self.register_buffer("number", number)
        self.embedding = nn.Embedding(len(numbers) + 1, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING)
        with torch.no_grad():
            self.embedding.weight[0] = 0.0
        self.pool = Pool(width)
        self.last = nn.Linear(2 * width, width)

    def forward(self, tensors: tuple[Tensor, ...]) -> Float[Tensor, "t h"]:
        members: Int[Tensor, "t c"] = tensors[0]
        number = self.get_buffer("number")
        place = number[members.clamp(max=len(number) - 1)]
        found: Tensor = self.last(self.pool(self.embedding(place), members > 0))
        return found


@final
class ItemSetEncoder(nn.Module):
    """Items through a network, pooled to their class's prototype; prototypes through another, pooled to the data set.

    Args:
        features: of an item.
        width: of the result, and inside.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.item = nn.Sequential(nn.Linear(features, width), nn.GELU(), nn.Linear(width, width))
        self.items = Pool(width)
        self.prototype = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))
        self.classes = Pool(width)
        self.last = nn.Linear(2 * width, width)

    def forward(self, tensors: tuple[Tensor, ...]) -> Float[Tensor, "t h"]:
        items, there = tensors
        prototypes = self.prototype(self.items(self.item(items), there))
        found: Tensor = self.last(self.classes(prototypes, there.any(-1)))
        return found


@final
class StatisticEncoder(nn.Module):
    """A small network on vectors of statistics.

    Args:
        statistics: numbers in a vector.
        width: of the result.
    """

    def __init__(self, statistics: int, width: int) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(statistics, width), nn.Tanh(), nn.Linear(width, width))

    def forward(self, tensors: tuple[Tensor, ...]) -> Float[Tensor, "t h"]:
        found: Tensor = self.network(tensors[0])
        return found


def encoder_of(datasets: DataSets, width: int) -> ClassSetEncoder | ItemSetEncoder | StatisticEncoder:
    """An untrained encoder of such data sets.

    Raises:
        InvalidOption: data sets of a kind that has none.
    """
    if isinstance(datasets, ClassSets):
        return ClassSetEncoder(datasets, width)
    if isinstance(datasets, ItemSets):
        return ItemSetEncoder(datasets.items.shape[-1], width)
    if isinstance(datasets, StatisticVectors):
        return StatisticEncoder(datasets.values.shape[1], width)
    raise InvalidOption(f"no encoder of {type(datasets).__name__}; expected ClassSets, ItemSets or StatisticVectors")
