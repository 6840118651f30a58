"""The ensemble of BANANAS (White et al. 2021): perceptrons on what lies along paths, each with weights of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float

from graphs.archgraph import ArchGraph
from predictors.encodings import Encodings
from predictors.member_training import Schedule, train_members
from predictors.members import keep_members, outputs_of
from predictors.mlp import VectorMembers
from predictors.path_inputs import PathInputs
from predictors.targets import GapTransform

MEMBERS = 5
SCHEDULE = Schedule(steps=150, learning_rate=5e-3, decay=0.1)


def fit_path_members(
    encodings: Encodings, graphs: Sequence[ArchGraph], values: Float[np.ndarray, " n"], seed: int
) -> Callable[[Sequence[ArchGraph]], Float[np.ndarray, "e m"]]:
    """What each of `MEMBERS` perceptrons, trained on all labels, predicts of graphs, in the labels' unit.

    The paper's networks have ten layers of twenty and see whole paths alone; these are wider, and see coarser views of
    paths too, which `predictors.path_inputs` explains. As the paper's loss, theirs is relative to the gap to the best:
    they learn its logarithm.

    Args:
        encodings: of the space.
        graphs, values: n of them, at least 2, larger is better.
        seed: of weights and order.
    """
    inputs, rng = PathInputs(encodings.table, encodings.groups, graphs), torch.Generator().manual_seed(seed)
    warp = GapTransform.fit(values)
    network = VectorMembers(MEMBERS, inputs.width, rng)
    targets = torch.from_numpy(warp(values)).float()[:, None]
    train_members(network, inputs(graphs), targets, torch.ones(MEMBERS, len(values)), SCHEDULE, rng)
    trained = keep_members(network, range(MEMBERS))

    def predict(some: Sequence[ArchGraph]) -> Float[np.ndarray, "e m"]:
        return warp.inverse(outputs_of(trained, inputs(some))[..., 0].numpy())

    return predict
