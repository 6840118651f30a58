"""A Gaussian-process kernel on ArchGraphs: a stationary kernel of learned, weighted distances between feature groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import gpytorch
import numpy as np
import scipy.sparse as sp
import torch
from gpytorch.priors import LogNormalPrior
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.features import FeatureGroup


class GraphFeatures:
    """The feature groups of every graph seen, each graph once; a graph's row number is what a GP takes as its input.

    Args:
        groups: named feature groups; counts enter as square roots.
    """

    def __init__(self, groups: Mapping[str, FeatureGroup]) -> None:
        self._groups = {name: _SparseCounts(group) for name, group in groups.items()}
        self._rows: dict[ArchGraph, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._groups)

    def rows(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m 1"]:
        """The row numbers of `graphs`, which are added where they are new."""
        for graph in graphs:
            if graph not in self._rows:
                self._rows[graph] = len(self._rows)
                for group in self._groups.values():
                    group.add(graph)
        return torch.tensor([[self._rows[graph]] for graph in graphs], dtype=torch.float64).reshape(-1, 1)

    def squared_distance(self, name: str, left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, "l r"]:
        """Squared Euclidean distances of the group's features between two lists of rows."""
        if len(right) > len(left):
            return self.squared_distance(name, right, left).T
        matrix = self._groups[name].matrix()
        a, b = matrix[left], matrix[right]
        norm_a, norm_b = a.multiply(a).sum(1), b.multiply(b).sum(1)
        used = np.unique(b.indices)
        dot = a[:, used] @ b[:, used].toarray().T
        return np.maximum(norm_a[:, None] + norm_b[None, :] - 2 * dot, 0.0)


class _SparseCounts:
    """One group's features, a row each, growing."""

    def __init__(self, group: FeatureGroup) -> None:
        self._group = group
        self._columns: dict[str, int] = {}
        self._places: list[int] = []
        self._values: list[float] = []
        self._ends = [0]
        self._matrix = sp.csr_array((0, 1))

    def add(self, graph: ArchGraph) -> None:
        for label, count in self._group(graph).items():
            self._places.append(self._columns.setdefault(label, len(self._columns)))
            self._values.append(count)
        self._ends.append(len(self._places))

    def matrix(self) -> sp.csr_array:
        rows = len(self._ends) - 1
        if self._matrix.shape[0] != rows:
            size = (rows, max(1, len(self._columns)))
            self._matrix = sp.csr_array((np.sqrt(self._values), self._places, self._ends), shape=size)
        return self._matrix


class GraphKernel(gpytorch.kernels.Kernel):
    """Matern-5/2 of r^2 = sum over groups g of w_g d_g(x, x')^2 / m_g, with m_g the mean squared distance in training.

    Each d_g is a Euclidean distance, so r is one and the kernel is positive definite. The weights w_g are learned by
    marginal likelihood under log-normal priors; they say which group of features matters.

    Args:
        features: holds the graphs; inputs are its row numbers, shape "... m 1".
        training: rows that set the scales m_g.
        weight_prior_scale: standard deviation of log w_g.
    """

    is_stationary = False
    has_lengthscale = False

    def __init__(self, features: GraphFeatures, training: np.ndarray, weight_prior_scale: float = 1.0) -> None:
        super().__init__()
        self.features = features
        self.scales = {
            name: max(float(features.squared_distance(name, training, training).mean()), 1e-9) for name in features.names
        }
        count = len(features.names)
        self.register_parameter("raw_weights", torch.nn.Parameter(torch.zeros(count, dtype=torch.float64)))
        self.register_constraint("raw_weights", gpytorch.constraints.Positive(torch.exp, torch.log))
        self.weights = torch.full((count,), 1.4 / count, dtype=torch.float64)
        self.register_prior(
            "weight_prior", LogNormalPrior(float(np.log(1.4 / count)), weight_prior_scale), lambda kernel: kernel.weights
        )
        self._cache: dict[tuple[bytes, bytes], Tensor] = {}

    @property
    def weights(self) -> Float[Tensor, " g"]:
        return self.raw_weights_constraint.transform(self.raw_weights)

    @weights.setter
    def weights(self, value: Tensor) -> None:
        self.initialize(raw_weights=self.raw_weights_constraint.inverse_transform(value))

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: object) -> Tensor:
        if diag:
            return torch.ones(x1.shape[:-1], dtype=torch.float64)
        left, at_left = torch.unique(x1[..., 0].long(), return_inverse=True)
        right, at_right = torch.unique(x2[..., 0].long(), return_inverse=True)
        squared = torch.einsum("g,glr->lr", self.weights, self._distances(left.numpy(), right.numpy()))
        distance = (5 * squared + 1e-12).sqrt()
        table = (1 + distance + distance**2 / 3) * (-distance).exp()
        return table[at_left[..., :, None], at_right[..., None, :]]

    def _distances(self, left: np.ndarray, right: np.ndarray) -> Float[Tensor, "g l r"]:
        """Scaled squared distances for each group; the last one is kept, for the many calls of a fit."""
        key = (left.tobytes(), right.tobytes())
        if key not in self._cache:
            found = [self.features.squared_distance(name, left, right) / scale for name, scale in self.scales.items()]
            self._cache = {key: torch.from_numpy(np.stack(found))}
        return self._cache[key]
