"""Networks of many members at once: every weight has a leading dimension, one entry a member, so one call trains all.

Members share nothing but the call; see `predictors.member_training`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

CHUNK = 2048
"""Graphs that are predicted at once."""


@runtime_checkable
class Rows(Protocol):
    """m inputs."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Those that a tensor of numbers or a slice selects, of the same type."""


In = TypeVar("In", bound=Rows)
"""What a network reads, m of them."""


class MemberLinear(nn.Module):
    """An affine map for each of e members.

    Args:
        members: e.
        inputs, outputs: numbers in and out.
        rng: where the weights come from.
        gain: deviation of the outputs for inputs of deviation 1.
    """

    def __init__(self, members: int, inputs: int, outputs: int, rng: torch.Generator, gain: float = 1.0) -> None:
        super().__init__()
        weight = torch.randn(members, inputs, outputs, generator=rng) * (gain / math.sqrt(inputs))
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Float[Tensor, "e m i"]) -> Float[Tensor, "e m o"]:
        return torch.baddbmm(self.bias, x, self.weight)


class MemberNorm(nn.Module):
    """Layer normalisation with a scale and a shift for each member."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(members, 1, width))
        self.shift = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: Float[Tensor, "e m d"]) -> Float[Tensor, "e m d"]:
        return torch.addcmul(self.shift, nn.functional.layer_norm(x, x.shape[-1:]), self.scale)


class Members(nn.Module, ABC, Generic[In]):
    """A network of e members."""

    @abstractmethod
    def forward(self, inputs: In) -> Float[Tensor, "e m o"]:
        """The outputs of all members."""


def keep_members(network: Members[In], members: Sequence[int]) -> Members[In]:
    """The network itself, which lets go of all but some of its members and is ready to predict."""
    rows = torch.tensor(members, dtype=torch.int64)
    for part in network.parameters():
        part.data, part.grad = part.data[rows], None
    return network.eval().requires_grad_(False)


@torch.no_grad()
def outputs_of(network: Members[In], inputs: In) -> Float[Tensor, "e m o"]:
    """What each member says, in float64, without dropout."""
    network.eval()
    starts = range(0, len(inputs), CHUNK)
    return torch.cat([network(inputs[start : start + CHUNK]) for start in starts], 1).double()


def load_members(network: Members[In], state: Mapping[str, Tensor], prefix: str) -> Members[In]:
    """The network with the weights that `state` has under `prefix`, ready to predict.

    Raises:
        ValueError: they are of another network.
    """
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(f"weights of another network: {error}") from None
    return network.eval().requires_grad_(False)
