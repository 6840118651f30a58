"""FiniteModel: a joint posterior over some candidates, computed once, as a BoTorch model over their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from jaxtyping import Float
from torch import Tensor

JITTER = 1e-8
"""Added to every variance, so that what is known exactly can be sampled too."""


class FiniteModel(Model):
    """Graphs cost a kernel evaluation each; with their joint posterior at hand, every acquisition is indexing.

    Inputs are the candidates' numbers, as "... q 1"; outputs are independent of each other.

    Args:
        means: of each candidate and output.
        covariances: of the candidates, one for each output.
    """

    def __init__(self, means: Float[Tensor, "n m"], covariances: Sequence[Float[Tensor, "n n"]]) -> None:
        super().__init__()
        self._means, self._covariances = means, tuple(covariances)

    @property
    def num_outputs(self) -> int:
        return self._means.shape[1]

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size()

    def posterior(self, X: Tensor, *_: Any, **__: Any) -> GPyTorchPosterior:
        at = X[..., 0].long()
        pairs = at.unsqueeze(-1), at.unsqueeze(-2)
        eye = JITTER * torch.eye(at.shape[-1], dtype=self._means.dtype)
        parts = [
            MultivariateNormal(self._means[at, output], covariance[pairs] + eye)
            for output, covariance in enumerate(self._covariances)
        ]
        return GPyTorchPosterior(independent(parts))


class Given(Model):
    """A posterior that is known already, offered as a model whatever the inputs."""

    def __init__(self, posterior: GPyTorchPosterior) -> None:
        super().__init__()
        self._posterior = posterior

    @property
    def num_outputs(self) -> int:
        return int(self._posterior.mean.shape[-1])

    def posterior(self, X: Tensor, *_: Any, **__: Any) -> Posterior:
        return self._posterior


def independent(parts: Sequence[MultivariateNormal]) -> MultivariateNormal:
    """Several outputs that are independent of each other, as one distribution."""
    return parts[0] if len(parts) == 1 else MultitaskMultivariateNormal.from_independent_mvns(list(parts))
