"""DeepKernel: a Gaussian process on what graph neural networks make of graphs (Wilson et al. 2016, section 3).

The encoders of several members are trained at once, each by the marginal likelihood of its own process. Afterwards one
`ExactGP` has a kernel on the members' embeddings side by side, so that its distance is their mean distance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.deep_kernel_training import train_embeddings
from predictors.embedding_kernel import EmbeddingKernel
from predictors.ensemble import FOLDS, FULL, PER_FOLD, MakeInputs, MakeMembers, member_weights
from predictors.exact_gp import ExactGP, Inputs, fit_exact_gp, restore_exact_gp
from predictors.graph_inputs import GraphTensors
from predictors.latent_model import Moments
from predictors.member_training import Schedule
from predictors.members import Members, keep_members, load_members, outputs_of
from predictors.scale import Scale
from predictors.spread import Spread, fit_spread

WIDTH = 8
"""Numbers that a member makes of a graph."""
MOST_ROWS = 600
"""Labels from which the process's own hyper-parameters are learned."""
FEWEST = 2
"""Labels that a process needs."""


@final
@dataclass(frozen=True, eq=False)
class DeepKernel:
    """A `LatentModel`; made by `fit_deep_kernel` and `restore_deep_kernel`.

    Args:
        network: the members that have seen all labels.
        process: on their embeddings.
        spread: from its variance, which trusts encoders that know the labels, to one that left-out errors bear out.
        unseen: what is believed of each label, noise included, by members and processes without it.
    """

    network: Members[GraphTensors]
    process: ExactGP
    spread: Spread
    unseen: Moments

    @property
    def scale(self) -> Scale:
        """Between labels and the latent scale."""
        return self.process.scale

    @property
    def noise(self) -> float:
        """Variance of a measurement."""
        return self.spread.noise

    @property
    def targets(self) -> Float[Tensor, " n"]:
        """The labels that it was fitted to, on the scale."""
        return self.process.targets

    def moments(self, graphs: Sequence[ArchGraph]) -> Moments:
        mean, variance = self.process.moments(graphs)
        return mean, self.spread.of(variance, FULL)

    def joint(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " m"], Float[Tensor, "m m"]]:
        mean, covariance = self.process.joint(graphs)
        return mean, self.spread.covariance(covariance, FULL)

    def left_out(self) -> Moments:
        """By cross-validation over graphs: the closed form would trust encoders that have seen the label."""
        return self.unseen

    def state(self) -> Mapping[str, Tensor]:
        weights = {f"members.{name}": value for name, value in self.network.state_dict().items()}
        mean, variance = self.unseen
        spread = torch.tensor(self.spread.numbers, dtype=torch.float64)
        own = {"spread": spread, "unseen_mean": mean, "unseen_variance": variance}
        return {**self.process.state(), **own, **weights}


def fit_deep_kernel(
    network: MakeMembers[GraphTensors],
    inputs: MakeInputs[GraphTensors],
    labelled: tuple[Sequence[ArchGraph], Float[Tensor, " n"]],
    folds: Int[Tensor, " n"],
    scale: Scale,
    schedule: Schedule,
    seed: int,
) -> DeepKernel:
    """Train all encoders at once, then the processes; the arguments are those of `fit_ensemble`."""
    graphs, labels = labelled
    rng = torch.Generator().manual_seed(seed)
    trained, x = network(FULL + FOLDS * PER_FOLD, rng), inputs(graphs)
    targets = scale(labels.double())
    train_embeddings(trained, x, targets.float(), member_weights(folds), schedule, rng)
    found = outputs_of(trained, x)
    mean, variance = _unseen(found, graphs, labels, folds, scale)
    spread = fit_spread((targets - mean).square(), variance, FULL)
    unseen = mean, spread.noise + spread.of(variance, FULL)
    kept = keep_members(trained, range(FULL))
    process = fit_exact_gp(EmbeddingKernel, embeddings(kept, inputs), graphs, labels, MOST_ROWS, scale)
    return DeepKernel(kept, process, spread, unseen)


def restore_deep_kernel(
    network: MakeMembers[GraphTensors],
    inputs: MakeInputs[GraphTensors],
    labelled: tuple[Sequence[ArchGraph], Float[Tensor, " n"]],
    state: Mapping[str, Tensor],
) -> DeepKernel:
    """The model whose `state` this is, given what it was fitted to.

    Raises:
        KeyError, ValueError: the state is of another kind of model, or of other labels.
    """
    graphs, labels = labelled
    unseen = state["unseen_mean"], state["unseen_variance"]
    if any(part.shape != labels.shape for part in unseen):
        raise ValueError(f"left-out beliefs of {len(unseen[0])} labels, expected {len(labels)}")
    kept = load_members(network(FULL, torch.Generator().manual_seed(0)), state, "members.")
    process = restore_exact_gp(EmbeddingKernel(), embeddings(kept, inputs), graphs, labels.double(), state)
    return DeepKernel(kept, process, Spread(*state["spread"].tolist()), unseen)


def embeddings(network: Members[GraphTensors], inputs: MakeInputs[GraphTensors]) -> Inputs:
    """What the process reads of graphs: the members' outputs side by side."""

    def embed(graphs: Sequence[ArchGraph]) -> Float[Tensor, "m d"]:
        if not graphs:
            return torch.zeros(0, FULL * WIDTH, dtype=torch.float64)
        return side_by_side(outputs_of(network, inputs(graphs)))

    return embed


def side_by_side(found: Float[Tensor, "e m o"]) -> Float[Tensor, "m d"]:
    """All members' numbers of a graph in one row, whose squared distances are means over members and numbers."""
    rows: Tensor = found.permute(1, 0, 2).flatten(1)
    return rows / math.sqrt(rows.shape[1])


def _unseen(
    found: Float[Tensor, "e n o"],
    graphs: Sequence[ArchGraph],
    labels: Float[Tensor, " n"],
    folds: Int[Tensor, " n"],
    scale: Scale,
) -> Moments:
    """Of the noise-free values of each fold, by a process on the members that left it out."""
    mean, variance = torch.zeros(2, len(labels), dtype=torch.float64)
    variance += 1
    places = {graph: place for place, graph in enumerate(graphs)}
    for fold in sorted(set(folds.tolist())):
        left, kept = (folds == fold).nonzero()[:, 0], (folds != fold).nonzero()[:, 0]
        if len(kept) < FEWEST:
            continue  # nothing to learn from: the prior of standardised labels
        first = FULL + fold * PER_FOLD
        rows = side_by_side(found[first : first + PER_FOLD])
        inputs = _looked_up(rows, places)
        process = fit_exact_gp(EmbeddingKernel, inputs, _of(graphs, kept), labels[kept], MOST_ROWS, scale)
        mean[left], variance[left] = process.moments(_of(graphs, left))
    return mean, variance


def _looked_up(rows: Float[Tensor, "n d"], places: Mapping[ArchGraph, int]) -> Inputs:
    return lambda graphs: rows[[places[graph] for graph in graphs]]


def _of(graphs: Sequence[ArchGraph], rows: Int[Tensor, " k"]) -> list[ArchGraph]:
    return [graphs[row] for row in rows.tolist()]
