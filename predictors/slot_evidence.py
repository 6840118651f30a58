"""Hyper-parameters of additive effects on slots, learned from labels: scales of the terms, noise, and the warp.

They maximise the marginal likelihood of the labels, the warp's Jacobian included, times a log-normal prior (MacKay
1992, "Bayesian interpolation"; Snelson et al. 2003, "Warped Gaussian processes").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from predictors.slot_features import SlotFeatures
from predictors.slot_predictor import Warp

SCALE, NOISE, GAP = (-1.5, 1.0), (-2.0, 1.0), (0.5, 1.5)
"""Mean and deviation of the log of each term's scale, of the noise's, and of the gap over the labels' deviation."""
INTERCEPT = 10.0
"""Prior deviation of the intercept of standardised targets."""
PAIRS = "pairs"
"""The name of the pairs' scale."""
MOST_ROWS = 1000
"""Labels from which the hyper-parameters are learned; where there are more, as many drawn by chance."""
ITERATIONS = 80
LOWEST, HIGHEST = -9.0, 4.0
"""Bounds of the logarithms: from nothing to effects of 50 deviations, and a warp that is a line."""
JITTER = 1e-6


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of latent targets: prior deviations of the terms, of the noise, the warp; `learned` in all."""

    scales: Mapping[str, float]
    noise: float
    warp: Warp
    learned: int


def learn(features: SlotFeatures, values: Int[Tensor, "n s"], targets: Float[Tensor, " n"], warped: bool) -> Hyper:
    """The hyper-parameters for labels that `check_labels` has passed; the same labels give the same ones.

    Args:
        warped: learn the warp's gap; otherwise the latent scale is a line.
    """
    names = [*features.terms, *([PAIRS] if features.pairs else [])]
    warped = warped and bool((targets != targets[0]).any())
    kept = evidence_rows(targets)
    values, targets = values[kept], targets[kept]
    flat = Warp.fit(targets)
    priors = torch.tensor([SCALE] * len(names) + [NOISE] + [GAP] * warped, dtype=torch.float64)
    logs, kernels = priors[:, 0].clone().requires_grad_(), _kernels(features, values)

    def cost() -> Tensor:
        latent, jacobian = _latent(targets, flat, logs[-1].exp() if warped else None)
        covariance = _covariance(kernels, logs[: len(names) + 1])
        return surprise(covariance, latent) - jacobian + prior_surprise(logs, priors)

    descend(cost, [logs])
    deviations = logs.detach().exp().tolist()
    gap = deviations[-1] * flat.std if warped else math.inf
    scales = dict(zip(names, deviations, strict=False))
    return Hyper(scales, math.sqrt(deviations[len(names)] ** 2 + JITTER), Warp.fit(targets, gap), len(priors))


def evidence_rows(targets: Float[Tensor, " n"]) -> Int[Tensor, " m"]:
    """All rows, or `MOST_ROWS` of them: the best, which the warp needs, and others by chance."""
    if len(targets) <= MOST_ROWS:
        return torch.arange(len(targets))
    others = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    best = targets.argmax()
    return torch.cat([best[None], others[others != best][: MOST_ROWS - 1]])


def descend(cost: Callable[[], Float[Tensor, ""]], parameters: Sequence[Tensor]) -> None:
    """Set `parameters`, logarithms within `LOWEST` and `HIGHEST`, to a minimum of `cost` near where they are."""

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.no_grad():
            vector_to_parameters(torch.from_numpy(point), parameters)
        value = cost()
        gradients = torch.autograd.grad(value, parameters)
        return value.item(), torch.cat([gradient.flatten() for gradient in gradients]).numpy()

    start = parameters_to_vector(parameters).detach().numpy()
    bounds, options = [(LOWEST, HIGHEST)] * len(start), {"maxiter": ITERATIONS}
    found = minimize(evaluate, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)  # type: ignore[call-overload]
    evaluate(found.x)


def prior_surprise(logs: Float[Tensor, " h"], priors: Float[Tensor, "h 2"]) -> Float[Tensor, ""]:
    """Minus the log density of Gaussians of these means and deviations, but for a constant."""
    distance: Tensor = (logs - priors[:, 0]) / priors[:, 1]
    return distance.square().sum() / 2


def surprise(covariance: Float[Tensor, "n n"], targets: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Minus the log density of Gaussian targets, but for a constant.

    Its derivative is stated, which saves that of the Cholesky factor: half of K^-1 - K^-1 y (K^-1 y)^T and K^-1 y.
    """
    with torch.no_grad():
        root = torch.linalg.cholesky(covariance)
        solved = torch.cholesky_solve(targets[:, None], root)[:, 0]
        value = torch.dot(targets, solved) / 2 + root.diagonal().log().sum()
        slope = (torch.cholesky_inverse(root) - solved[:, None] * solved) / 2
    change: Tensor = (slope * covariance).sum() + torch.dot(solved, targets)
    total: Tensor = value + (change - change.detach())
    return total


def _kernels(features: SlotFeatures, values: Int[Tensor, "n s"]) -> Float[Tensor, "g n n"]:
    """What each term says about the covariance of rows at a scale of 1."""
    sizes = list(features.sizes)
    shown = torch.zeros(len(values), sum(sizes), dtype=torch.float64).scatter_(1, features.singles(values), 1.0)
    parts = [shown @ basis for basis in features.terms.values()]
    kernels = [part @ part.T for part in parts]
    if features.pairs:
        agree = [part @ part.T for part in shown.split(sizes, 1)]  # type: ignore[no-untyped-call]
        kernels.append(sum(agree[i] * agree[j] for i, j in features.pairs) / features.pair_variance)
    return torch.stack(kernels)


def _covariance(kernels: Float[Tensor, "g n n"], logs: Float[Tensor, " h"]) -> Float[Tensor, "n n"]:
    """Of noisy standardised targets."""
    variances = (2 * logs).exp()
    n = kernels.shape[1]
    mixed = (variances[:-1] @ kernels.flatten(1)).view(n, n)
    return mixed + INTERCEPT**2 + (variances[-1] + JITTER) * torch.eye(n, dtype=torch.float64)


def _latent(
    targets: Float[Tensor, " n"], flat: Warp, gap: Float[Tensor, ""] | None
) -> tuple[Float[Tensor, " n"], Float[Tensor, ""]]:
    """Warped targets, and the log of how much the warp stretches the standardised ones, in all."""
    plain = flat(targets)
    if gap is None:
        return plain, plain.new_zeros(())
    raw = -(plain.max() + gap - plain).log()
    deviation = raw.std(correction=0)
    return (raw - raw.mean()) / deviation, (raw - deviation.log()).sum()
