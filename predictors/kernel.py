"""A kernel on ArchGraphs: a sum of stationary kernels, each over a weighted distance between feature groups."""

from __future__ import annotations

from collections.abc import Sequence

import gpytorch
import numpy as np
import torch
from gpytorch.priors import LogNormalPrior
from jaxtyping import Float
from torch import Tensor

from predictors.feature_table import FeatureTable

WEIGHT_TOTAL = 0.7
"""Prior mode of a term's weights in all: graphs at the mean distance then correlate with exp(-0.84) = 0.43."""


class GraphKernel(gpytorch.kernels.Kernel):  # type: ignore[misc]
    """k(x, x') = 1 + sum over terms t of s_t f(sum over groups g of t of w_g D_g(x, x')).

    D_g is half the squared Euclidean distance of the group's features over its mean on random graphs of the space. f(D)
    is exp(-sqrt(D)), a Matern-1/2 kernel on a Euclidean embedding, or exp(-D) where smooth, a Gaussian one, so the sum
    is positive definite. The 1 stands for an
    unknown mean. Scales s and weights w are learned by marginal likelihood under log-normal priors; the weights say
    which group of features matters.

    Args:
        table: the features; inputs are its row numbers, shape "... m 1".
        terms: for each term the names of its groups.
        smooth: whether the terms are Gaussian kernels.
    """

    def __init__(self, table: FeatureTable, terms: Sequence[Sequence[str]], smooth: bool = False) -> None:
        super().__init__()
        self.table = table
        self.smooth = smooth
        self.groups = tuple(name for term in terms for name in term)
        self.term_sizes = [len(term) for term in terms]
        weights = torch.tensor([WEIGHT_TOTAL / size for size in self.term_sizes for _ in range(size)]).double()
        scales = torch.full((len(terms),), 1 / len(terms)).double()
        self._add("weights", weights)
        self._add("scales", scales)
        self._cache: dict[tuple[bytes, bytes], Tensor] = {}

    def _add(self, name: str, mode: Tensor) -> None:
        """A positive parameter with a prior that is Gaussian in its logarithm, of deviation 1 around log `mode`."""
        self.register_parameter(f"raw_{name}", torch.nn.Parameter(mode.log()))
        self.register_prior(f"{name}_prior", LogNormalPrior(mode.log() + 1, 1.0), lambda kernel: kernel.positive(name))

    def positive(self, name: str) -> Float[Tensor, " p"]:
        """The parameter `weights` or `scales`."""
        return torch.exp(getattr(self, f"raw_{name}").clamp(-8, 4))

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: object) -> Tensor:
        if diag:
            return (1 + self.positive("scales").sum()).expand(x1.shape[:-1])
        left, at_left = _distinct(x1[..., 0])
        right, at_right = _distinct(x2[..., 0])
        learning = self.raw_weights.requires_grad
        table = self.of_distances(self._distances(left, right)) if learning else self._fixed(left, right)
        return table[at_left[..., :, None], at_right[..., None, :]]

    def _fixed(self, left: np.ndarray, right: np.ndarray) -> Float[Tensor, "l r"]:
        """The kernel where nothing is learned any more: one product adds up the distances of a term's groups."""
        found = torch.ones(len(left), len(right), dtype=torch.float64)
        names, weights = iter(self.groups), iter(self.positive("weights").tolist())
        for scale, size in zip(self.positive("scales"), self.term_sizes, strict=True):
            term = {next(names): next(weights) for _ in range(size)}
            found += scale * torch.exp(-self._length(torch.from_numpy(self.table.weighted(term, left, right))))
        return found

    def of_distances(self, distances: Float[Tensor, "g l r"]) -> Float[Tensor, "l r"]:
        """The kernel where D_g is known for each group, in the order of `groups`."""
        parts = zip(
            self.positive("scales"),
            self.positive("weights").split(self.term_sizes),  # type: ignore[no-untyped-call]
            distances.split(self.term_sizes),  # type: ignore[no-untyped-call]
            strict=True,
        )
        found = [
            scale * torch.exp(-self._length(torch.einsum("g,glr->lr", weight, distance)))
            for scale, weight, distance in parts
        ]
        return 1 + torch.stack(found).sum(0)

    def _length(self, distance: Float[Tensor, "l r"]) -> Float[Tensor, "l r"]:
        return distance if self.smooth else distance.add(1e-12).sqrt()

    @property
    def priors(self) -> Float[Tensor, "h 2"]:
        """Mean and deviation of the logarithm of each parameter, in the order of `parameters`, where it starts."""
        raw = torch.cat([parameter.detach() for parameter in self.parameters()])
        return torch.stack([raw, torch.ones_like(raw)], 1)

    def _distances(self, left: np.ndarray, right: np.ndarray) -> Float[Tensor, "g l r"]:
        """Half the scaled squared distances for each group; the last one is kept, for the many calls of a fit."""
        key = (left.tobytes(), right.tobytes())
        if key not in self._cache:
            found = {name: self.table.distance(name, left, right) for name in dict.fromkeys(self.groups)}
            self._cache = {key: torch.from_numpy(np.stack([found[name] for name in self.groups]))}
        return self._cache[key]


def _distinct(rows: Tensor) -> tuple[np.ndarray, Tensor]:
    """The distinct rows in the order in which they first appear, and the place of each row among them.

    Sorted by row number they would stand in the order in which this process met the graphs, and vectorised functions
    round differently in different places, so a campaign that was opened again would get another model.
    """
    numbers, first, inverse = np.unique(rows.numpy().astype(np.int64), return_index=True, return_inverse=True)
    order = first.argsort()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return numbers[order], torch.from_numpy(place[inverse.reshape(rows.shape)])
