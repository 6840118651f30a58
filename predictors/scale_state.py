"""A scale as five numbers, for the state of a model."""

from __future__ import annotations

from collections.abc import Sequence

from predictors.scale import Scale
from predictors.slot_predictor import Warp


def scale_numbers(scale: Scale) -> list[float]:
    """What `scale_from` makes the scale of."""
    warp = scale.warp
    return [float(scale.sign), warp.top, warp.gap, warp.mean, warp.std]


def scale_from(numbers: Sequence[float]) -> Scale:
    """The scale of its numbers.

    Raises:
        ValueError: they are not those of a scale.
    """
    sign, top, gap, mean, std = numbers
    if sign not in (1, -1) or not std > 0:
        raise ValueError(f"a scale of sign {sign} and deviation {std}")
    return Scale(1 if sign == 1 else -1, Warp(top, gap, mean, std))
