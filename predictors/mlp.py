"""VectorMembers: perceptrons on rows of numbers."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from predictors.members import MemberLinear, Members

HIDDEN = 128
DROPOUT = 0.3


@final
class VectorMembers(Members[Tensor]):
    """Perceptrons of two hidden layers.

    Args:
        members: e.
        inputs: numbers a row.
        rng: where the weights come from.
    """

    def __init__(self, members: int, inputs: int, rng: torch.Generator) -> None:
        super().__init__()
        self.first = MemberLinear(members, inputs, HIDDEN, rng)
        self.second = MemberLinear(members, HIDDEN, HIDDEN, rng, gain=1.4)
        self.last = MemberLinear(members, HIDDEN, 1, rng, gain=0.5)
        self.thin, self.dropout = nn.Dropout(DROPOUT / 2), nn.Dropout(DROPOUT)

    def forward(self, inputs: Float[Tensor, "m d"]) -> Float[Tensor, "e m 1"]:
        x = self.first(self.thin(inputs.expand(len(self.first.weight), -1, -1)))
        found: Tensor = self.last(self.dropout(self.second(self.dropout(x.relu())).relu()))
        return found
