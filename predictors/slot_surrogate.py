"""SlotSurrogate: the process on slots as a campaign's surrogate, for large spaces whose layout has no edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultivariateNormal
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError
from graphs.layout import Layout
from predictors.slot_features import slot_features
from predictors.slot_gp import SlotGP, fit_slot_gp


class SlotSurrogate:
    """A `bo.surrogate.Surrogate` on `predictors.slot_gp`, fitted from scratch each time.

    Args:
        layout: the space's; every network has one row.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._features = slot_features(
            layout.sizes, groups=layout.parts, shared=layout.alike, attributes=layout.attributes
        )
        self._fitted: SlotGP | None = None

    def fit(self, graphs: Sequence[ArchGraph], values: Float[np.ndarray, " n"]) -> None:
        """Learn from `values`, larger is better.

        Raises:
            EvaluationError: fewer than two values, or one that is not finite.
        """
        if len(values) < 2 or len(values) != len(graphs) or not np.isfinite(values).all():
            raise EvaluationError(
                f"cannot fit {len(values)} values for {len(graphs)} graphs; expected at least 2, one each, all finite"
            )
        rows = self.inputs(graphs).long()
        self._fitted = fit_slot_gp(self._features, rows, torch.from_numpy(np.asarray(values, dtype=np.float64)))
        self._fitted.model.requires_grad_(False)

    @property
    def model(self) -> SingleTaskGP:
        """The BoTorch model; its inputs are rows of the layout as floats."""
        return self._ready().model

    def inputs(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "m s"]:
        """The rows of the networks that the graphs build."""
        return self._layout.read([self._layout.space.network(graph) for graph in graphs]).double()

    def posterior(self, graphs: Sequence[ArchGraph]) -> Posterior:
        """The joint posterior on the model's scale."""
        return self.model.posterior(self.inputs(graphs))

    def marginals(self, graphs: Sequence[ArchGraph]) -> GPyTorchPosterior:
        """The posterior of each graph alone, as m posteriors of one point."""
        fitted = self._ready()
        mean, variance = fitted.latent(self.inputs(graphs).long())
        return GPyTorchPosterior(MultivariateNormal(mean[:, None], (variance / fitted.inflation)[:, None, None]))

    def scale(self, value: float) -> float:
        """An objective value on the model's scale."""
        return float(self._ready().warp(torch.tensor(value, dtype=torch.float64)))

    def unscale(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The inverse of `scale`."""
        return self._ready().warp.inverse(values)

    def predict(self, graphs: Sequence[ArchGraph]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Mean and standard deviation of a new measurement, in the objective's unit."""
        fitted = self._ready()
        mean, variance = fitted.latent(self.inputs(graphs).long())
        found, deviation = fitted.warp.moments(mean, variance + fitted.noise**2)
        return found.numpy(), deviation.numpy()

    def _ready(self) -> SlotGP:
        if self._fitted is None:
            raise EvaluationError("this model has seen no data; call fit first")
        return self._fitted
