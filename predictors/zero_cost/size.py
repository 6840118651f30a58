"""Metrics that no data change: parameters and multiply-accumulates."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from predictors.zero_cost.minibatch import Loss, Minibatch, prepared


def params(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:  # noqa: ARG001
    """The number of trainable parameters."""
    return float(sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad))


def macs(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:  # noqa: ARG001
    """Multiply-accumulates of one forward pass: the products of convolutions and matrices, and the biases of linear
    layers, as NAS-Bench-201 counts them (Dong and Yang, ICLR 2020, table 2). Sums over neighbours in a graph are free.

    A sole input is a batch of images or the like, and one of them counts; where there are more inputs, all of them do.
    """
    inputs = batch.inputs if len(batch.inputs) > 1 else (batch.inputs[0][:1],)
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm: _with_bias})
    with torch.no_grad(), counter:
        prepared(network).eval()(*inputs)
    return float(counter.get_total_flops() // 2)


def _with_bias(_: torch.Size, left: torch.Size, right: torch.Size, out_shape: torch.Size, **__: object) -> int:
    """Twice the products of a matrix product and the sums with its bias: the counter counts both parts of a product."""
    return 2 * (left[0] * left[1] * right[1] + math.prod(out_shape))
