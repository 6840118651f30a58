"""Beliefs: what a campaign's models expect of architectures, one output for each metric that it cares about."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.utils.probability.utils import log_ndtr
from gpytorch.distributions import MultivariateNormal
from jaxtyping import Float
from torch import Tensor

from bo.fidelity import guessed
from bo.finite_model import FiniteModel, independent
from bo.records import History, Trial
from bo.strategies.early_exit import Cost
from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph

SUCCESS = "success"
"""The output that says whether an evaluation ends well; learned where some have failed."""
LEAST_STD = 1e-6
"""A deviation below which a value counts as known."""


@dataclass(frozen=True)
class Output:
    """One metric, turned so that larger is better, on a scale of its own.

    Args:
        metric: its name.
        sign: 1 or -1, what turns the metric into a gain.
        surrogate: fitted to the gains; None where the metric follows from the graph.
        cost: the metric of a graph, where it follows from it.
        center, width: of the gains of a known metric, whose scale is (gain - center) / width.
    """

    metric: str
    sign: float
    surrogate: Surrogate | None = None
    cost: Cost | None = None
    center: float = 0.0
    width: float = 1.0

    def scale(self, value: float) -> float:
        """A value of the metric on the output's scale."""
        gain = self.sign * value
        return (gain - self.center) / self.width if self.surrogate is None else self.surrogate.scale(gain)

    def unscale(self, scaled: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The inverse as a gain, larger is better."""
        return scaled * self.width + self.center if self.surrogate is None else self.surrogate.unscale(scaled)

    def marginals(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Mean and variance of each graph."""
        if self.surrogate is None:
            return self._known(graphs), torch.zeros(len(graphs), dtype=torch.float64)
        found = self.surrogate.marginals(graphs)
        return found.mean.reshape(-1).double(), found.variance.reshape(-1).double()

    def joint(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n n"]]:
        """Means and covariance of all graphs."""
        if self.surrogate is None:
            return self._known(graphs), torch.zeros(len(graphs), len(graphs), dtype=torch.float64)
        found = self.surrogate.posterior(graphs).distribution  # type: ignore[attr-defined]
        return found.mean.reshape(-1).double(), found.covariance_matrix.double()

    def _known(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, " n"]:
        assert self.cost is not None
        return torch.tensor([self.scale(self.cost(graph)) for graph in graphs], dtype=torch.float64)


@dataclass(frozen=True)
class Bound:
    """A constraint on an output's scale: `sign * (value - bound) >= 0`."""

    output: int
    sign: float
    bound: float


@dataclass(frozen=True)
class Beliefs:
    """Fitted models of everything that a campaign cares about.

    Args:
        outputs: the objectives first, in their order.
        objectives: how many of the outputs are objectives.
        bounds: what an architecture must keep, the success of its evaluation included.
    """

    outputs: tuple[Output, ...]
    objectives: int
    bounds: tuple[Bound, ...]

    def marginals(self, graphs: Sequence[ArchGraph]) -> GPyTorchPosterior:
        """The posterior of each graph alone, as n posteriors of one point."""
        parts = [output.marginals(graphs) for output in self.outputs]
        found = [
            MultivariateNormal(mean[:, None], (variance + LEAST_STD**2)[:, None, None]) for mean, variance in parts
        ]
        return GPyTorchPosterior(independent(found))

    def joint(self, graphs: Sequence[ArchGraph]) -> FiniteModel:
        """The joint posterior as a model over the numbers of `graphs`."""
        means, covariances = zip(*(output.joint(graphs) for output in self.outputs), strict=True)
        return FiniteModel(torch.stack(means, dim=1), covariances)

    @torch.no_grad()
    def log_feasibility(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, " n"]:
        """The log probability that a graph keeps all bounds."""
        total = torch.zeros(len(graphs), dtype=torch.float64)
        for bound in self.bounds:
            mean, variance = self.outputs[bound.output].marginals(graphs)
            total += log_ndtr(bound.sign * (mean - bound.bound) / variance.sqrt().clamp(min=LEAST_STD))
        return total

    def violations(self) -> list[Callable[[Tensor], Tensor]]:
        """The bounds as BoTorch wants them: negative where samples "... m" keep them."""
        return [_violation(bound) for bound in self.bounds]

    def gains(self, samples: Float[Tensor, "... m"]) -> Float[Tensor, "... k"]:
        """The objectives of samples of all outputs, larger is better, in the metrics' units."""
        return torch.stack([self.outputs[k].unscale(samples[..., k]) for k in range(self.objectives)], dim=-1)


def fit_beliefs(history: History, surrogate: Callable[[], Surrogate], costs: Mapping[str, Cost]) -> Beliefs:
    """Learn from everything that has been measured; metrics in `costs` are computed and not learned.

    Trials that were stopped count with the value that they are guessed to have had in full, see `bo.fidelity`.

    Args:
        history: at least two trials have been measured.
        surrogate: makes an untrained surrogate.
        costs: metrics that follow from a graph.
    """
    directions = {one.metric: 1.0 if one.maximize else -1.0 for one in history.objectives}
    for condition in history.constraints:
        directions.setdefault(condition.name, 1.0 if condition.operator == ">=" else -1.0)
    outputs = [_output(history, name, sign, surrogate, costs.get(name)) for name, sign in directions.items()]
    places = {output.metric: place for place, output in enumerate(outputs)}
    bounds = [
        Bound(
            places[one.name],
            directions[one.name] * (1.0 if one.operator == ">=" else -1.0),
            outputs[places[one.name]].scale(one.value),
        )
        for one in history.constraints
    ]
    failed = [trial for trial in history.trials if trial.status == "failed" and trial.failure != "worker_lost"]
    if failed:
        success = _success(history.learned, failed, surrogate)
        bounds.append(Bound(len(outputs), 1.0, (success.scale(0.0) + success.scale(1.0)) / 2))
        outputs.append(success)
    return Beliefs(tuple(outputs), len(history.objectives), tuple(bounds))


def _output(history: History, name: str, sign: float, surrogate: Callable[[], Surrogate], cost: Cost | None) -> Output:
    known = [(trial, trial.metrics[name]) for trial in history.learned]
    if cost is not None:
        gains = np.array([sign * value for _, value in known])
        return Output(name, sign, cost=cost, center=float(gains.mean()), width=float(gains.std()) or 1.0)
    known += guessed(history, name)
    model = surrogate()
    model.fit([trial.graph for trial, _ in known], np.array([sign * value for _, value in known]))
    return Output(name, sign, model)


def _success(done: Sequence[Trial], failed: Sequence[Trial], surrogate: Callable[[], Surrogate]) -> Output:
    """Regression on 1 for evaluated and 0 for failed trials; half way between them counts as even chances."""
    model = surrogate()
    model.fit([trial.graph for trial in (*done, *failed)], np.array([1.0] * len(done) + [0.0] * len(failed)))
    return Output(SUCCESS, 1.0, model)


def _violation(bound: Bound) -> Callable[[Tensor], Tensor]:
    if not math.isfinite(bound.bound):  # a bound beyond what the scale can express is kept by all or by none
        kept = bound.sign * bound.bound < 0
        return lambda samples: torch.full_like(samples[..., bound.output], -1.0 if kept else 1.0)
    return lambda samples: bound.sign * (bound.bound - samples[..., bound.output])
