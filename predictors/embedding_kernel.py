"""EmbeddingKernel: a Gaussian kernel on embeddings, with an unknown mean."""

from __future__ import annotations

import gpytorch
import torch
from jaxtyping import Float
from torch import Tensor, nn

PRIORS = ((0.0, 1.0), (0.0, 1.0))
"""Mean and deviation of the log of the scale and of the length."""


class EmbeddingKernel(gpytorch.kernels.Kernel):  # type: ignore[misc]
    """k(x, y) = 1 + s exp(-|x - y|^2 / (2 l^2)), for standardised targets and squared distances of about 1."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = nn.Parameter(torch.tensor(PRIORS, dtype=torch.float64)[:, 0].clone())

    @property
    def priors(self) -> Float[Tensor, "2 2"]:
        """Mean and deviation of the logarithms of s and l."""
        return torch.tensor(PRIORS, dtype=torch.float64)

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: object) -> Tensor:
        """The covariance of rows of embeddings."""
        scale, length = self.logs.exp()
        if diag:
            shared: Tensor = (1 + scale).expand(x1.shape[:-1])
            return shared
        found: Tensor = 1 + scale * torch.exp(-squared_distances(x1 / length, x2 / length) / 2)
        return found


def squared_distances(left: Float[Tensor, "*e l d"], right: Float[Tensor, "*e r d"]) -> Float[Tensor, "*e l r"]:
    """Of each pair of rows."""
    norms = left.square().sum(-1)[..., :, None] + right.square().sum(-1)[..., None, :]
    found: Tensor = (norms - 2 * left @ right.transpose(-1, -2)).clamp(min=0)
    return found
