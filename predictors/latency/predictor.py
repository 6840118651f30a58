"""LatencyPredictor: a Gaussian process on feature groups, for a device on which few architectures were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from botorch.models import SingleTaskGP
from gpytorch.means import ZeroMean
from jaxtyping import Float
from torch import Tensor

from graphs.errors import InvalidOption
from predictors.latency.kernel import GroupKernel
from predictors.slot_evidence import inflation, learn
from predictors.slot_predictor import Warp

MOST_LABELS = 3000
CHUNK = 1024


@final
@dataclass(frozen=True, eq=False)
class LatencyPredictor:
    """Made by `fit_latency`.

    Args:
        model: the BoTorch model of standardised latencies.
        warp: from latencies to that scale, a line: costs of operations add up in milliseconds, not in their logarithms.
        noise: the deviation of a measurement, in the latency's unit.
        inflation: the factor of all variances for the uncertainty of the hyper-parameters.
    """

    model: SingleTaskGP
    warp: Warp
    noise: float
    inflation: float

    @torch.no_grad()
    def predict(self, rows: Float[Tensor, "b d"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Mean and standard deviation of the latency without the noise of its measurement, in the labels' unit.

        Raises:
            InvalidOption: rows of another number of features.
        """
        width = self.model.train_inputs[0].shape[-1]
        if rows.shape[1] != width:
            raise InvalidOption(f"expected rows of {width} features, got {rows.shape[1]}")
        means, variances = [torch.zeros(0).double()], [torch.zeros(0).double()]
        for some in rows.double().split(CHUNK):  # type: ignore[no-untyped-call]
            posterior = self.model.posterior(some)
            means.append(posterior.mean[:, 0])
            variances.append(self.inflation * posterior.variance[:, 0])
        return self.warp.moments(torch.cat(means), torch.cat(variances))


def fit_latency(sizes: Sequence[int], rows: Float[Tensor, "n d"], latencies: Float[Tensor, " m"]) -> LatencyPredictor:
    """Learn from measurements; the same ones give the same predictor.

    Args:
        sizes: how many features each group has; d in all.
        rows: of measured architectures, see `predictors.latency.features` and `predictors.latency.transfer`.
        latencies: of them, in any unit; also an energy or another cost that adds up.

    Raises:
        InvalidOption: fewer than 2 measurements or more than `MOST_LABELS`, not one a row, or one that is not finite.
    """
    targets, rows = latencies.double(), rows.double()
    if not 2 <= len(targets) <= MOST_LABELS:
        raise InvalidOption(f"{len(targets)} measurements; expected 2 to {MOST_LABELS}")
    if rows.shape != (len(targets), sum(sizes)):
        raise InvalidOption(f"expected {len(targets)} rows of {sum(sizes)} features, got shape {tuple(rows.shape)}")
    if not bool(targets.isfinite().all()):
        row = int((~targets.isfinite()).nonzero()[0])
        raise InvalidOption(f"the latency of row {row} is {float(targets[row])}; leave out what was not measured")
    kernel = GroupKernel(sizes)
    learned = learn(lambda: kernel.forward(rows, rows), [kernel.logs], kernel.priors, targets, warped=False)
    latent = learned.warp(targets)
    model = SingleTaskGP(
        rows,
        latent[:, None],
        torch.full_like(latent, learned.noise**2)[:, None],
        covar_module=kernel,
        mean_module=ZeroMean(),
        outcome_transform=None,
    )
    factor = inflation(len(kernel.logs), len(targets))
    return LatencyPredictor(model.eval(), learned.warp, learned.noise * learned.warp.std, factor)
