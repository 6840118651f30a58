"""Hyper-parameters of predictors on slots, learned from labels: a kernel's scales, the noise, and the warp.

They maximise the marginal likelihood of the labels, the warp's Jacobian included, times a log-normal prior (MacKay
1992, "Bayesian interpolation"; Snelson et al. 2003, "Warped Gaussian processes").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from predictors.slot_predictor import Warp
from predictors.targets import MAD_TO_STD

SCALE, NOISE, GAP = (-1.5, 1.0), (-2.0, 1.0), (0.0, 1.0)
"""Mean and deviation of the log of each term's scale, the noise's, and the gap over the labels' robust deviation."""
NARROWEST = 0.05
"""Part of that deviation which every gap has; without it, equal labels at the top would ask for no gap at all."""
INTERCEPT = 10.0
"""Prior deviation of the intercept of standardised targets."""
MOST_ROWS = 1000
"""Labels from which the hyper-parameters are learned; where there are more, as many drawn by chance."""
ITERATIONS = 80
LOWEST, HIGHEST = -9.0, 4.0
"""Bounds of the logarithms: from nothing to effects of 50 deviations, and a warp that is a line."""
JITTER = 1e-6


@dataclass(frozen=True)
class Learned:
    """What every fit learns besides its own parameters.

    Args:
        noise: the deviation of a label from the latent value.
        warp: from labels to the latent scale.
        surprise: minus the log density of the labels and the hyper-parameters, but for a constant.
    """

    noise: float
    warp: Warp
    surprise: float


def learn(
    covariance: Callable[[], Float[Tensor, "n n"]],
    parameters: Sequence[Tensor],
    priors: Float[Tensor, "h 2"],
    targets: Float[Tensor, " n"],
    warped: bool,
) -> Learned:
    """Set a model's parameters, with the noise and the warp; the same labels give the same ones.

    Args:
        covariance: of the latent function at the labels, with the parameters as they are.
        parameters: logarithms, which start where they are; h in all.
        priors: mean and deviation of each.
        targets: labels that `check_labels` has passed.
        warped: learn the warp's gap; otherwise the latent scale is a line.
    """
    flat, unit = Warp.fit(targets), MAD_TO_STD * float((targets - targets.median()).abs().median())
    unit = unit or flat.std
    warped = warped and bool((targets != targets[0]).any())
    own = torch.tensor([NOISE, GAP][: 1 + warped], dtype=torch.float64)
    logs, eye = own[:, 0].clone().requires_grad_(), torch.eye(len(targets), dtype=torch.float64)

    def cost() -> Tensor:
        latent, jacobian = _latent(flat(targets), unit / flat.std * (logs[1].exp() + NARROWEST) if warped else None)
        noisy = covariance() + ((2 * logs[0]).exp() + JITTER) * eye
        prior = prior_surprise(parameters_to_vector(parameters), priors) + prior_surprise(logs, own)
        return surprise(noisy, latent) - jacobian + prior

    descend(cost, [*parameters, logs])
    found = logs.detach().exp().tolist()
    warp = Warp.fit(targets, unit * (found[1] + NARROWEST)) if warped else flat
    with torch.no_grad():
        surprise_of_all = float(cost())
    return Learned(math.sqrt(found[0] ** 2 + JITTER), warp, surprise_of_all)


def inflation(scales: int, labels: int) -> float:
    """The factor of variances for what a fit of this many scales, the noise and the gap leaves unsure; at most 2.

    A rule of thumb, as if each had cost a label: from 50 labels of Once-for-All subnets, 80 % intervals for held-out
    labels hold 81.5 % of them, without it 76 %.
    """
    return 1 + min((scales + 2) / labels, 1.0)


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


def _latent(plain: Float[Tensor, " n"], gap: Float[Tensor, ""] | None) -> tuple[Float[Tensor, " n"], Float[Tensor, ""]]:
    """Warped targets, and the log of how much the warp stretches standardised ones, in all."""
    if gap is None:
        return plain, plain.new_zeros(())
    raw = -(plain.max() + gap - plain).log()
    deviation = raw.std(correction=0)
    return (raw - raw.mean()) / deviation, (raw - deviation.log()).sum()
