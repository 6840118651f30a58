"""WLGP: a Gaussian process over ArchGraphs with a Weisfeiler-Lehman feature kernel, as a BoTorch model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.posteriors import Posterior
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError
from predictors.features import FeatureGroup, first_ops, last_ops, paths, shape, wl_labels
from predictors.kernel import GraphFeatures, GraphKernel
from predictors.targets import GapTransform

GROUPS: Mapping[str, FeatureGroup] = {
    "wl0": wl_labels(0),
    "first": first_ops,
    "last": last_ops,
    "paths": paths,
    "shape": shape,
}
QUANTILES = 64
ITERATIONS = 60


class WLGP:
    """A surrogate that is fitted from scratch: exact GP, weights, scale and noise by penalised marginal likelihood.

    Targets are transformed by `GapTransform`, since accuracies have a long tail of bad architectures that would
    otherwise set the scale.

    Args:
        simplify: what is seen of a graph, usually `space.network`, so that equal networks have equal features.
        groups: the feature groups of the kernel.
        features: a cache of features to share between fits; made anew unless given.
    """

    def __init__(
        self,
        simplify: Callable[[ArchGraph], ArchGraph],
        groups: Mapping[str, FeatureGroup] = GROUPS,
        features: GraphFeatures | None = None,
    ) -> None:
        self._simplify = simplify
        self._features = features or GraphFeatures(groups)
        self._fitted: tuple[SingleTaskGP, GapTransform] | None = None

    def fit(self, graphs: Sequence[ArchGraph], values: Float[np.ndarray, " n"]) -> None:
        """Learn from `values`, larger is better; the same data give the same model.

        Raises:
            EvaluationError: fewer than two values, or one that is not finite.
        """
        if len(values) < 2 or len(values) != len(graphs) or not np.isfinite(values).all():
            raise EvaluationError(
                f"cannot fit {len(values)} values for {len(graphs)} graphs; expected at least 2, one a graph, all finite"
            )
        transform = GapTransform.fit(values)
        x = self.inputs(graphs)
        y = torch.from_numpy(transform(values))[:, None]
        kernel = GraphKernel(self._features, x[:, 0].long().numpy())
        covariance = ScaleKernel(kernel, outputscale_prior=LogNormalPrior(0.0, 0.7))
        covariance.outputscale = torch.tensor(1.0, dtype=torch.float64)
        model = SingleTaskGP(x, y, likelihood=_likelihood(), covar_module=covariance, outcome_transform=None)
        fit_gpytorch_mll(
            ExactMarginalLogLikelihood(model.likelihood, model),
            optimizer_kwargs={"options": {"maxiter": ITERATIONS}},
            max_attempts=1,
            warning_handler=lambda _: True,
        )
        self._fitted = (model, transform)

    @property
    def model(self) -> SingleTaskGP:
        """The BoTorch model; its inputs are the row numbers that `inputs` gives, its outputs transformed targets."""
        return self._ready()[0]

    @property
    def best(self) -> float:
        """The largest transformed training target."""
        return float(self.model.train_targets.max())

    def inputs(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m 1"]:
        """The model's inputs."""
        return self._features.rows([self._simplify(graph) for graph in graphs])

    def posterior(self, graphs: Sequence[ArchGraph]) -> Posterior:
        """The joint posterior of the noise-free transformed objective."""
        return self.model.posterior(self.inputs(graphs))

    def predict(self, graphs: Sequence[ArchGraph]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Mean and standard deviation of a new measurement, noise included, in the objective's unit.

        The transformed posterior is Gaussian; its image is integrated over `QUANTILES` equally likely values.
        """
        model, transform = self._ready()
        with torch.no_grad():
            posterior = model.posterior(self.inputs(graphs), observation_noise=True)
        mean, std = posterior.mean[:, 0].numpy(), posterior.variance[:, 0].sqrt().numpy()
        levels = torch.special.ndtri((torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES).numpy()
        values = transform.inverse(mean[:, None] + std[:, None] * levels)
        return values.mean(1), values.std(1)

    def group_weights(self) -> dict[str, float]:
        """How much each feature group matters: its learned weight in the squared distance."""
        weights = self.model.covar_module.base_kernel.weights.detach().tolist()
        return dict(zip(self._features.names, weights, strict=True))

    def _ready(self) -> tuple[SingleTaskGP, GapTransform]:
        if self._fitted is None:
            raise EvaluationError("this model has seen no data; call fit first")
        return self._fitted


def _likelihood() -> GaussianLikelihood:
    likelihood = GaussianLikelihood(noise_prior=LogNormalPrior(np.log(0.1), 1.0), noise_constraint=GreaterThan(1e-4))
    likelihood.noise = torch.tensor(0.1, dtype=torch.float64)
    return likelihood.double()
