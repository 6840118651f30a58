"""Layers of the space `gnn`: from the features after a linear map to those that the activation reads."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnn_search.attention import AttentionLayer
from gnn_search.inputs import NetworkInput
from gnn_search.sparse import dropout
from graphs.archgraph import Op

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "linear": lambda x: x,
    "softplus": nn.functional.softplus,
    "leaky_relu": lambda x: nn.functional.leaky_relu(x, 0.01),
    "relu6": nn.functional.relu6,
    "elu": nn.functional.elu,
}
DECAY = 0.5
"""GCNII's lambda: layer l is the identity but for log(lambda / l + 1)."""


class Layer(nn.Module):
    """What comes after the linear maps of a node of the architecture.

    `streams` linear maps of what the node reads, each of `width` features, go in; `width` features come out.
    """

    streams = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, z: Float[Tensor, "n sw"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        raise NotImplementedError


class Pointwise(Layer):
    """`fc`: no neighbours."""

    def forward(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        return z


class Sage(Layer):
    """`sage`: the node and the mean of its neighbours, each by a map of its own (Hamilton et al. 2017)."""

    streams = 2

    def forward(self, z: Float[Tensor, "n sw"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        own, other = z.chunk(2, 1)
        return inputs.mean.added(own, other)


class HigherOrder(Layer):
    """`graph`: the node and the sum of its neighbours, each by a map of its own (k-GNN, Morris et al. 2019)."""

    streams = 2

    def forward(self, z: Float[Tensor, "n sw"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        own, other = z.chunk(2, 1)
        return inputs.adjacency.added(own, other)


class Chebyshev(Layer):
    """`cheb`: Chebyshev polynomials of order 2 with the largest eigenvalue taken as 2 (Defferrard et al. 2016)."""

    streams = 2

    def forward(self, z: Float[Tensor, "n sw"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        own, other = z.chunk(2, 1)
        return inputs.symmetric.added(own, other, alpha=-1.0)


class Arma(Layer):
    """`arma`: one stack of one ARMA layer, without loops (Bianchi et al. 2019)."""

    streams = 2

    def forward(self, z: Float[Tensor, "n sw"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        own, other = z.chunk(2, 1)
        return inputs.symmetric.added(own, other)


class Isomorphism(Layer):
    """`gin`: a perceptron of the node's features plus the sum of its neighbours' (Xu et al. 2019), epsilon learned."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.second = nn.Linear(width, width)

    def forward(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        found: Tensor = self.second(torch.relu((1 + self.epsilon) * z + inputs.adjacency @ z))
        return found


class Personalised(Layer):
    """`appnp`: steps of propagation that return to the start with probability `teleport` (Klicpera et al. 2019)."""

    def __init__(self, width: int, steps: int, teleport: float) -> None:
        super().__init__(width)
        self.steps, self.teleport = steps, teleport

    def forward(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        return propagate(z, inputs, self.steps, self.teleport)


class MixedOrder(Layer):
    """`mixed`: the mean over the powers 0 to `steps` of the normalised adjacency (GRAND, Feng et al. 2020)."""

    def __init__(self, width: int, steps: int) -> None:
        super().__init__(width)
        self.steps = steps

    def forward(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        return inputs.looped.repeated(z, self.steps, 1.0, 1.0) / (self.steps + 1)


class InitialResidual(Layer):
    """`gcnii`: `steps` layers with initial residual and identity map, ReLU and dropout between (Chen et al. 2020)."""

    def __init__(self, width: int, steps: int, teleport: float, share: float) -> None:
        super().__init__(width)
        self.teleport, self.share = teleport, share
        self.maps = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(steps))

    def forward(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        start = z = torch.relu(z)
        for place, one in enumerate(self.maps, start=1):
            assert isinstance(one, nn.Linear)
            z = dropout(z if place == 1 else torch.relu(z), self.share, self.training)
            mixed = inputs.looped.added(start, z, 1 - self.teleport, self.teleport)
            beta = math.log(DECAY / place + 1)
            z = torch.addmm(mixed, mixed, one.weight.t(), alpha=beta, beta=1 - beta)
        return z


class Attentive(Layer):
    """`attention`: see `AttentionLayer`."""

    def __init__(self, op: Op) -> None:
        attrs = dict(op.attrs)
        super().__init__(width_of(op))
        self.inner = AttentionLayer(
            int(attrs["hidden"]), str(attrs["attention"]), int(attrs["heads"]), str(attrs["aggregate"]),
            str(attrs["combine"]),
        )  # fmt: skip

    def forward(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        found: Tensor = self.inner(z, inputs)
        return found


def propagate(z: Float[Tensor, "n w"], inputs: NetworkInput, steps: int, teleport: float) -> Float[Tensor, "n w"]:
    """Personalised propagation over the normalised adjacency with loops (APPNP, equation 4)."""
    return inputs.looped.repeated(z, steps, 1 - teleport, teleport)


def width_of(op: Op) -> int:
    """Features that a layer gives."""
    return int(op.get("hidden") or 0) * int(op.get("heads") or 1)


def layer_of(op: Op, share: float) -> Layer:
    """The untrained layer of an operation of `graphs.spaces.gnn.LAYERS`.

    Args:
        share: dropout inside layers of several steps.
    """
    width, steps, teleport = width_of(op), int(op.get("steps") or 0), float(op.get("teleport") or 0)
    layers: dict[str, Callable[[], Layer]] = {
        "attention": lambda: Attentive(op),
        "appnp": lambda: Personalised(width, steps, teleport),
        "gcnii": lambda: InitialResidual(width, steps, teleport, share),
        "mixed": lambda: MixedOrder(width, steps),
        "sage": lambda: Sage(width),
        "gin": lambda: Isomorphism(width),
        "cheb": lambda: Chebyshev(width),
        "arma": lambda: Arma(width),
        "graph": lambda: HigherOrder(width),
        "fc": lambda: Pointwise(width),
    }
    return layers[op.name]()
