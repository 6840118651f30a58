"""FittedOutput: one property learned by one kind of model or a mix of several, with calibrated uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from botorch.posteriors.transformed import TransformedPosterior
from gpytorch.distributions import MultivariateNormal
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.encodings import Encodings
from predictors.exact_gp import ExactGP
from predictors.folds import cross_validate, fold_numbers
from predictors.kinds import DEFAULT_KINDS, KINDS, MIXES, WITH_NETWORK
from predictors.latent_model import LatentModel, Moments
from predictors.mixture import Mixture, mixed, spread_factor, stack
from predictors.prediction import Prediction
from predictors.scale import Scale

FEWEST_TO_CALIBRATE = 10
"""Labels below which left-out errors do not say how wide intervals should be."""
MOST_REFITTED = 150
"""Labels up to which Gaussian processes are fitted again without each fold of them."""


@dataclass(frozen=True, eq=False)
class FittedOutput:
    """One property.

    Args:
        model: on its latent scale.
        widening: the factor of all deviations, from errors of left-out labels.
    """

    model: LatentModel
    widening: float

    def predict(self, graphs: Sequence[ArchGraph]) -> Prediction:
        """Of new measurements, noise included."""
        places: dict[ArchGraph, int] = {}
        place = torch.tensor([places.setdefault(graph, len(places)) for graph in graphs], dtype=torch.int64)
        mean, variance = self.model.moments(list(places))
        return Prediction(self.model.scale, mean[place], self.widening**2 * (variance[place] + self.model.noise))

    def posterior(self, graphs: Sequence[ArchGraph]) -> Posterior:
        """Of noise-free values, joint, in the label's unit."""
        mean, covariance = self.model.joint(graphs)
        latent = GPyTorchPosterior(MultivariateNormal(mean, self.widening**2 * covariance))
        scale = self.model.scale
        return TransformedPosterior(
            latent, scale.inverse, partial(_moment, scale, 0), lambda m, v: _moment(scale, 1, m, v).square()
        )


def fit_output(
    encodings: Encodings, kind: str, graphs: Sequence[ArchGraph], labels: Float[Tensor, " n"], seed: int
) -> FittedOutput:
    """Learn one property; the arguments are those that `Predictor.fit` has checked."""
    names = parts_of(kind, encodings)
    models = _fit_models(encodings, names, graphs, labels, seed)
    left_out, targets = _left_out(encodings, models, graphs, labels, seed)
    weights = _weights(kind, left_out, targets)
    model = models[kind] if kind not in MIXES else Mixture({name: models[name] for name in weights}, weights)
    if len(labels) < FEWEST_TO_CALIBRATE or bool((labels == labels[0]).all()):
        return FittedOutput(model, 1.0)
    mean, variance = mixed(weights, left_out)
    return FittedOutput(model, spread_factor((targets - mean) / variance.sqrt()))


def restore_output(
    encodings: Encodings,
    kind: str,
    graphs: Sequence[ArchGraph],
    labels: Float[Tensor, " n"],
    state: Mapping[str, Tensor],
) -> FittedOutput:
    """What `fit_output` made; raises KeyError or ValueError where the state is of another kind."""
    labelled, widening = (graphs, labels), float(state["widening"])
    if kind not in MIXES:
        return FittedOutput(KINDS[kind].restore(encodings, labelled, state), widening)
    names = [name for name in MIXES[kind] if any(key.startswith(f"{name}.") for key in state)]
    parts = {name: KINDS[name].restore(encodings, labelled, _inside(state, name)) for name in names}
    return FittedOutput(Mixture(parts, dict(zip(names, state["weights"].tolist(), strict=True))), widening)


def parts_of(kind: str, encodings: Encodings) -> list[str]:
    """The kinds of models that a kind of predictor is made of, in the space of these encodings."""
    return [name for name in MIXES.get(kind, (kind,)) if KINDS[name].fits(encodings)]


def _weights(kind: str, left_out: Mapping[str, Moments], targets: Float[Tensor, " n"]) -> dict[str, float]:
    """Processes by how likely they make left-out labels; a network beside them has as much as they have together.

    Likelihoods would give a network hardly anything, yet plain means rank better.
    """
    processes = stack({name: found for name, found in left_out.items() if name in DEFAULT_KINDS} or left_out, targets)
    if kind != WITH_NETWORK:
        return processes
    networks = [name for name in left_out if name not in DEFAULT_KINDS]
    halved = {name: weight / 2 for name, weight in processes.items()}
    return {**halved, **{name: 0.5 / len(networks) for name in networks}}


def _fit_models(
    encodings: Encodings, names: Sequence[str], graphs: Sequence[ArchGraph], labels: Float[Tensor, " n"], seed: int
) -> dict[str, LatentModel]:
    """The model of each kind, on the scale of the first."""
    models: dict[str, LatentModel] = {}
    for name in names:
        scale = models[names[0]].scale if models else None
        models[name] = KINDS[name].fit(encodings, (graphs, labels), scale, seed)
    return models


def _left_out(
    encodings: Encodings,
    models: Mapping[str, LatentModel],
    graphs: Sequence[ArchGraph],
    labels: Float[Tensor, " n"],
    seed: int,
) -> tuple[Mapping[str, Moments], Float[Tensor, " n"]]:
    """By fitting processes again where labels are few, as a fit that has seen a label is then too sure of it."""
    few = FEWEST_TO_CALIBRATE <= len(labels) <= MOST_REFITTED
    if few and all(isinstance(model, ExactGP) for model in models.values()):
        folds = fold_numbers(graphs)
        if len(set(folds.tolist())) > 2:
            fit = partial(_fit_models, encodings, list(models), seed=seed)
            return cross_validate(fit, graphs, labels, folds)
    return {name: model.left_out() for name, model in models.items()}, next(iter(models.values())).targets


def _inside(state: Mapping[str, Tensor], name: str) -> Mapping[str, Tensor]:
    """The part of a mixture's state that is of one model."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _moment(scale: Scale, number: int, mean: Tensor, variance: Tensor) -> Tensor:
    """Mean or deviation of the label, in the shape of the latent moments."""
    found = scale.moments(mean.flatten(), variance.flatten())[number]
    return found.view_as(mean)
