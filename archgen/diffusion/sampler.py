"""Sampling: show some slots at every step, each drawn from the denoiser's law restricted to what the layout allows.

A row's slots are shown in a random order, as evenly over the steps as can be. Slots that limit each other directly are
shown in different steps where there are enough, because the denoiser draws the slots of one step independently; the
restricted ones are filled one after another, each with a value that some valid architecture agrees with. So every row
is valid at the end, by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.layout import Layout


class Predict(Protocol):
    """Logits of the slots of partly hidden rows."""

    def __call__(self, values: Int[Tensor, "b s"]) -> Float[Tensor, "b s k"]:
        """Logits of each slot's choices; a choice that a slot does not have is practically impossible."""


Watch = Callable[[Int[Tensor, "b s"]], object]
Limit = Callable[[Int[Tensor, "b s"], int], Bool[Tensor, "b k"]]
"""Which values a slot may take given the known ones, as `Layout.allowed`."""


@torch.no_grad()
def sample_rows(
    layout: Layout,
    predict: Predict,
    start: Int[Tensor, "b s"],
    steps: int,
    rng: torch.Generator,
    *,
    constrained: bool = True,
    watch: Watch = lambda _: None,
) -> Int[Tensor, "b s"]:
    """Complete rows from partly hidden ones.

    Args:
        start: rows with what is given; the rest is hidden.
        steps: denoising steps.
        constrained: whether `Layout.allowed` is obeyed; without it rows may be invalid, which judges the network.
        watch: called with the rows after each step.
    """
    values = start.clone()
    turn = schedule(layout, start == layout.hidden, steps, rng)
    for step in range(int(turn.max()) + 1):
        shown = turn == step
        rows = shown.any(1).nonzero()[:, 0]
        state = values[rows]
        values[rows] = reveal(layout, state, predict(state), shown[rows], rng, constrained)
        watch(values)
    return values


def schedule(layout: Layout, hidden: Bool[Tensor, "b s"], steps: int, rng: torch.Generator) -> Int[Tensor, "b s"]:
    """The step at which each hidden slot is shown, -1 for known ones: a random order, cut evenly into steps."""
    order = torch.rand(hidden.shape, generator=rng).masked_fill(~hidden, torch.inf).argsort(1).argsort(1)
    count = hidden.sum(1, keepdim=True).clamp(min=1)
    turn = order * torch.minimum(count, torch.tensor(steps)) // count
    for group in layout.coupled:
        if len(group) <= steps and not bool((hidden.sum(1) <= steps).all()):
            apart = torch.rand(len(hidden), steps, generator=rng).argsort(1)[:, : len(group)]
            turn[:, list(group)] = apart
    return turn.masked_fill(~hidden, -1)


def reveal(
    layout: Layout,
    values: Int[Tensor, "b s"],
    logits: Float[Tensor, "b s k"],
    shown: Bool[Tensor, "b s"],
    rng: torch.Generator,
    constrained: bool = True,
) -> Int[Tensor, "b s"]:
    """`values` with the slots of `shown` drawn from their logits, restricted to what is allowed."""
    values = values.clone()
    restricted = list(layout.restricted) if constrained else []
    free = shown.clone()
    free[:, restricted] = False
    at = free.nonzero(as_tuple=True)
    values[at] = categorical(logits[at], rng)
    for slot in restricted:
        rows = shown[:, slot].nonzero()[:, 0]
        if len(rows):
            allowed = layout.allowed(values[rows], slot)
            score = logits[rows, slot, : allowed.shape[1]].masked_fill(~allowed, -torch.inf)
            values[rows, slot] = categorical(score, rng)
    return values


def categorical(logits: Float[Tensor, "m k"], rng: torch.Generator) -> Int[Tensor, " m"]:
    """One draw from the softmax of each row, by inversion."""
    ladder = logits.double().softmax(-1).cumsum(-1)
    mark = torch.rand(len(logits), 1, generator=rng, dtype=torch.float64) * ladder[:, -1:]
    return (ladder <= mark).sum(-1).clamp(max=logits.shape[-1] - 1)
