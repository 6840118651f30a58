"""The kinds of predictors that are networks: what each reads, how it is made, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.deep_kernel import WIDTH, DeepKernel, fit_deep_kernel, restore_deep_kernel
from predictors.encodings import Encodings
from predictors.ensemble import FOLDS, Ensemble, fit_ensemble, restore_ensemble
from predictors.folds import fold_numbers
from predictors.gnn import GnnSize, GraphMembers
from predictors.graph_inputs import GraphTensors
from predictors.member_training import Schedule
from predictors.mlp import VectorMembers
from predictors.path_inputs import PathInputs
from predictors.scale import Scale

Labelled = tuple[Sequence[ArchGraph], Float[Tensor, " n"]]
State = Mapping[str, Tensor]
PATH_SCHEDULE = Schedule(steps=300, learning_rate=3e-3, decay=0.1)
GNN_SCHEDULE = Schedule()
KERNEL_SCHEDULE = Schedule(steps=200, batch=100)


def fit_path_ensemble(encodings: Encodings, labelled: Labelled, scale: Scale, seed: int) -> Ensemble[Tensor]:
    """Perceptrons on what lies along paths (BANANAS, White et al. 2021, section 4)."""
    inputs, make = _paths(encodings, labelled[0])
    folds = fold_numbers(labelled[0], FOLDS)
    return fit_ensemble(make, inputs, labelled, folds, scale, PATH_SCHEDULE, seed)


def restore_path_ensemble(encodings: Encodings, labelled: Labelled, state: State) -> Ensemble[Tensor]:
    """The ensemble of a state; raises ValueError where that is of another."""
    inputs, make = _paths(encodings, labelled[0])
    return restore_ensemble(make, inputs, labelled[1], state)


def fit_gnn_ensemble(encodings: Encodings, labelled: Labelled, scale: Scale, seed: int) -> Ensemble[GraphTensors]:
    """Graph neural networks on the simplified networks."""
    folds = fold_numbers(labelled[0], FOLDS)
    make = gnn_maker(encodings, 1)
    return fit_ensemble(make, encodings.graph_inputs, labelled, folds, scale, GNN_SCHEDULE, seed)


def restore_gnn_ensemble(encodings: Encodings, labelled: Labelled, state: State) -> Ensemble[GraphTensors]:
    """The ensemble of a state; raises ValueError where that is of another."""
    return restore_ensemble(gnn_maker(encodings, 1), encodings.graph_inputs, labelled[1], state)


def fit_pretrained_gnn(encodings: Encodings, labelled: Labelled, scale: Scale, seed: int) -> Ensemble[GraphTensors]:
    """Graph neural networks that start from an encoder of free statistics, which is trained once for `encodings`."""
    folds = fold_numbers(labelled[0], FOLDS)

    def make(members: int, rng: torch.Generator) -> GraphMembers:
        network = gnn_maker(encodings, 1)(members, rng)
        network.start_from(encodings.pretrained)
        return network

    return fit_ensemble(make, encodings.graph_inputs, labelled, folds, scale, GNN_SCHEDULE, seed)


def fit_deep_kernel_gp(encodings: Encodings, labelled: Labelled, scale: Scale, seed: int) -> DeepKernel:
    """A Gaussian process on the embeddings of graph neural networks."""
    folds = fold_numbers(labelled[0], FOLDS)
    make = gnn_maker(encodings, WIDTH)
    return fit_deep_kernel(make, encodings.graph_inputs, labelled, folds, scale, KERNEL_SCHEDULE, seed)


def restore_deep_kernel_gp(encodings: Encodings, labelled: Labelled, state: State) -> DeepKernel:
    """The model of a state; raises ValueError where that is of another."""
    return restore_deep_kernel(gnn_maker(encodings, WIDTH), encodings.graph_inputs, labelled, state)


def gnn_maker(encodings: Encodings, outputs: int) -> Callable[[int, torch.Generator], GraphMembers]:
    """Makes graph neural networks for the graphs of a space."""
    return lambda members, rng: GraphMembers(members, encodings.graph_inputs.width, outputs, GnnSize(), rng)


def _paths(
    encodings: Encodings, graphs: Sequence[ArchGraph]
) -> tuple[PathInputs, Callable[[int, torch.Generator], VectorMembers]]:
    inputs = PathInputs(encodings.table, encodings.groups, graphs)
    return inputs, lambda members, rng: VectorMembers(members, inputs.width, rng)
