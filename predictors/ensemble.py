"""Deep ensembles: members that start and are shuffled differently (Lakshminarayanan et al. 2017), trained at once.

Some members see all labels and predict new graphs; others leave out a fold of the networks each, and say what is
believed of labels that were not seen. All are trained in one call, so that left-out beliefs cost no second fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.latent_model import Moments
from predictors.member_training import Schedule, train_members
from predictors.members import In, Members, keep_members, load_members, outputs_of
from predictors.scale import Scale
from predictors.scale_state import scale_from, scale_numbers
from predictors.spread import Spread, fit_spread

FULL = 5
"""Members that see all labels."""
FOLDS, PER_FOLD = 5, 2
"""Folds, and members that leave out each."""

MakeMembers = Callable[[int, torch.Generator], Members[In]]
"""A network of so many members, its weights drawn."""
MakeInputs = Callable[[Sequence[ArchGraph]], In]
"""What the network reads of graphs; equal for descriptions of one network."""


@final
@dataclass(frozen=True, eq=False)
class Ensemble(Generic[In]):
    """A `LatentModel`; made by `fit_ensemble` and `restore_ensemble`.

    Args:
        network: the members that have seen all labels.
        inputs: of graphs, for the network.
        scale: between labels and the latent scale.
        targets: the labels there.
        spread: what the members' disagreement says.
        unseen: mean of each label by the members that have not seen it, and its variance, noise included.
    """

    network: Members[In]
    inputs: MakeInputs[In]
    scale: Scale
    targets: Float[Tensor, " n"]
    spread: Spread
    unseen: Moments

    @property
    def noise(self) -> float:
        """Variance of a measurement: what the members' disagreement leaves of left-out errors."""
        return self.spread.noise

    def moments(self, graphs: Sequence[ArchGraph]) -> Moments:
        mean, centred = self._centred(graphs)
        return mean, self.spread.of(centred.square().sum(0) / (FULL - 1), FULL)

    def joint(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " m"], Float[Tensor, "m m"]]:
        mean, centred = self._centred(graphs)
        return mean, self.spread.covariance(centred.T @ centred / (FULL - 1), FULL)

    def left_out(self) -> Moments:
        """By cross-validation over graphs; the noise is learned from all left-out errors together."""
        return self.unseen

    def state(self) -> Mapping[str, Tensor]:
        weights = {f"members.{name}": value for name, value in self.network.state_dict().items()}
        mean, variance = self.unseen
        numbers = torch.tensor([*scale_numbers(self.scale), *self.spread.numbers], dtype=torch.float64)
        return {"numbers": numbers, "unseen_mean": mean, "unseen_variance": variance, **weights}

    def _centred(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " m"], Float[Tensor, "e m"]]:
        """The mean over members, and how far each is from it."""
        if not graphs:
            return torch.zeros(0).double(), torch.zeros(FULL, 0).double()
        found = outputs_of(self.network, self.inputs(graphs))[..., 0]
        return found.mean(0), found - found.mean(0)


def fit_ensemble(
    network: MakeMembers[In],
    inputs: MakeInputs[In],
    labelled: tuple[Sequence[ArchGraph], Float[Tensor, " n"]],
    folds: Int[Tensor, " n"],
    scale: Scale,
    schedule: Schedule,
    seed: int,
) -> Ensemble[In]:
    """Train all members at once; the same labels and seed give the same ensemble.

    Args:
        network: makes one with its weights drawn.
        inputs: of graphs, for the network.
        labelled: n graphs and their labels, finite, on `scale` too.
        folds: of each label, from 0 to below `FOLDS`; one fold has all labels of a graph.
        scale: that of the labels.
        schedule: of the training.
        seed: where weights and order come from.
    """
    graphs, labels = labelled
    rng = torch.Generator().manual_seed(seed)
    trained, targets, x = network(FULL + FOLDS * PER_FOLD, rng), scale(labels.double()), inputs(graphs)
    train_members(trained, x, targets.float()[:, None], member_weights(folds), schedule, rng)
    found = outputs_of(trained, x)[..., 0]
    mean, doubt = unseen_moments(found, folds)
    spread = fit_spread((targets - mean).square(), doubt, PER_FOLD)
    unseen = mean, spread.noise + spread.of(doubt, PER_FOLD)
    return Ensemble(keep_members(trained, range(FULL)), inputs, scale, targets, spread, unseen)


def restore_ensemble(
    network: MakeMembers[In],
    inputs: MakeInputs[In],
    labels: Float[Tensor, " n"],
    state: Mapping[str, Tensor],
) -> Ensemble[In]:
    """The ensemble whose `state` this is, given what it was fitted to.

    Raises:
        KeyError, ValueError: the state is of another kind of model, or of other labels.
    """
    numbers = state["numbers"].tolist()
    scale, spread = scale_from(numbers[:5]), Spread(*numbers[5:])
    unseen = state["unseen_mean"], state["unseen_variance"]
    if any(part.shape != labels.shape for part in unseen):
        raise ValueError(f"left-out beliefs of {len(unseen[0])} labels, expected {len(labels)}")
    kept = load_members(network(FULL, torch.Generator().manual_seed(0)), state, "members.")
    return Ensemble(kept, inputs, scale, scale(labels.double()), spread, unseen)


def member_weights(folds: Int[Tensor, " n"]) -> Float[Tensor, "e n"]:
    """1 where a member sees a label: `FULL` members all, then `PER_FOLD` members for each fold all but that."""
    left = torch.arange(FOLDS).repeat_interleave(PER_FOLD)
    return torch.cat([torch.ones(FULL, len(folds)), (folds != left[:, None]).float()])


def unseen_moments(found: Float[Tensor, "e n"], folds: Int[Tensor, " n"]) -> Moments:
    """Mean and variance over the members that have not seen a label, of what all members say of it."""
    numbers = FULL + PER_FOLD * folds + torch.arange(PER_FOLD)[:, None]
    own = found.gather(0, numbers)
    return own.mean(0), own.var(0)
