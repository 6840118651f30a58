"""SlotGP: an exact Gaussian process on slot rows, for few labels and properties that are not sums over slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from botorch.models import SingleTaskGP
from gpytorch.means import ZeroMean
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from graphs.errors import InvalidOption
from predictors.slot_evidence import INTERCEPT, evidence_rows, inflation, learn
from predictors.slot_features import SlotFeatures, slot_features
from predictors.slot_kernel import Describe, SlotKernel
from predictors.slot_predictor import SlotScore, Warp, check_labels, check_rows

MOST_LABELS = 3000
WAVES = 1024
"""Random features of a draw for each stationary part of the kernel."""
CHUNK = 2048


@final
@dataclass(frozen=True, eq=False)
class SlotGP:
    """A `SlotPredictor`; made by `fit_slot_gp`.

    Args:
        model: the BoTorch model; its inputs are rows as floats, its outputs latent values.
        warp: from labels to the latent scale; monotone.
        noise: the deviation of a label from the latent value.
        inflation: the factor of all variances for the uncertainty of the hyper-parameters.
    """

    model: SingleTaskGP
    warp: Warp
    noise: float
    inflation: float
    _seen: list[Tensor]
    _root: Float[Tensor, "n n"]
    _solved: Float[Tensor, "n 1"]

    @torch.no_grad()
    def latent(self, values: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Posterior mean and variance on the latent scale."""
        kernel = self.model.covar_module
        check_rows(kernel.features.sizes, values)
        means, variances = [torch.zeros(0).double()], [torch.zeros(0).double()]
        for rows in values.split(CHUNK):  # type: ignore[no-untyped-call]
            embedded = kernel.embed(rows)
            cross = kernel.between(embedded, self._seen)
            means.append((cross @ self._solved)[:, 0])
            known = torch.linalg.solve_triangular(self._root, cross.T, upper=False).square().sum(0)
            variances.append(self.inflation * (kernel.variance(embedded) - known).clamp(min=1e-12))
        return torch.cat(means), torch.cat(variances)

    def predict(self, values: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        return self.warp.moments(*self.latent(values))

    @torch.no_grad()
    def draw(self, seed: int) -> SlotScore:
        """One function of the posterior by Matheron's rule: the additive part exactly, the rest from `WAVES` waves."""
        rng = torch.Generator().manual_seed(seed)
        prior = _PriorDraw.sample(self.model.covar_module, rng)
        noise = self.noise * torch.randn(len(self._root), generator=rng, dtype=torch.float64)
        kernel, rows = self.model.covar_module, self.model.train_inputs[0].round().long()
        misfit = torch.cholesky_solve((prior(rows) + noise)[:, None], self._root)
        change = self._solved - misfit

        @torch.no_grad()
        def score(values: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
            check_rows(kernel.features.sizes, values)
            found = [torch.zeros(0, dtype=torch.float64)]
            for rows in values.split(CHUNK):  # type: ignore[no-untyped-call]
                cross = kernel.between(kernel.embed(rows), self._seen)
                mean, away = cross @ self._solved, prior(rows) + (cross @ (change - self._solved))[:, 0]
                found.append(mean[:, 0] + self.inflation**0.5 * away)
            return self.warp.inverse(torch.cat(found))

        return score


@dataclass(frozen=True, eq=False)
class _PriorDraw:
    """A function of the prior, waves in place of its stationary parts (Rahimi and Recht 2007, Algorithm 1)."""

    kernel: SlotKernel
    table: Float[Tensor, "total w"]
    turns: Float[Tensor, "d w"]
    shifts: Float[Tensor, "k w"]
    heights: Float[Tensor, "k w"]
    linear: Float[Tensor, "total 1"]
    constant: float

    @staticmethod
    def sample(kernel: SlotKernel, rng: torch.Generator) -> _PriorDraw:
        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=rng, dtype=torch.float64)

        linear, agreement = kernel.linear_table(), kernel.agreement_table()
        scales = kernel.positive("scales")[kernel.additive :, None]
        shifts = 2 * torch.pi * torch.rand(len(scales), WAVES, generator=rng, dtype=torch.float64)
        return _PriorDraw(
            kernel,
            agreement @ normal(agreement.shape[1], WAVES),
            normal(kernel.width, WAVES) / normal(1, WAVES).abs(),  # a multivariate Cauchy variable
            shifts,
            scales * (2 / WAVES) ** 0.5 * normal(len(scales), WAVES),
            linear @ normal(linear.shape[1], 1),
            float(INTERCEPT * normal(1)),
        )

    def __call__(self, values: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        numbers = self.kernel.features.singles(values)
        found = self.constant + embedding_bag(numbers, self.linear, mode="sum")[:, 0]
        waves = embedding_bag(numbers, self.table, mode="sum")
        found += (waves + self.shifts[0]).cos() @ self.heights[0]
        if len(self.shifts) > 1:
            found += (self.kernel.descriptors(values) @ self.turns + self.shifts[1]).cos() @ self.heights[1]
        return found


def fit_slot_gp(
    slots: SlotFeatures | Sequence[int],
    values: Int[Tensor, "n s"],
    targets: Float[Tensor, " m"],
    *,
    describe: Describe | None = None,
    warped: bool = True,
) -> SlotGP:
    """Learn from labels; the same labels give the same predictor.

    Args:
        slots: the slots' sizes, or what else is known about them; pairs have no use here, agreement covers them.
        values: complete rows.
        targets: their labels, larger is better where `warped`.
        describe: numbers of a whole row that matter; called on rows of any number, must not depend on labels.
        warped: see `fit_additive`.

    Raises:
        InvalidOption: fewer than 2 labels or more than `MOST_LABELS`, not one finite label a row, or a row that is not
            complete.
    """
    features = slots if isinstance(slots, SlotFeatures) else slot_features(slots)
    targets = targets.double()
    check_labels(features.sizes, values, targets)
    if len(targets) > MOST_LABELS:
        raise InvalidOption(f"{len(targets)} labels, an exact GP takes {MOST_LABELS}; use fit_additive or fewer labels")
    kept = evidence_rows(targets)
    kernel, rows = SlotKernel(features, describe, values), values[kept]

    def covariance() -> Tensor:
        seen = kernel.embed(rows)
        return kernel.between(seen, seen)

    learned = learn(covariance, list(kernel.parameters()), kernel.priors, targets[kept], warped)
    latent = learned.warp(targets)
    with torch.no_grad():
        seen = kernel.embed(values)
        noisy = kernel.between(seen, seen) + learned.noise**2 * torch.eye(len(latent), dtype=torch.float64)
        root = torch.linalg.cholesky(noisy)
        solved = torch.cholesky_solve(latent[:, None], root)
        model = _model(values, latent, kernel, learned.noise)
    factor = inflation(len(kernel.log_scales), len(targets))
    return SlotGP(model, learned.warp, learned.noise, factor, seen, root, solved)


def _model(values: Tensor, latent: Tensor, kernel: SlotKernel, noise: float) -> SingleTaskGP:
    """The BoTorch model of what was learned, for its posteriors and acquisitions."""
    model = SingleTaskGP(
        values.double(),
        latent[:, None],
        torch.full_like(latent, noise**2)[:, None],
        covar_module=kernel,
        mean_module=ZeroMean(),
        outcome_transform=None,
    )
    return model.eval()
