"""WLGP: a Gaussian process over ArchGraphs with a Weisfeiler-Lehman feature kernel, as a BoTorch model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.constraints import GreaterThan
from gpytorch.distributions import MultivariateNormal
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.means import ZeroMean
from gpytorch.priors import LogNormalPrior
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError
from graphs.space import SearchSpace
from predictors.encodings import Encodings, terms_of
from predictors.feature_table import FeatureTable
from predictors.own_value_kernel import OwnValueKernel
from predictors.slot_evidence import descend, prior_surprise, surprise
from predictors.targets import GapTransform

NOISE = 0.01
"""Prior mode of the variance, for standardised targets, by which two measurements of one network differ. Unless there
are several of one, all that is not shared by networks counts as a network's own value."""
MOST_ROWS = 300
"""Values from which weights, scales and noise are learned; where there are more, the best half of as many and others
by chance. All values decide the posterior."""
LEAST_NOISE = 1e-4
JITTER = 1e-6
QUANTILES = 64
CHUNK = 4096


class WLGP:
    """A surrogate that is fitted from scratch: exact GP, weights, scale and noise by penalised marginal likelihood.

    Targets are transformed by `GapTransform`, since accuracies have a long tail of bad architectures that would
    otherwise set the scale.

    Args:
        table: the features of the space's graphs, to be shared between fits; see `feature_table`.
    """

    def __init__(self, table: FeatureTable) -> None:
        self._table = table
        self._fitted: tuple[SingleTaskGP, GapTransform] | None = None

    def fit(self, graphs: Sequence[ArchGraph], values: Float[np.ndarray, " n"]) -> None:
        """Learn from `values`, larger is better; the same data give the same model.

        Raises:
            EvaluationError: fewer than two values, or one that is not finite.
        """
        if len(values) < 2 or len(values) != len(graphs) or not np.isfinite(values).all():
            raise EvaluationError(
                f"cannot fit {len(values)} values for {len(graphs)} graphs; expected at least 2, one each, all finite"
            )
        transform = GapTransform.fit(values)
        x = self.inputs(graphs)
        y = torch.from_numpy(transform(values))[:, None]
        kernel = OwnValueKernel(self._table, terms_of(self._table.names), smooth=True)
        likelihood = _likelihood()
        rows = _evidence_rows(y[:, 0])
        likelihood.noise = _learn(kernel, x[rows], y[rows, 0])
        model = SingleTaskGP(
            x, y, likelihood=likelihood, covar_module=kernel, mean_module=ZeroMean(), outcome_transform=None
        )
        model.requires_grad_(False)
        self._fitted = (model, transform)
        self.__dict__.pop("_factor", None)

    @property
    def model(self) -> SingleTaskGP:
        """The BoTorch model; its inputs are the row numbers that `inputs` gives, its outputs transformed targets."""
        return self._ready()[0]

    def scale(self, value: float) -> float:
        """An objective value as the model sees it."""
        return float(self._ready()[1](np.array(value)))

    def unscale(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The inverse of `scale`."""
        return torch.as_tensor(self._ready()[1].inverse(values.numpy()))

    def inputs(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m 1"]:
        """The model's inputs."""
        return self._table.rows(graphs)

    def posterior(self, graphs: Sequence[ArchGraph]) -> Posterior:
        """The joint posterior of the noise-free transformed objective."""
        return self.model.posterior(self.inputs(graphs))

    def marginals(self, graphs: Sequence[ArchGraph]) -> GPyTorchPosterior:
        """The posterior of each graph alone, as a batch of m posteriors of one point, in chunks of `CHUNK` graphs.

        Equal to the diagonal of `posterior`, whose covariance of all pairs is never built.
        """
        model, x = self.model, self.inputs(graphs)
        with torch.no_grad():
            seen, (root, solved) = model.train_inputs[0], self._factor
            means, variances = [], []
            for part in x.split(CHUNK):  # type: ignore[no-untyped-call]
                cross = model.covar_module(part, seen).to_dense()
                means.append(cross @ solved)
                explained = torch.linalg.solve_triangular(root, cross.T, upper=False).square().sum(0)
                variances.append(model.covar_module(part, diag=True) - explained)
            mean, variance = torch.cat(means), torch.cat(variances).clamp(min=1e-10)
        return GPyTorchPosterior(MultivariateNormal(mean, variance[:, None, None]))

    @cached_property
    def _factor(self) -> tuple[Tensor, Tensor]:
        """The Cholesky factor of the training covariance with noise, and the targets solved by it, once a fit."""
        model = self.model
        seen = model.train_inputs[0]
        covariance = model.covar_module(seen).to_dense() + model.likelihood.noise * torch.eye(
            len(seen), dtype=seen.dtype
        )
        root = torch.linalg.cholesky(covariance)
        return root, torch.cholesky_solve(model.train_targets[:, None], root)

    def predict(self, graphs: Sequence[ArchGraph]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Mean and standard deviation of a new measurement, noise included, in the objective's unit.

        The transformed posterior is Gaussian; its image is integrated over `QUANTILES` equally likely values.
        """
        model, transform = self._ready()
        found = self.marginals(graphs)
        mean = found.mean[:, 0, 0].numpy()
        std = (found.variance[:, 0, 0] + model.likelihood.noise.detach()).sqrt().numpy()
        levels = torch.special.ndtri((torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES).numpy()
        values = transform.inverse(mean[:, None] + std[:, None] * levels)
        return values.mean(1), values.std(1)

    def group_weights(self) -> dict[str, float]:
        """How much each feature group matters: its learned weight in the squared distance of all terms."""
        kernel = self.model.covar_module
        found: dict[str, float] = {}
        for name, weight in zip(kernel.groups, kernel.positive("weights").tolist(), strict=True):
            found[name] = found.get(name, 0.0) + weight
        return found

    def _ready(self) -> tuple[SingleTaskGP, GapTransform]:
        if self._fitted is None:
            raise EvaluationError("this model has seen no data; call fit first")
        return self._fitted


def feature_table(space: SearchSpace) -> FeatureTable:
    """An empty table of the features that WLGP looks at."""
    return Encodings(space).table


def _learn(kernel: OwnValueKernel, x: Float[Tensor, "n 1"], targets: Float[Tensor, " n"]) -> float:
    """Set the kernel's parameters to those of most evidence; returns the noise variance that goes with them."""
    own = torch.tensor([[math.log(NOISE), 1.0]], dtype=torch.float64)
    log_noise, parameters = own[:, 0].clone().requires_grad_(), list(kernel.parameters())
    priors, eye = kernel.priors, torch.eye(len(targets), dtype=torch.float64)

    def cost() -> Tensor:
        noisy = kernel.forward(x, x) + (log_noise.exp() + JITTER) * eye
        logs = parameters_to_vector(parameters)
        return surprise(noisy, targets) + prior_surprise(logs, priors) + prior_surprise(log_noise, own)

    descend(cost, [*parameters, log_noise])
    return float(log_noise.detach().exp()) + JITTER


def _evidence_rows(targets: Float[Tensor, " n"]) -> Int[Tensor, " m"]:
    """The rows to learn from, in their order; the same for the same targets."""
    if len(targets) <= MOST_ROWS:
        return torch.arange(len(targets))
    order = targets.argsort(descending=True, stable=True)
    others = torch.randperm(len(order) - MOST_ROWS // 2, generator=torch.Generator().manual_seed(0))
    chance = order[MOST_ROWS // 2 :][others[: MOST_ROWS - MOST_ROWS // 2]]
    return torch.cat([order[: MOST_ROWS // 2], chance]).sort().values


def _likelihood() -> GaussianLikelihood:
    """Noise with a prior that is Gaussian in its logarithm, of deviation 1 around log `NOISE`."""
    likelihood = GaussianLikelihood(
        noise_prior=LogNormalPrior(math.log(NOISE) + 1, 1.0),
        noise_constraint=GreaterThan(LEAST_NOISE, initial_value=NOISE),
    )
    return likelihood.double()
