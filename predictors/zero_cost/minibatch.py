"""What all zero-cost metrics share: their signature, what a weight is, the state of the network, a finite result.

A metric is a plain function `metric(network, batch, loss) -> float`. It works on a copy and leaves the network, its
gradients and its buffers as they were. Batch norm uses the minibatch's own statistics, as in training; all else is as
in evaluation, so that dropout is off and the value is the same at each call.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from graphs.errors import EvaluationError

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) to a scalar, e.g. `cross_entropy`; it may pick the rows that count, such as labelled nodes."""


@dataclass(frozen=True, eq=False)
class Minibatch:
    """What a network reads and should say.

    Args:
        inputs: the arguments of the network's forward pass: `(images,)`, or `(x, edge_index)` of a graph. The first is
            floating-point and has a row an example.
        targets: what `loss` compares the outputs with.
    """

    inputs: tuple[Shaped[Tensor, "..."], ...]
    targets: Shaped[Tensor, " b"]


ZeroCostMetric = Callable[[nn.Module, Minibatch, Loss], float]


def prepared(network: nn.Module) -> nn.Module:
    """A copy to work on: batch norm in training mode, all else in evaluation mode, weights with gradients."""
    ours = copy.deepcopy(network).eval().requires_grad_(True)
    for module in ours.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return ours


def weights_of(network: nn.Module) -> list[nn.Parameter]:
    """Parameters of two dimensions or more: kernels and matrices, not biases and the scales of batch norm."""
    return [parameter for parameter in network.parameters() if parameter.ndim >= 2]


def loss_of(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> Tensor:
    """The loss of the minibatch, with its graph."""
    return loss(network(*batch.inputs), batch.targets)


def finite(metric: str, value: float | Tensor) -> float:
    """`value` as a number.

    Raises:
        EvaluationError: it is NaN or infinite.
    """
    number = float(value.detach() if isinstance(value, Tensor) else value)
    if not math.isfinite(number):
        raise EvaluationError(
            f"{metric} of this network is {number}, expected a finite number; leave the architecture out, or mark it "
            "as without a value (NaN), which RoBoT ranks last"
        )
    return number
