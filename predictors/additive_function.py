"""AdditiveFunction: a function of slot rows that is a sum over slots and over pairs of slots inside groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from graphs.errors import InvalidOption
from predictors.slot_features import SlotFeatures
from predictors.slot_predictor import check_rows


@final
@dataclass(frozen=True, eq=False)
class AdditiveFunction:
    """A sum of effects: latent value = intercept + an effect for each slot + one for each pair inside a group."""

    features: SlotFeatures
    weights: Float[Tensor, " effects"]
    intercept: float

    def __call__(self, values: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        """The latent values of complete rows, unchecked."""
        table = self.weights[:, None]
        return self.intercept + embedding_bag(self.features.active(values), table, mode="sum")[:, 0]

    @property
    def effects(self) -> list[Float[Tensor, " _"]]:
        """The effect of each value of each slot, pairs left out."""
        sizes = self.features.sizes
        return list(self.weights[: sum(sizes)].split(list(sizes)))  # type: ignore[no-untyped-call]

    def part_score(self, part: Sequence[int], configurations: Int[Tensor, "c p"]) -> Float[Tensor, " c"]:
        """What the slots of a part add, effects of pairs included; the intercept and all disjoint parts sum to the row.

        Raises:
            InvalidOption: a configuration that is not one of these slots, or a pair that leaves the part.
        """
        features, place = self.features, {slot: place for place, slot in enumerate(part)}
        if not set(place) <= set(range(len(features.sizes))) or len(place) < len(part):
            raise InvalidOption(f"a part is distinct slots 0 to {len(features.sizes) - 1}, got {tuple(part)}")
        check_rows(tuple(features.sizes[slot] for slot in part), configurations)
        score = torch.zeros(len(configurations), dtype=torch.float64)
        for slot in part:
            score += self.weights[features.offsets[slot] + configurations[:, place[slot]]]
        for (i, j), offset in zip(features.pairs, features.pair_offsets, strict=False):
            if (i in place) != (j in place):
                raise InvalidOption(f"slots {i} and {j} have pair effects; part {tuple(part)} must have both or none")
            if i in place:
                pair = configurations[:, place[i]] * features.sizes[j] + configurations[:, place[j]]
                score += self.weights[offset + pair]
        return score
