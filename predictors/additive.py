"""Additive predictor: Bayesian linear regression on one effect for each slot's value and each pair inside a group.

The effects are Gaussian with the covariance that the terms of `SlotFeatures` span. On the warped, latent scale the mean
and each posterior draw are sums over parts, so that a dynamic programme can use them exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from predictors.additive_function import AdditiveFunction
from predictors.slot_evidence import INTERCEPT, SCALE, Learned, evidence_rows, inflation, learn
from predictors.slot_features import SlotFeatures, slot_features
from predictors.slot_predictor import SlotScore, Warp, check_labels, check_rows

CHUNK = 4096
PAIRS = "pairs"
"""The name of the pairs' scale."""


@final
@dataclass(frozen=True, eq=False)
class AdditivePredictor:
    """A `SlotPredictor` whose latent scale is additive over slots and groups; made by `fit_additive`.

    Args:
        mean: the posterior mean of the latent function.
        warp: from labels to the latent scale; monotone, so the best row is the same on both.
        noise: the deviation of a label from the latent value.
        scales: the prior deviation of each term of the features, and of the pairs.
        inflation: the factor of all variances for the uncertainty of the hyper-parameters.
    """

    mean: AdditiveFunction
    warp: Warp
    noise: float
    scales: Mapping[str, float]
    inflation: float
    _prior: _Prior
    _data: _Data

    @property
    def effects(self) -> list[Float[Tensor, " _"]]:
        """The mean latent effect of each value of each slot, pairs left out."""
        return self.mean.effects

    @property
    def intercept(self) -> float:
        """The mean latent intercept."""
        return self.mean.intercept

    def part_score(self, part: Sequence[int], configurations: Int[Tensor, "c p"]) -> Float[Tensor, " c"]:
        """See `AdditiveFunction.part_score`; of the mean."""
        return self.mean.part_score(part, configurations)

    def latent(self, values: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Posterior mean and variance on the latent scale."""
        check_rows(self.mean.features.sizes, values)
        parts = [self._variance(rows) for rows in values.split(CHUNK)]  # type: ignore[no-untyped-call]
        return self.mean(values), torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)

    def predict(self, values: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        return self.warp.moments(*self.latent(values))

    def draw_effects(self, seed: int) -> AdditiveFunction:
        """An exact draw of all effects from their joint posterior (Matheron's rule)."""
        rng = torch.Generator().manual_seed(seed)
        prior, data = self._prior, self._data
        sample = prior.draw(rng)
        noise = data.noise * torch.randn(len(data.targets), generator=rng, dtype=torch.float64)
        misfit = torch.cholesky_solve((data.targets - data.design @ sample - noise)[:, None], data.root)[:, 0]
        drawn = sample + prior.times(data.design.T @ misfit)
        mean = torch.cat([torch.tensor([self.intercept], dtype=torch.float64), self.mean.weights])
        drawn = mean + math.sqrt(self.inflation) * (drawn - mean)
        return AdditiveFunction(self.mean.features, drawn[1:], float(drawn[0]))

    def draw(self, seed: int) -> SlotScore:
        function = self.draw_effects(seed)

        def score(values: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
            check_rows(function.features.sizes, values)
            return self.warp.inverse(function(values))

        return score

    def _variance(self, values: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        features, prior = self.mean.features, self._prior
        before = embedding_bag(features.singles(values), prior.root, mode="sum").square().sum(1)
        before += INTERCEPT**2 + prior.pairs**2 * len(features.pairs)
        known = self._data.explained[0] + embedding_bag(features.active(values), self._data.explained[1:], mode="sum")
        return self.inflation * (before - known.square().sum(1)).clamp(min=1e-12)


@dataclass(frozen=True, eq=False)
class _Prior:
    """Independent parts of the prior of (intercept, single effects, pair effects)."""

    root: Float[Tensor, "total d"]
    pairs: float
    effects: int

    def times(self, weights: Float[Tensor, "w ..."]) -> Float[Tensor, "w ..."]:
        """The covariance times `weights`."""
        total = 1 + len(self.root)
        singles = self.root @ (self.root.T @ weights[1:total])
        return torch.cat([INTERCEPT**2 * weights[:1], singles, self.pairs**2 * weights[total:]])

    def draw(self, rng: torch.Generator) -> Float[Tensor, " w"]:
        """A sample of it."""
        counts = (1, self.root.shape[1], self.effects - len(self.root))
        first, singles, pairs = (torch.randn(count, generator=rng, dtype=torch.float64) for count in counts)
        return torch.cat([INTERCEPT * first, self.root @ singles, self.pairs * pairs])


@dataclass(frozen=True, eq=False)
class _Data:
    """What was seen, or as many combinations of rows as there are effects, which say the same."""

    design: Float[Tensor, "n w"]
    targets: Float[Tensor, " n"]
    noise: float
    root: Float[Tensor, "n n"]
    explained: Float[Tensor, "w n"]


def fit_additive(
    slots: SlotFeatures | Sequence[int],
    values: Int[Tensor, "n s"],
    targets: Float[Tensor, " m"],
    *,
    warped: bool = True,
) -> AdditivePredictor:
    """Learn from labels; the same labels give the same predictor.

    Args:
        slots: the slots' sizes, or what else is known about them.
        values: complete rows.
        targets: their labels, larger is better where `warped`.
        warped: learn a scale that saturates above the labels, as accuracies do, on which effects add up; otherwise the
            latent scale is the label's, standardised.

    Raises:
        InvalidOption: fewer than 2 labels, not one finite label a row, or a row that is not complete.
    """
    features = slots if isinstance(slots, SlotFeatures) else slot_features(slots)
    targets = targets.double()
    check_labels(features.sizes, values, targets)
    scales, learned = _learn(features, values, targets, warped)
    bases = [scales[name] * basis for name, basis in features.terms.items()]
    pairs = scales[PAIRS] / math.sqrt(features.pair_variance) if features.pairs else 0.0
    prior = _Prior(_root(torch.cat(bases, 1)), pairs, features.pair_offsets[-1])
    data = _observe(prior, features.active(values), learned.warp(targets), learned.noise)
    weights = prior.times(data.design.T @ torch.cholesky_solve(data.targets[:, None], data.root)[:, 0])
    mean = AdditiveFunction(features, weights[1:], float(weights[0]))
    return AdditivePredictor(
        mean, learned.warp, learned.noise, scales, inflation(len(scales), len(targets)), prior, data
    )


def _learn(
    features: SlotFeatures, values: Int[Tensor, "n s"], targets: Float[Tensor, " n"], warped: bool
) -> tuple[dict[str, float], Learned]:
    """The deviations of the terms and of the pairs; the noise and the warp."""
    kept = evidence_rows(targets)
    kernels = _kernels(features, values[kept])
    names = [*features.terms, *([PAIRS] if features.pairs else [])]
    priors = torch.tensor([SCALE] * len(names), dtype=torch.float64)
    logs = priors[:, 0].clone().requires_grad_()

    def covariance() -> Tensor:
        return ((2 * logs).exp() @ kernels.flatten(1)).view(kernels.shape[1:]) + INTERCEPT**2

    learned = learn(covariance, [logs], priors, targets[kept], warped)
    return dict(zip(names, logs.detach().exp().tolist(), strict=True)), learned


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


def _root(basis: Float[Tensor, "total d"]) -> Float[Tensor, "total r"]:
    """A matrix of no more columns than rows with the same B B^T."""
    values, vectors = torch.linalg.eigh(basis @ basis.T)
    kept = values > 1e-12 * values[-1:]
    root: Tensor = vectors[:, kept] * values[kept].sqrt()
    return root


def _observe(prior: _Prior, active: Int[Tensor, "n e"], targets: Float[Tensor, " n"], noise: float) -> _Data:
    """Labels as data; where they outnumber the effects, a rotation of them leaves all but that many without news."""
    if len(targets) <= 1 + prior.effects:
        design = _design(active, prior.effects)
    else:
        gram = torch.zeros(1 + prior.effects, 1 + prior.effects, dtype=torch.float64)
        right = gram.new_zeros(len(gram))
        for rows, some in zip(active.split(CHUNK), targets.split(CHUNK), strict=True):  # type: ignore[no-untyped-call]
            design = _design(rows, prior.effects)
            gram += design.T @ design
            right += design.T @ some
        values, vectors = torch.linalg.eigh(gram)
        kept = values > 1e-10 * values[-1]
        design = values[kept].sqrt()[:, None] * vectors[:, kept].T
        targets = (vectors[:, kept].T @ right) / values[kept].sqrt()
    spread = prior.times(design.T)
    root = torch.linalg.cholesky(design @ spread + noise**2 * torch.eye(len(design), dtype=torch.float64))
    explained = torch.linalg.solve_triangular(root, spread.T, upper=False).T.contiguous()
    return _Data(design, targets, noise, root, explained)


def _design(active: Int[Tensor, "n e"], effects: int) -> Float[Tensor, "n w"]:
    """1 for the intercept and for each effect that a row has, else 0."""
    design = torch.zeros(len(active), 1 + effects, dtype=torch.float64).scatter_(1, 1 + active, 1.0)
    design[:, 0] = 1.0
    return design
