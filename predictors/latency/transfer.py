"""Transfer: what other devices say about a new one, as features of `fit_latency`; and which architectures to measure.

The setting of HELP (Lee et al. NeurIPS 2021): latencies of a space are known on some devices, and ten measurements on
a new one. Its latencies are close to a line through those of the mean device, plus multiples of how the known devices
differ from their mean, plus effects of the architecture that no known device has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.errors import InvalidOption

INTERCEPT = 3.0
"""Prior deviation of a new device's mean latency where references are chosen, in deviations over architectures."""
NOISE = 0.15
"""Deviation of a measurement where references are chosen, in the same unit."""


@dataclass(frozen=True, eq=False)
class DeviceRows:
    """Rows of architectures for `fit_latency`.

    Args:
        sizes: of the groups: the mean device, the known devices' deviations from it, other features.
        rows: a row an architecture.
    """

    sizes: tuple[int, ...]
    rows: Float[Tensor, "b d"]


def device_rows(known: Float[Tensor, "b c"], groups: Sequence[Float[Tensor, "b _"]] = ()) -> DeviceRows:
    """What is known of architectures before a new device is measured.

    Args:
        known: their latencies on c known devices, measured or predicted, in any unit a device.
        groups: `LatencyFeatures.weighed`, where effects that no known device has are to be learned.

    Raises:
        InvalidOption: no known device, fewer than 2 architectures, a latency that is not finite, or a device whose
            mean latency is not positive.
    """
    if known.shape[0] < 2 or known.shape[1] < 1:
        raise InvalidOption(
            f"expected latencies of 2 architectures or more on a known device, got {tuple(known.shape)}"
        )
    average = known.double().mean(0)
    if not bool(known.isfinite().all() & (average > 0).all()):
        raise InvalidOption("expected finite latencies of a positive mean on each known device; leave others out")
    relative = known.double() / average - 1
    mean = relative.mean(1, keepdim=True)
    scale = mean.std().clamp(min=1e-9)
    others = (relative - mean) / known.shape[1] ** 0.5
    parts = [mean / scale, others / scale, *groups]
    return DeviceRows(tuple(part.shape[1] for part in parts), torch.cat(parts, 1))


def choose_references(rows: Float[Tensor, "b d"], count: int) -> Int[Tensor, " q"]:
    """The architectures to measure on a new device: each the one of which the others before it say least.

    Greedy D-optimal design of a Bayesian linear model; the numbers of the rows in the order of choice.

    Args:
        rows: of all that may be measured.
        count: how many; q of b.

    Raises:
        InvalidOption: count is not between 1 and the number of rows.
    """
    if not 1 <= count <= len(rows):
        raise InvalidOption(f"cannot choose {count} of {len(rows)} architectures; expected 1 to {len(rows)}")
    inputs = torch.cat([torch.full((len(rows), 1), INTERCEPT, dtype=torch.float64), rows.double()], 1)
    variance = inputs.square().sum(1)
    chosen: list[int] = []
    told = torch.zeros(len(rows), count, dtype=torch.float64)
    for step in range(count):
        unsure = variance.clone()
        unsure[chosen] = -torch.inf
        pick = int(unsure.argmax())
        covariance = inputs @ inputs[pick] - told @ told[pick]
        told[:, step] = covariance / (variance[pick] + NOISE**2).sqrt()
        variance = (variance - told[:, step].square()).clamp(min=0)
        chosen.append(pick)
    return torch.tensor(chosen)
