"""What is believed of labels by models that were fitted to the others: cross-validation over graphs.

Labels of one graph are left out together. Other descriptions of its network are not: among graphs drawn by chance,
those to be predicted have such relatives among the labelled ones too, and errors without them would be too large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.latent_model import LatentModel, Moments

FOLDS = 5
FARTHEST = 20.0
"""Deviations from its prediction at which a label that a scale cannot reach is taken to lie."""


def fold_numbers(graphs: Sequence[ArchGraph], folds: int = FOLDS) -> Int[Tensor, " n"]:
    """The fold of each graph, by chance that is always the same; a graph that comes again has one."""
    different = dict.fromkeys(graphs)
    order = np.random.default_rng(0).permutation(len(different))
    fold = {graph: int(place) % folds for graph, place in zip(different, order, strict=True)}
    return torch.tensor([fold[graph] for graph in graphs])


def cross_validate(
    fit: Callable[[Sequence[ArchGraph], Float[Tensor, " n"]], Mapping[str, LatentModel]],
    graphs: Sequence[ArchGraph],
    labels: Float[Tensor, " n"],
    folds: Int[Tensor, " n"],
) -> tuple[dict[str, Moments], Float[Tensor, " n"]]:
    """What models of the other folds believe of each label, noise included, and the label, on the scale of that fit.

    A scale is learned anew without each fold, since one that has seen a label fits it too well.

    Args:
        fit: models of labelled graphs by name, all on one scale.
        graphs, labels: n of them.
        folds: the fold of each.

    Returns:
        Mean and variance by model; and the labels, finite.
    """
    found: dict[str, Moments] = {}
    targets = torch.empty(len(graphs), dtype=torch.float64)
    for fold in sorted(set(folds.tolist())):
        left, kept = (folds == fold).nonzero()[:, 0], (folds != fold).nonzero()[:, 0]
        asked = [graphs[row] for row in left.tolist()]
        highest = torch.zeros(len(left), dtype=torch.float64)
        for name, model in fit([graphs[row] for row in kept.tolist()], labels[kept]).items():
            mean, variance = model.moments(asked)
            variance = variance + model.noise
            means, variances = found.setdefault(name, (torch.empty_like(targets), torch.empty_like(targets)))
            means[left], variances[left] = mean, variance
            highest = torch.maximum(highest, mean.abs() + FARTHEST * variance.sqrt())
            targets[left] = torch.minimum(torch.maximum(model.scale(labels[left]), -highest), highest)
    return found, targets
