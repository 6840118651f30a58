"""Ridge regression on the one-hot values of slots, the predictor of LINAS (DyNAS-T, Cummings et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

from graphs.errors import InvalidOption

ALPHAS = tuple(0.1 * step for step in range(1, 101))
"""Penalties that are tried, those of DyNAS-T."""


@final
@dataclass(frozen=True, eq=False)
class Ridge:
    """A sum of one effect for each slot's value; made by `fit_ridge`.

    Args:
        sizes: how many values each slot has.
        effects: of all values of the first slot, then of the second, and so on.
        intercept: of every row.
        alpha: the penalty that was chosen.
    """

    sizes: tuple[int, ...]
    effects: Float[np.ndarray, " k"]
    intercept: float
    alpha: float

    def __call__(self, rows: Int[np.ndarray, "b s"]) -> Float[np.ndarray, " b"]:
        """The predictions of complete rows."""
        found: Float[np.ndarray, " b"] = self.intercept + self.effects[rows + _offsets(self.sizes)].sum(1)
        return found


def fit_ridge(
    sizes: Sequence[int],
    rows: Int[np.ndarray, "n s"],
    targets: Float[np.ndarray, " n"],
    alphas: Sequence[float] = ALPHAS,
) -> Ridge:
    """The ridge whose penalty has the least squared error by leaving out one row at a time, which has a closed form.

    DyNAS-T chooses among the same penalties by folds and absolute percentage errors. The intercept is not penalised.

    Args:
        sizes: how many values each slot has.
        rows: values of slots.
        targets: what is learned.
        alphas: penalties to choose from, above 0.

    Raises:
        InvalidOption: fewer than two rows, or not a target a row.
    """
    if len(rows) < 2 or len(rows) != len(targets):
        raise InvalidOption(f"{len(rows)} rows and {len(targets)} targets; expected at least 2 of each, as many")
    marks = np.zeros((len(rows), sum(sizes)))
    np.put_along_axis(marks, rows + _offsets(sizes), 1.0, axis=1)
    centre, mean = marks.mean(0), float(targets.mean())
    left, values, right = np.linalg.svd(marks - centre, full_matrices=False)
    turned = left.T @ (targets - mean)
    alpha = min(alphas, key=lambda one: _left_out_error(left, values, turned, targets - mean, one))
    effects = right.T @ (values / (values**2 + alpha) * turned)
    return Ridge(tuple(sizes), effects, mean - float(centre @ effects), alpha)


def _left_out_error(
    left: Float[np.ndarray, "n r"],
    values: Float[np.ndarray, " r"],
    turned: Float[np.ndarray, " r"],
    centred: Float[np.ndarray, " n"],
    alpha: float,
) -> float:
    """The mean squared error of rows that were left out, from the whole fit and its leverages."""
    shrink = values**2 / (values**2 + alpha)
    leverage = 1 / len(centred) + left**2 @ shrink
    errors = (centred - left @ (shrink * turned)) / np.maximum(1 - leverage, 1e-9)
    return float((errors**2).mean())


def _offsets(sizes: Sequence[int]) -> Int[np.ndarray, " s"]:
    """The number of the first effect of each slot."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]])
