"""The kinds of models that a predictor can be, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from predictors.encodings import Encodings
from predictors.exact_gp import ExactGP, Inputs, Kernel, fit_exact_gp, restore_exact_gp
from predictors.kernel import GraphKernel
from predictors.latent_model import LatentModel
from predictors.neural import (
    fit_deep_kernel_gp,
    fit_gnn_ensemble,
    fit_path_ensemble,
    fit_pretrained_gnn,
    restore_deep_kernel_gp,
    restore_gnn_ensemble,
    restore_path_ensemble,
)
from predictors.scale import Scale
from predictors.slot_kernel import SlotKernel

Labelled = tuple[Sequence[ArchGraph], Float[Tensor, " n"]]
State = Mapping[str, Tensor]
ScaledFit = Callable[[Encodings, Labelled, Scale, int], LatentModel]
MOST_LABELS = 4_000
"""Labels that a model takes; of more, as many drawn by chance, the same for each kind."""
MOST_ROWS = 600
"""Labels from which its hyper-parameters are learned."""


@dataclass(frozen=True)
class Kind:
    """How a model is made.

    Args:
        fit: from encodings, labelled graphs, a scale or None to learn one too, and a seed.
        restore: from encodings, the labelled graphs and the model's state; raises ValueError where that is of another.
        fits: whether there is such a model for a space.
    """

    fit: Callable[[Encodings, Labelled, Scale | None, int], LatentModel]
    restore: Callable[[Encodings, Labelled, State], LatentModel]
    fits: Callable[[Encodings], bool] = lambda _: True


def _wl_kernel(encodings: Encodings) -> Kernel:
    return GraphKernel(encodings.table, encodings.terms, smooth=True)


def _slot_kernel(encodings: Encodings) -> Kernel:
    if encodings.slots is None:
        raise InvalidOption(f"space {encodings.space.name!r} has no layout of slots; use another kind of predictor")
    return SlotKernel(encodings.slots, None, torch.zeros(0, len(encodings.slots.sizes), dtype=torch.int64))


def _wl_inputs(encodings: Encodings) -> Inputs:
    return encodings.numbers


def _slot_inputs(encodings: Encodings) -> Inputs:
    return encodings.rows


def _gp(kernel: Callable[[Encodings], Kernel], inputs: Callable[[Encodings], Inputs]) -> Kind:
    def fit(encodings: Encodings, labelled: Labelled, scale: Scale | None, _seed: int) -> ExactGP:
        graphs, labels = _some(labelled)
        return fit_exact_gp(partial(kernel, encodings), inputs(encodings), graphs, labels, MOST_ROWS, scale)

    def restore(encodings: Encodings, labelled: Labelled, state: State) -> ExactGP:
        graphs, labels = _some(labelled)
        return restore_exact_gp(kernel(encodings), inputs(encodings), graphs, labels, state)

    return Kind(fit, restore)


def _some(labelled: Labelled) -> Labelled:
    """Up to `MOST_LABELS` of the labelled graphs, always the same."""
    graphs, labels = labelled
    if len(labels) <= MOST_LABELS:
        return labelled
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:MOST_LABELS]
    return [graphs[row] for row in rows.tolist()], labels[rows]


def _has_slots(encodings: Encodings) -> bool:
    return encodings.slots is not None


def _scaled(fit: ScaledFit, restore: Callable[[Encodings, Labelled, State], LatentModel]) -> Kind:
    """A kind that learns on a scale which is known; where it is not, on that of the Gaussian process."""

    def fit_scaled(encodings: Encodings, labelled: Labelled, scale: Scale | None, seed: int) -> LatentModel:
        return fit(encodings, _some(labelled), scale or WL_GP.fit(encodings, labelled, None, seed).scale, seed)

    return Kind(fit_scaled, lambda encodings, labelled, state: restore(encodings, _some(labelled), state))


WL_GP, SLOT_GP = _gp(_wl_kernel, _wl_inputs), _gp(_slot_kernel, _slot_inputs)
KINDS: Mapping[str, Kind] = {
    "wl-gp": WL_GP,
    "slot-gp": Kind(SLOT_GP.fit, SLOT_GP.restore, _has_slots),
    "path-ensemble": _scaled(fit_path_ensemble, restore_path_ensemble),
    "gnn-ensemble": _scaled(fit_gnn_ensemble, restore_gnn_ensemble),
    "pretrained-gnn": _scaled(fit_pretrained_gnn, restore_gnn_ensemble),
    "deep-kernel": _scaled(fit_deep_kernel_gp, restore_deep_kernel_gp),
}
DEFAULT_KINDS = ("wl-gp", "slot-gp")
"""Those that the default predictor mixes: the ones that are fitted in seconds."""
AUTO = "auto"
WITH_NETWORK = "gp-gnn"
MIXES: Mapping[str, tuple[str, ...]] = {AUTO: DEFAULT_KINDS, WITH_NETWORK: (*DEFAULT_KINDS, "gnn-ensemble")}
"""Predictors that are mixes of several kinds of models."""
