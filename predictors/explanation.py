"""Which motifs raised or lowered a prediction: integrated gradients over the features that a Gaussian process sees.

The gradient of a posterior mean by Weisfeiler-Lehman features says which motif helps (Ru et al. 2021, NAS-BOWL).
Integrated along the line from the mean of the labelled graphs to the architecture (Sundararajan et al. 2017, eq. 1),
the effects of all motifs add up to the difference of the two predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from predictors.encodings import Encodings
from predictors.exact_gp import ExactGP
from predictors.kernel import GraphKernel
from predictors.latent_model import LatentModel
from predictors.mixture import Mixture
from predictors.predictor import Predictor
from predictors.slot_kernel import SlotKernel

STEPS = 64
"""Points of the line at which the gradient is taken."""


@dataclass(frozen=True)
class Motif:
    """What part of an architecture does to its prediction.

    Args:
        group: the feature group, e.g. "wl1" for an operation with what follows it; "slot" for a choice in one place.
        label: the motif.
        present: whether the architecture has it; one that is lacking acts too.
        effect: on the predicted property, in its unit; negative where it lowers it.
    """

    group: str
    label: str
    present: bool
    effect: float


@dataclass(frozen=True)
class Explanation:
    """A prediction taken apart.

    Args:
        base: what is predicted of the mean of the labelled graphs, in the label's unit.
        prediction: of the architecture.
        motifs: by the size of their effects, largest first; effects add up to `prediction - base`.
    """

    base: float
    prediction: float
    motifs: tuple[Motif, ...]


@dataclass(frozen=True, eq=False)
class _Line:
    """The line of one model's features from the mean labelled graph to an architecture.

    Args:
        start, end: d features.
        names: group and label of each.
        mean: the posterior mean at m points.
    """

    start: Float[Tensor, " d"]
    end: Float[Tensor, " d"]
    names: list[tuple[str, str]]
    mean: Callable[[Float[Tensor, "m d"]], Float[Tensor, " m"]]

    def effects(self) -> Float[Tensor, " d"]:
        """Integrated gradients by the midpoint rule, scaled to add up exactly."""
        at = (torch.arange(STEPS, dtype=torch.float64)[:, None] + 0.5) / STEPS
        points = (self.start + at * (self.end - self.start)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.mean(points).sum(), points)
        found: Tensor = gradient.mean(0) * (self.end - self.start)
        return found

    def ends(self) -> Float[Tensor, " 2"]:
        """The means at both ends."""
        with torch.no_grad():
            return self.mean(torch.stack([self.start, self.end]))


def explain(predictor: Predictor, graph: ArchGraph, name: str | None = None) -> Explanation:
    """Take the prediction of one architecture apart.

    Args:
        predictor: fitted, of Gaussian processes: "auto", "wl-gp" or "slot-gp".
        graph: of its space.
        name: the property; may be left out where there is only one.

    Raises:
        InvalidOption: the predictor is of a kind that sees no motifs.
        EvaluationError, UnknownName, InvalidArchitecture: as `Predictor.predict`.
    """
    output = predictor.output(name)
    predictor.space.check(graph)
    model = output.model
    parts = (
        {part: (model.weights[part], one) for part, one in model.parts.items()}
        if isinstance(model, Mixture)
        else {predictor.kind: (1.0, model)}
    )
    found: dict[tuple[str, str, bool], float] = {}
    ends = torch.zeros(2, dtype=torch.float64)
    for weight, one in parts.values():
        line = _line(predictor.encodings, one, graph, predictor.kind)
        ends += weight * line.ends()
        for (group, label), value, effect in zip(line.names, line.end.tolist(), line.effects().tolist(), strict=True):
            key = (group, label, value != 0)
            found[key] = found.get(key, 0.0) + weight * effect
    base, prediction = model.scale.inverse(ends).tolist()
    latent = float(ends[1] - ends[0])
    total = sum(found.values())
    unit = (prediction - base) / latent if latent else 0.0
    share = latent / total if total else 0.0
    motifs = [Motif(*key, effect * share * unit) for key, effect in found.items() if effect]
    return Explanation(base, prediction, tuple(sorted(motifs, key=lambda motif: -abs(motif.effect))))


def _line(encodings: Encodings, model: LatentModel, graph: ArchGraph, kind: str) -> _Line:
    if isinstance(model, ExactGP) and isinstance(model.kernel, GraphKernel):
        return _feature_line(encodings, model, model.kernel, graph)
    if isinstance(model, ExactGP) and isinstance(model.kernel, SlotKernel):
        return _slot_line(encodings, model, model.kernel, graph)
    raise InvalidOption(f"a predictor of kind {kind} sees no motifs; explain one of kind auto, wl-gp or slot-gp")


def _feature_line(encodings: Encodings, model: ExactGP, kernel: GraphKernel, graph: ArchGraph) -> _Line:
    rows = torch.cat([model.seen, encodings.numbers([graph])])[:, 0].numpy().astype(np.int64)
    tables: list[Tensor] = []
    names: list[tuple[str, str]] = []
    places: dict[str, slice] = {}
    for group in encodings.groups:
        table, labels = encodings.table.embedding(group, rows)
        places[group] = slice(len(names), len(names) + len(labels))
        names += [(group, label) for label in labels]
        tables.append(torch.from_numpy(table))
    every = torch.cat(tables, 1)
    seen, weights = every[:-1], model.solved

    def mean(points: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        apart = {group: (points[:, None, at] - seen[None, :, at]).square().sum(-1) / 2 for group, at in places.items()}
        return kernel.of_distances(torch.stack([apart[group] for group in kernel.groups])) @ weights

    return _Line(seen.mean(0), every[-1], names, mean)


def _slot_line(encodings: Encodings, model: ExactGP, kernel: SlotKernel, graph: ArchGraph) -> _Line:
    layout, features = encodings.layout, kernel.features
    assert layout is not None
    rows = torch.cat([model.seen, encodings.rows([graph])]).round().long()
    every = torch.zeros(len(rows), sum(features.sizes), dtype=torch.float64)
    every.scatter_(1, features.singles(rows), 1.0)
    names = [("slot", layout.tell(slot, value)) for slot, size in enumerate(features.sizes) for value in range(size)]
    weights = model.solved
    tables = (kernel.linear_table().detach(), kernel.agreement_table().detach())
    seen = [every[:-1] @ table for table in tables]

    def mean(points: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        return kernel.between([points @ table for table in tables], seen) @ weights

    return _Line(every[:-1].mean(0), every[-1], names, mean)
