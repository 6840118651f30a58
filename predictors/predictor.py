"""Predictor: properties of architectures learned from labels, with calibrated uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from botorch.posteriors.posterior_list import PosteriorList
from botorch.posteriors.transformed import TransformedPosterior
from gpytorch.distributions import MultivariateNormal
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError, InvalidOption, unknown_name
from graphs.space import SearchSpace
from predictors.encodings import Encodings
from predictors.folds import cross_validate, fold_numbers
from predictors.kinds import AUTO, DEFAULT_KINDS, KINDS
from predictors.latent_model import LatentModel, Moments
from predictors.mixture import Mixture, mixed, spread_factor, stack
from predictors.prediction import Prediction
from predictors.scale import Scale

FEWEST_TO_CALIBRATE = 10
"""Labels below which left-out errors do not say how wide intervals should be."""
MOST_REFITTED = 150
"""Labels up to which models are fitted again without each fold of them."""
Labels = Float[np.ndarray, "..."] | Float[Tensor, "..."] | Sequence[float]


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


@final
class Predictor:
    """A model of one or more properties over the graphs of a space.

        predictor = Predictor(space).fit(graphs, accuracies)
        predictor.predict(others).interval(0.8)

    Args:
        space: of the graphs.
        kind: one of `predictors.kinds.KINDS`; or "auto", which mixes those that are fitted in seconds by how well each
            predicts labels that it has not seen.
        seed: where chance in training comes from.

    Raises:
        UnknownName: no such kind.
        InvalidOption: the space has no model of this kind.
    """

    def __init__(
        self, space: SearchSpace, kind: str = AUTO, *, seed: int = 0, encodings: Encodings | None = None
    ) -> None:
        self.encodings = encodings or Encodings(space)
        if kind != AUTO and kind not in KINDS:
            raise unknown_name("kind of predictor", kind, (AUTO, *KINDS))
        if kind != AUTO and not KINDS[kind].fits(self.encodings):
            raise InvalidOption(f"there is no {kind} for space {space.name!r}; use {AUTO}")
        self.space, self.kind, self.seed = space, kind, seed
        self.names: tuple[str, ...] = ()
        self.graphs: tuple[ArchGraph, ...] = ()
        self.labels: Float[Tensor, "n o"] = torch.zeros(0, 0, dtype=torch.float64)
        self._outputs: tuple[FittedOutput, ...] = ()

    def fit(self, graphs: Sequence[ArchGraph], labels: Labels, names: Sequence[str] | None = None) -> Predictor:
        """Learn from scratch; the same labels give the same predictor. A graph may come more than once.

        Args:
            graphs: n labelled architectures.
            labels: n numbers, or n rows of one for each of o properties; in any unit.
            names: of the properties; "y", or "y0", "y1", ... unless given.

        Raises:
            InvalidOption: fewer than 2 labels, not one for each graph, or one that is not finite.
            InvalidArchitecture: a graph of another space.
        """
        table = _table(graphs, labels)
        for graph in dict.fromkeys(graphs):
            self.space.check(graph)
        width = table.shape[1]
        named = tuple(names) if names is not None else ("y",) if width == 1 else tuple(f"y{i}" for i in range(width))
        if len(named) != width or len(set(named)) != width:
            raise InvalidOption(f"names {', '.join(named)} for {width} properties; expected one each, all different")
        outputs = tuple(self._fit_one(graphs, column) for column in table.T)
        self.graphs, self.labels, self.names, self._outputs = tuple(graphs), table, named, outputs
        return self

    def predict(self, graphs: Sequence[ArchGraph], name: str | None = None) -> Prediction:
        """What new measurements are believed to be.

        Args:
            graphs: of the space.
            name: the property; may be left out where there is only one.

        Raises:
            EvaluationError: nothing has been fitted.
            UnknownName: no such property.
            InvalidArchitecture: a graph of another space.
        """
        return self.output(name).predict(self._checked(graphs))

    def posterior(self, graphs: Sequence[ArchGraph]) -> Posterior:
        """The joint posterior of noise-free values in the labels' units; a `PosteriorList` of several properties.

        Raises:
            EvaluationError: nothing has been fitted.
            InvalidArchitecture: a graph of another space.
        """
        self.require_fitted()
        graphs = self._checked(graphs)
        found = [output.posterior(graphs) for output in self._outputs]
        return found[0] if len(found) == 1 else PosteriorList(*found)

    def output(self, name: str | None = None) -> FittedOutput:
        """The model of one property; raises as `predict` does."""
        self.require_fitted()
        if name is None and len(self.names) == 1:
            return self._outputs[0]
        if name not in self.names:
            raise unknown_name("property", str(name), self.names)
        return self._outputs[self.names.index(name)]

    def require_fitted(self) -> None:
        """Raise `EvaluationError` unless there is something to predict with."""
        if not self._outputs:
            raise EvaluationError("this predictor has seen no labels; call fit first, or load one")

    def save(self, path: Path | str) -> None:
        """Write one safetensors file; see `predictors.predictor_file.save_predictor`."""
        from predictors.predictor_file import save_predictor  # which makes predictors

        save_predictor(self, path)

    @staticmethod
    def load(path: Path | str, space: SearchSpace | None = None) -> Predictor:
        """Read one; see `predictors.predictor_file.load_predictor`."""
        from predictors.predictor_file import load_predictor

        return load_predictor(path, space)

    def restore(
        self, graphs: Sequence[ArchGraph], labels: Tensor, names: Sequence[str], states: Sequence[Any]
    ) -> Predictor:
        """What `fit` made of these labels, from the states of its outputs; for `predictors.predictor_file`.

        Raises:
            KeyError, ValueError: the states are not of this kind of predictor.
        """
        self.graphs, self.labels, self.names = tuple(graphs), labels, tuple(names)
        self._outputs = tuple(self._restore_one(column, state) for column, state in zip(labels.T, states, strict=True))
        return self

    def states(self) -> list[Mapping[str, Tensor]]:
        """What restores each output besides the labels."""
        return [
            {**output.model.state(), "widening": torch.tensor(output.widening, dtype=torch.float64)}
            for output in self._outputs
        ]

    def _fit_one(self, graphs: Sequence[ArchGraph], labels: Float[Tensor, " n"]) -> FittedOutput:
        models = self._fit_models(graphs, labels)
        left_out, targets = self._left_out(models, graphs, labels)
        weights = stack(left_out, targets)
        model = models[self.kind] if self.kind != AUTO else Mixture({name: models[name] for name in weights}, weights)
        if len(labels) < FEWEST_TO_CALIBRATE or bool((labels == labels[0]).all()):
            return FittedOutput(model, 1.0)
        mean, variance = mixed(weights, left_out)
        return FittedOutput(model, spread_factor((targets - mean) / variance.sqrt()))

    def _fit_models(self, graphs: Sequence[ArchGraph], labels: Float[Tensor, " n"]) -> dict[str, LatentModel]:
        """The model of each kind that is asked for, on the scale of the first."""
        kinds = [self.kind] if self.kind != AUTO else [n for n in DEFAULT_KINDS if KINDS[n].fits(self.encodings)]
        models: dict[str, LatentModel] = {}
        for name in kinds:
            scale = models[kinds[0]].scale if models else None
            models[name] = KINDS[name].fit(self.encodings, (graphs, labels), scale, self.seed)
        return models

    def _left_out(
        self, models: Mapping[str, LatentModel], graphs: Sequence[ArchGraph], labels: Float[Tensor, " n"]
    ) -> tuple[dict[str, Moments], Float[Tensor, " n"]]:
        """By fitting again where labels are few, as a fit that has seen a label is then too sure of it."""
        if FEWEST_TO_CALIBRATE <= len(labels) <= MOST_REFITTED:
            folds = fold_numbers(self.space, graphs)
            if len(set(folds.tolist())) > 2:
                return cross_validate(self._fit_models, graphs, labels, folds)
        return {name: model.left_out() for name, model in models.items()}, next(iter(models.values())).targets

    def _restore_one(self, labels: Float[Tensor, " n"], state: Mapping[str, Tensor]) -> FittedOutput:
        labelled, widening = (self.graphs, labels), float(state["widening"])
        if self.kind != AUTO:
            return FittedOutput(KINDS[self.kind].restore(self.encodings, labelled, state), widening)
        names = [name for name in DEFAULT_KINDS if any(key.startswith(f"{name}.") for key in state)]
        parts = {name: KINDS[name].restore(self.encodings, labelled, _inside(state, name)) for name in names}
        weights = dict(zip(names, state["weights"].tolist(), strict=True))
        return FittedOutput(Mixture(parts, weights), widening)

    def _checked(self, graphs: Sequence[ArchGraph]) -> Sequence[ArchGraph]:
        for graph in dict.fromkeys(graphs):
            self.space.check(graph)
        return graphs


def _inside(state: Mapping[str, Tensor], name: str) -> Mapping[str, Tensor]:
    """The part of a mixture's state that is of one model."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _moment(scale: Scale, number: int, mean: Tensor, variance: Tensor) -> Tensor:
    """Mean or deviation of the label, in the shape of the latent moments."""
    found = scale.moments(mean.flatten(), variance.flatten())[number]
    return found.view_as(mean)


def _table(graphs: Sequence[ArchGraph], labels: Labels) -> Float[Tensor, "n o"]:
    """The labels as a table; raises `InvalidOption` where nothing can be learned from them."""
    found = torch.as_tensor(np.asarray(labels, dtype=np.float64)).clone()
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or len(found) != len(graphs) or not found.shape[1]:
        raise InvalidOption(
            f"labels of shape {tuple(found.shape)} for {len(graphs)} graphs; expected one for each, or a row for each"
        )
    if len(graphs) < 2:
        raise InvalidOption(f"cannot fit {len(graphs)} labels; expected at least 2")
    if not bool(found.isfinite().all()):
        row = int((~found.isfinite().all(1)).nonzero()[0])
        raise InvalidOption(f"label {row} is {found[row].tolist()}; leave out graphs without finite labels")
    return found
