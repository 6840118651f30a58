"""Presence: how likely an architecture is to be among those that somebody chose, learned from which were and were not.

Where labelled architectures were not drawn by chance, the choice says something about them: a model of the labels alone
never sees what was sorted out. The log odds are linear in which value each slot has and in each pair of values
(logistic regression with Gaussian effects, by Newton's method). Descriptions of one network share their odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag, logsigmoid

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.layout import Layout
from predictors.slot_features import SlotFeatures, slot_features

DEVIATION = 1.0
"""Prior deviation of an effect on the log odds."""
LEVEL = 10.0
"""That of their mean."""
STEPS = 50
CLOSE = 1e-8
"""A mean gain in log density from a step, below which the odds are found."""


@final
@dataclass(frozen=True, eq=False)
class Presence:
    """Log odds of architectures; made by `fit_presence`."""

    _layout: Layout
    _features: SlotFeatures
    _effects: Float[Tensor, " w"]

    def __call__(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, " b"]:
        """The log odds of each."""
        active = self._features.active(_representatives(self._layout, graphs))
        return self._effects[0] + embedding_bag(active, self._effects[1:, None], mode="sum")[:, 0]


def fit_presence(layout: Layout, graphs: Sequence[ArchGraph], present: Bool[Tensor, " b"]) -> Presence:
    """Learn from architectures of which it is known whether they were chosen.

    Args:
        layout: of the space.
        graphs: e.g. all of the space, without those of which nothing is to be known.
        present: whether each was chosen.

    Raises:
        InvalidOption: not one mark a graph, or none chosen, or all.
    """
    if present.shape != (len(graphs),) or not bool(present.any()) or bool(present.all()):
        raise InvalidOption(
            f"{len(graphs)} graphs with {int(present.sum())} of {len(present)} marks set; expected a mark each, and "
            "graphs of both kinds"
        )
    rows, kind = torch.unique(_representatives(layout, graphs), dim=0, return_inverse=True)
    count = torch.zeros(2, len(rows), dtype=torch.float64)
    count.index_put_((present.long(), kind), torch.ones(len(graphs), dtype=torch.float64), accumulate=True)
    features = slot_features(layout.sizes, groups=[range(len(layout))])
    active = 1 + features.active(rows)
    design = torch.zeros(len(rows), 1 + features.pair_offsets[-1], dtype=torch.float64).scatter_(1, active, 1.0)
    design[:, 0] = 1.0
    used = design.any(0)
    precision = torch.full((len(used),), DEVIATION**-2, dtype=torch.float64)
    precision[0] = LEVEL**-2
    effects = torch.zeros(len(used), dtype=torch.float64)
    effects[used] = _maximise(design[:, used], count, precision[used])
    return Presence(layout, features, effects)


def _maximise(
    design: Float[Tensor, "r w"], count: Float[Tensor, "2 r"], precision: Float[Tensor, " w"]
) -> Float[Tensor, " w"]:
    """The most likely effects, given how many of each row are absent and present."""

    def density(effects: Float[Tensor, " w"]) -> float:
        odds = design @ effects
        return float(count[0] @ logsigmoid(-odds) + count[1] @ logsigmoid(odds) - precision @ effects.square() / 2)

    effects = torch.zeros(design.shape[1], dtype=torch.float64)
    now = density(effects)
    for _ in range(STEPS):
        share = torch.sigmoid(design @ effects)
        slope = design.T @ (count[1] - count.sum(0) * share) - precision * effects
        bend = (design * (count.sum(0) * share * (1 - share))[:, None]).T @ design + precision.diag()
        step = torch.linalg.solve(bend, slope)
        while (then := density(effects + step)) < now:
            step = step / 2
        effects, now, gain = effects + step, then, then - now
        if gain <= CLOSE * float(count.sum()):
            break
    return effects


def _representatives(layout: Layout, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
    """The row of one description of each network."""
    return layout.read([layout.space.representative(graph) for graph in graphs])
