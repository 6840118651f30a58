"""Predictor: properties of architectures learned from labels, with calibrated uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch
from botorch.posteriors.posterior import Posterior
from botorch.posteriors.posterior_list import PosteriorList
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError, InvalidOption, unknown_name
from graphs.space import SearchSpace
from predictors.encodings import Encodings
from predictors.fitted_output import FittedOutput, fit_output, parts_of, restore_output
from predictors.kinds import AUTO, KINDS, MIXES
from predictors.prediction import Prediction
from predictors.predictor_file import BROKEN, StoredPredictor, not_whole, read_predictor, write_predictor

Labels = Float[np.ndarray, "..."] | Float[Tensor, "..."] | Sequence[float]


@final
class Predictor:
    """A model of one or more properties over the graphs of a space.

        predictor = Predictor(space).fit(graphs, accuracies)
        predictor.predict(others).interval(0.8)

    Args:
        space: of the graphs.
        kind: one of `predictors.kinds.KINDS`; "auto", which mixes those that are fitted in seconds by how well each
            predicts labels that it has not seen; or "gp-gnn", half of that and half graph neural networks, which ranks
            better and takes some seconds more.
        seed: where chance in training comes from.

    Raises:
        UnknownName: no such kind.
        InvalidOption: the space has no model of this kind.
    """

    def __init__(
        self, space: SearchSpace, kind: str = AUTO, *, seed: int = 0, encodings: Encodings | None = None
    ) -> None:
        self.encodings = encodings or Encodings(space)
        if kind not in MIXES and kind not in KINDS:
            raise unknown_name("kind of predictor", kind, (*MIXES, *KINDS))
        if not parts_of(kind, self.encodings):
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
        outputs = tuple(fit_output(self.encodings, self.kind, graphs, column, self.seed) for column in table.T)
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
        """Write one safetensors file, whole or not at all.

        Raises:
            EvaluationError: nothing has been fitted.
            CheckpointError: the file cannot be written.
        """
        self.require_fitted()
        states = [
            {**output.model.state(), "widening": torch.tensor(output.widening, dtype=torch.float64)}
            for output in self._outputs
        ]
        stored = StoredPredictor(self.space, self.kind, self.seed, self.names, self.graphs, self.labels, states)
        write_predictor(stored, Path(path))

    @staticmethod
    def load(path: Path | str, space: SearchSpace | None = None) -> Predictor:
        """Read one that `save` wrote; no code in it is run.

        Args:
            path: the file.
            space: its space; the one of archgen that the file names unless given.

        Raises:
            CheckpointError: the file is missing, cut short, edited, of a newer format, or made for another space.
        """
        path = Path(path)
        stored = read_predictor(path, space)
        try:
            predictor = Predictor(stored.space, stored.kind, seed=stored.seed)
            predictor.graphs, predictor.labels, predictor.names = (
                tuple(stored.graphs),
                stored.labels,
                tuple(stored.names),
            )
            predictor._outputs = tuple(
                restore_output(predictor.encodings, stored.kind, predictor.graphs, column, state)
                for column, state in zip(stored.labels.T, stored.states, strict=True)
            )
        except BROKEN as error:
            raise not_whole(path, error) from error
        return predictor

    def _checked(self, graphs: Sequence[ArchGraph]) -> Sequence[ArchGraph]:
        for graph in dict.fromkeys(graphs):
            self.space.check(graph)
        return graphs


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
