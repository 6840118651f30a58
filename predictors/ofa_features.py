"""What is known about the slots of Once-for-All's MobileNetV3 space: stages, kernels, expansions, and exact costs."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from graphs.spaces.ofa_mobilenetv3 import EXPANSIONS, KERNELS, LAYERS, STAGES
from graphs.spaces.ofa_mobilenetv3_costs import RESOLUTION, Costs, stage_costs
from graphs.spaces.ofa_mobilenetv3_layout import PLACES
from predictors.slot_features import SlotFeatures, slot_features


def ofa_mobilenetv3_features(resolution: int = RESOLUTION) -> SlotFeatures:
    """Features for rows of `OfaMobileNetV3Layout`, pairs of layers inside a stage included.

    Costs are millions of MACs and of parameters; attributes are the kernel's and the expansion's distance from the
    middle and whether there is a layer.

    Raises:
        InvalidOption: a resolution below 1.
    """
    stages = [range(first, first + PLACES) for first in range(0, len(STAGES) * PLACES, PLACES)]
    costs = [_costs(stage, place, resolution) for stage in STAGES for place in range(PLACES)]
    middle = [sum(some) / len(some) for some in (KERNELS, EXPANSIONS)]
    attributes = torch.tensor([(kernel - middle[0], expand - middle[1], 1.0) for kernel, expand in LAYERS] + [(0,) * 3])
    return slot_features(
        [len(table) for table in costs],
        groups=stages,
        shared=[stages, [range(len(costs))]],
        costs=costs,
        attributes=[attributes[: len(table)].double() for table in costs],
    )


def _costs(stage: int, place: int, resolution: int) -> Float[Tensor, "k 2"]:
    """What each choice for a place adds, up to a constant; the third and fourth place may stay empty."""
    base = [LAYERS[0]] * max(place, 2)
    chosen = [stage_costs(stage, [*base[:place], layer, *base[place + 1 :]], resolution) for layer in LAYERS]
    empty = [stage_costs(stage, base, resolution)] if place >= 2 else []

    def millions(costs: Costs) -> tuple[float, float]:
        return costs.macs / 1e6, costs.params / 1e6

    return torch.tensor([millions(costs) for costs in (*chosen, *empty)], dtype=torch.float64)
