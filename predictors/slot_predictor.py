"""SlotPredictor: a property of slot rows, with its uncertainty; and the scale on which such predictors learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.errors import InvalidOption

SlotScore = Callable[[Int[Tensor, "b s"]], Float[Tensor, " b"]]
"""A function of complete slot rows."""


@runtime_checkable
class SlotPredictor(Protocol):
    """Predicts the noise-free value of rows of a `graphs.layout.Layout`, in the label's unit, in float64."""

    def predict(self, values: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Posterior mean and standard deviation of complete rows.

        Raises:
            InvalidOption: a row that is not complete or has another number of slots.
        """

    def draw(self, seed: int) -> SlotScore:
        """One function of the posterior (Thompson sampling); the same seed gives the same function."""


@dataclass(frozen=True)
class Warp:
    """z = -log(top + gap - y), standardised: a latent scale on which effects of a saturating property add up.

    The form of `predictors.targets.GapTransform`, with a gap that is learned by evidence. As the gap grows the warp
    becomes a line; an infinite one is exactly that.

    Args:
        top: the largest label.
        gap: how far above it the property saturates.
        mean, std: of the labels after the logarithm, or of the labels where the gap is infinite.
    """

    top: float
    gap: float
    mean: float
    std: float

    @staticmethod
    def fit(targets: Float[Tensor, " n"], gap: float = math.inf) -> Warp:
        """The warp of this gap that standardises `targets`; equal ones become 0 on a line of slope 1."""
        top = float(targets.max())
        if top == float(targets.min()):
            return Warp(top, math.inf, top, 1.0)
        raw = targets if math.isinf(gap) else -(top + gap - targets).log()
        return Warp(top, gap, float(raw.mean()), float(raw.std(correction=0)))

    def __call__(self, targets: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Labels to the latent scale; infinite for labels of `top + gap` and above, which the scale cannot reach."""
        raw = targets if math.isinf(self.gap) else -(self.top + self.gap - targets).clamp(min=0).log()
        return (raw - self.mean) / self.std

    def inverse(self, latent: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Back to the label's unit; monotone."""
        raw = latent * self.std + self.mean
        return raw if math.isinf(self.gap) else self.top + self.gap - (-raw).exp()

    def moments(
        self, mean: Float[Tensor, " b"], variance: Float[Tensor, " b"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Mean and standard deviation of the label whose latent value is Gaussian: those of a shifted log-normal."""
        if math.isinf(self.gap):
            return self.inverse(mean), variance.sqrt() * self.std
        spread = variance * self.std**2
        below = (spread / 2 - mean * self.std - self.mean).exp()
        return self.top + self.gap - below, below * spread.expm1().sqrt()


def check_rows(sizes: tuple[int, ...], values: Tensor) -> None:
    """Raises `InvalidOption` unless `values` are complete rows of slots with these numbers of choices."""
    if values.ndim != 2 or values.shape[1] != len(sizes) or values.is_floating_point() or values.is_complex():
        raise InvalidOption(
            f"expected rows of {len(sizes)} integer slot values, got {values.dtype} of shape {tuple(values.shape)}"
        )
    wrong = (values < 0) | (values >= torch.tensor(sizes, device=values.device))
    if bool(wrong.any()):
        row, slot = wrong.nonzero()[0].tolist()
        raise InvalidOption(
            f"row {row} has {int(values[row, slot])} in slot {slot}, which takes 0 to {sizes[slot] - 1}; "
            "give complete rows of the layout"
        )


def check_labels(sizes: tuple[int, ...], values: Tensor, targets: Tensor) -> None:
    """Raises `InvalidOption` unless there are at least two complete rows with one finite target each."""
    check_rows(sizes, values)
    if targets.shape != (len(values),):
        raise InvalidOption(f"expected one target for each of {len(values)} rows, got shape {tuple(targets.shape)}")
    if len(targets) < 2:
        raise InvalidOption(f"cannot fit {len(targets)} labels; expected at least 2")
    if not bool(targets.isfinite().all()):
        row = int((~targets.isfinite()).nonzero()[0])
        raise InvalidOption(f"the target of row {row} is {float(targets[row])}; leave out rows without a finite one")
