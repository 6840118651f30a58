"""What a campaign needs of a surrogate model and of a generator, declared beside their consumer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph


@runtime_checkable
class Surrogate(Protocol):
    """A probabilistic model of the objective over graphs, larger is better.

    The model works on its own monotone scale of the objective, so that expected improvement is taken where the model's
    Gaussian assumption fits; `predict` comes back to the objective's unit.
    """

    def fit(self, graphs: Sequence[ArchGraph], values: Float[np.ndarray, " n"]) -> None:
        """Learn from scratch; the same data give the same model."""

    @property
    def model(self) -> Model:
        """The BoTorch model, over the tensors that `inputs` gives."""

    def inputs(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m d"]:
        """The model's inputs for `graphs`."""

    def posterior(self, graphs: Sequence[ArchGraph]) -> Posterior:
        """The joint posterior of `graphs` on the model's scale."""

    def marginals(self, graphs: Sequence[ArchGraph]) -> GPyTorchPosterior:
        """The posterior of each graph alone, as m posteriors of one point; cheap for large pools."""

    def scale(self, value: float) -> float:
        """A value of the objective on the model's scale; infinite where it is beyond what the scale can express."""

    def unscale(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The inverse of `scale`."""

    def predict(self, graphs: Sequence[ArchGraph]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Mean and standard deviation of a new measurement of each graph, in the objective's unit."""


GraphScore = Callable[[Sequence[ArchGraph]], Float[np.ndarray, " m"]]


@runtime_checkable
class Generator(Protocol):
    """Draws architectures, tilted towards a high score."""

    def draw(self, count: int, score: GraphScore, seed: int) -> list[ArchGraph]:
        """`count` valid graphs, repeats allowed; the same arguments give the same graphs."""
