"""Exact costs of Once-for-All's MobileNetV3 subnets (Cai et al., ICLR 2020): a fixed part and a part a stage.

The network, width 1.0: a 3x3 stem of stride 2 to 16 channels, a 16-channel block without expansion, five stages of
inverted residuals, a 1x1 convolution to 960, the average over the image, a linear layer without bias to 1,280, a
classifier with bias. Every convolution but those of squeeze-and-excitation has a batch norm and no bias. MACs are the
products of convolutions and linear layers, those of squeeze-and-excitation included; the rest is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.spaces.ofa_mobilenetv3 import DEPTHS, LAYERS, RESOLUTION, STAGES, Layer, OfaMobileNetV3

CLASSES = 1000
IMAGE_CHANNELS = 3
STEM, EXPANDED, FEATURES = 16, 960, 1280
"""Channels after the stem and the first block, after the last convolution, and before the classifier."""


@dataclass(frozen=True)
class StagePlan:
    """What is fixed about a stage: its channels, the stride of its first layer, and squeeze-and-excitation."""

    channels: int
    stride: int
    squeeze: bool


PLANS = (
    StagePlan(24, 2, False),
    StagePlan(40, 2, True),
    StagePlan(80, 2, False),
    StagePlan(112, 1, True),
    StagePlan(160, 2, True),
)


@dataclass(frozen=True)
class Costs:
    """Trainable parameters, and multiply-accumulates for one image; plain numbers, not millions."""

    params: int
    macs: int

    def __add__(self, other: Costs) -> Costs:
        return Costs(self.params + other.params, self.macs + other.macs)


def network_costs(graph: ArchGraph, resolution: int = RESOLUTION) -> Costs:
    """What the network of `graph` costs for an image of `resolution` by `resolution`.

    Raises:
        InvalidArchitecture: the graph is outside the space.
        InvalidOption: a resolution below 1.
    """
    total = fixed_costs(resolution)
    for stage, layers in zip(STAGES, OfaMobileNetV3().describe(graph), strict=True):
        total += stage_costs(stage, layers, resolution)
    return total


def stage_costs(stage: int, layers: Sequence[Layer], resolution: int = RESOLUTION) -> Costs:
    """What a stage adds to the network, whatever the other stages are.

    Args:
        stage: 1 to 5.
        layers: kernel and expansion of each of its two to four layers.
        resolution: height and width of the image.

    Raises:
        InvalidArchitecture: no such stage, or layers that it cannot have.
        InvalidOption: a resolution below 1.
    """
    if stage not in STAGES:
        raise InvalidArchitecture(f"ofa-mobilenetv3: stage {stage}, expected 1 to {STAGES[-1]}")
    if len(layers) not in DEPTHS or not set(layers) <= set(LAYERS):
        raise InvalidArchitecture(
            f"ofa-mobilenetv3: stage {stage} of {list(layers)}, expected {DEPTHS[0]} to {DEPTHS[-1]} layers, each a "
            f"kernel and an expansion out of {LAYERS}"
        )
    first = _layer_costs(stage, True, layers[0], resolution)
    return sum((_layer_costs(stage, False, layer, resolution) for layer in layers[1:]), first)


@cache
def fixed_costs(resolution: int = RESOLUTION) -> Costs:
    """Stem, first block and head; raises `InvalidOption` for a resolution below 1."""
    wide, last = _width_after(0, resolution), _width_after(STAGES[-1], resolution)
    stem = _convolution(3, IMAGE_CHANNELS, STEM, wide)
    block = _convolution(3, 1, STEM, wide) + _convolution(1, STEM, STEM, wide)  # one input channel: depthwise
    head = _convolution(1, PLANS[-1].channels, EXPANDED, last)
    return stem + block + head + _linear(EXPANDED, FEATURES, bias=False) + _linear(FEATURES, CLASSES)


@cache
def _layer_costs(stage: int, first: bool, layer: Layer, resolution: int) -> Costs:
    """An inverted residual: 1x1 to the expanded width, depthwise, squeeze-and-excitation, 1x1 to the stage's width."""
    kernel, expand = layer
    plan = PLANS[stage - 1]
    before = plan.channels if not first else STEM if stage == 1 else PLANS[stage - 2].channels
    after = plan.channels
    width_before = _width_after(stage - 1 if first else stage, resolution)
    width = _width_after(stage, resolution)
    middle = make_divisible(before * expand)
    total = _convolution(1, before, middle, width_before) + _convolution(kernel, 1, middle, width)
    if plan.squeeze:
        squeezed = make_divisible(middle / 4)
        total += _linear(middle, squeezed) + _linear(squeezed, middle)
    return total + _convolution(1, middle, after, width)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, at least `divisor` and at least 0.9 of `channels` (MobileNetV2's rule)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def _width_after(stage: int, resolution: int) -> int:
    """Height and width of what a stage puts out; 0 is the stem."""
    if resolution < 1:
        raise InvalidOption(f"resolution is {resolution}, expected at least 1")
    width = -(-resolution // 2)
    for plan in PLANS[:stage]:
        width = -(-width // plan.stride)
    return width


def _convolution(kernel: int, before: int, after: int, width: int) -> Costs:
    """With batch norm; `before` counts the input channels that an output channel reads, `width` is of the output."""
    weights = kernel * kernel * before * after
    return Costs(weights + 2 * after, weights * width * width)


def _linear(before: int, after: int, bias: bool = True) -> Costs:
    return Costs(before * after + after * bias, before * after)
