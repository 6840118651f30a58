"""Exact costs of NAS-Bench-201's networks (Dong and Yang, ICLR 2020): a fixed part and a constant an operation.

The network on 32x32 images: a 3x3 convolution with batch norm to 16 channels; three stages of five equal cells at 16,
32 and 64 channels; before the second and third a residual block of stride 2; batch norm, ReLU, average over the image,
a linear layer. What the benchmark calls FLOPs are the products of convolutions and of the linear layer, and the
latter's biases; batch norm, ReLU, pooling and sums are free.

Every operation of the cell is counted, also one that reads a zero or that nobody reads: the benchmark built it, so two
strings of one function may differ in cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from graphs.errors import InvalidArchitecture, InvalidOption, unknown_name

KERNELS = {"none": 0, "skip_connect": 0, "nor_conv_1x1": 1, "nor_conv_3x3": 3, "avg_pool_3x3": 0}
"""The width of each operation's convolution, 0 where it has none."""
OPERATIONS_A_CELL = 6
IMAGE_CHANNELS = 3
STAGES = ((16, 32), (32, 16), (64, 8))
"""Channels and image width of each stage."""
CELLS_A_STAGE = 5


@dataclass(frozen=True)
class Costs:
    """Trainable parameters, and multiply-accumulates for one image; plain numbers, not millions."""

    params: int
    macs: int

    def __add__(self, other: Costs) -> Costs:
        return Costs(self.params + other.params, self.macs + other.macs)

    def __mul__(self, times: int) -> Costs:
        return Costs(self.params * times, self.macs * times)


def network_costs(ops: tuple[str, ...], classes: int = 10) -> Costs:
    """What the network of a cell costs.

    Args:
        ops: six operation names in the order of the official string.
        classes: what the network tells apart; the published columns are those of 10.

    Raises:
        InvalidArchitecture: not six operations.
        UnknownName: no such operation.
        InvalidOption: fewer than one class.
    """
    if len(ops) != OPERATIONS_A_CELL:
        raise InvalidArchitecture(f"nasbench201: expected {OPERATIONS_A_CELL} operations, got {len(ops)}: {ops}")
    return sum(map(operation_costs, ops), fixed_costs(classes))


@cache
def operation_costs(op: str) -> Costs:
    """What one operation of the cell adds to the network, on whichever of the six edges it stands.

    Raises:
        UnknownName: no such operation.
    """
    if op not in KERNELS:
        raise unknown_name("operation", op, KERNELS)
    total = Costs(0, 0)
    if KERNELS[op]:
        for channels, width in STAGES:
            total += (_convolution(KERNELS[op], channels, channels, width) + _batch_norm(channels)) * CELLS_A_STAGE
    return total


@cache
def fixed_costs(classes: int) -> Costs:
    """What every network has beside the operations of its cells; raises `InvalidOption` for fewer than one class."""
    if classes < 1:
        raise InvalidOption(f"classes is {classes}, expected at least 1")
    (first, width), (last, _) = STAGES[0], STAGES[-1]
    total = _convolution(3, IMAGE_CHANNELS, first, width) + _batch_norm(first)
    for (before, _), (after, reduced) in pairwise(STAGES):
        total += _residual_block(before, after, reduced)
    linear = last * classes + classes
    return total + _batch_norm(last) + Costs(linear, linear)


def _residual_block(before: int, after: int, width: int) -> Costs:
    """Two 3x3 convolutions with batch norm; beside them a pooling and a 1x1 convolution without."""
    convolutions = _convolution(3, before, after, width) + _convolution(3, after, after, width)
    return convolutions + _batch_norm(after) * 2 + _convolution(1, before, after, width)


def _convolution(kernel: int, before: int, after: int, width: int) -> Costs:
    """Without bias; `width` is that of the image it puts out."""
    weights = kernel * kernel * before * after
    return Costs(weights, weights * width * width)


def _batch_norm(channels: int) -> Costs:
    return Costs(2 * channels, 0)
