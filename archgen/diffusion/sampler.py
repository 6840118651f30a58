"""Sampling: show some slots at every step, each drawn from the denoiser's law restricted to what the layout allows.

A row's slots are shown in a random order, as evenly over the steps as can be. Slots that limit each other directly are
shown in different steps where there are enough, because the denoiser draws the slots of one step independently; the
restricted ones are filled one after another, each with a value that some valid architecture agrees with. So every row
is valid at the end, by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.layout import Layout


@runtime_checkable
class Predict(Protocol):
    """Logits of the slots of partly hidden rows."""

    def __call__(self, values: Int[Tensor, "b s"]) -> Float[Tensor, "b s k"]:
        """Logits of each slot's choices; a choice that a slot does not have is practically impossible."""


Draw = Callable[[Int[Tensor, " m"], Bool[Tensor, "m k"]], Int[Tensor, " m"]]
"""Draws some of the places of a list, each from its allowed values, and writes them into the rows."""


@runtime_checkable
class Fills(Protocol):
    """A layout that fills restricted slots faster than one after another, each with the value it would have then."""

    def fill(self, values: Int[Tensor, "b s"], rows: Int[Tensor, " p"], slots: Int[Tensor, " p"], draw: Draw) -> None:
        """Draw each of the p places once, in an order of its own.

        Args:
            values: partly hidden rows, into which `draw` writes.
            rows: of each place.
            slots: of each place, in the order in which the layout restricts them.
            draw: takes numbers of places, no row twice in one slot, and their allowed values.
        """


def sample_rows(
    layout: Layout,
    predict: Predict,
    start: Int[Tensor, "b s"],
    steps: int,
    rng: torch.Generator,
    constrained: bool = True,
) -> Int[Tensor, "b s"]:
    """Complete rows from partly hidden ones.

    Args:
        start: rows with what is given; the rest is hidden.
        steps: denoising steps.
        constrained: whether `Layout.allowed` is obeyed; without it rows may be invalid, which judges the network.
    """
    return sample_weighted(layout, predict, None, start, steps, rng, constrained)[0]


@torch.no_grad()
def sample_weighted(
    layout: Layout,
    predict: Predict,
    target: Predict | None,
    start: Int[Tensor, "b s"],
    steps: int,
    rng: torch.Generator,
    constrained: bool = True,
) -> tuple[Int[Tensor, "b s"], Float[Tensor, " b"]]:
    """As `sample_rows`, and for each row the log importance weight under which it stands for a draw by `target`.

    The weight is that of the whole path, both laws showing the slots in the same order.
    """
    values, log_weight = start.clone(), torch.zeros(len(start), dtype=torch.float64)
    turn = schedule(layout, start == layout.hidden, steps, rng)
    for step in range(int(turn.max()) + 1):
        shown = turn == step
        rows = shown.any(1).nonzero()[:, 0]
        state = values[rows]
        logits, aim = predict(state), None if target is None else target(state)
        values[rows], ratio = reveal_weighted(layout, state, logits, aim, shown[rows], rng, constrained)
        log_weight[rows] += ratio
    return values, log_weight


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
    return reveal_weighted(layout, values, logits, None, shown, rng, constrained)[0]


def reveal_weighted(
    layout: Layout,
    values: Int[Tensor, "b s"],
    logits: Float[Tensor, "b s k"],
    target: Float[Tensor, "b s k"] | None,
    shown: Bool[Tensor, "b s"],
    rng: torch.Generator,
    constrained: bool = True,
) -> tuple[Int[Tensor, "b s"], Float[Tensor, " b"]]:
    """As `reveal`, and for each row log p - log q of what was drawn: p by the logits of `target`, q by `logits`."""
    values, log_ratio = values.clone(), torch.zeros(len(values), dtype=torch.float64)
    restricted = list(layout.restricted) if constrained else []
    free = shown.clone()
    free[:, restricted] = False

    def write(rows: Tensor, slots: Tensor, marks: Tensor, allowed: Tensor | None) -> Tensor:
        scores = [part[rows, slots] for part in (logits, target) if part is not None]
        if allowed is not None:
            scores = [part[:, : allowed.shape[1]].masked_fill(~allowed, -torch.inf) for part in scores]
        drawn = values[rows, slots] = _inverted(scores[0], marks)
        if target is not None:
            log_q, log_p = (part.double().log_softmax(-1).gather(1, drawn[:, None])[:, 0] for part in scores)
            log_ratio.index_add_(0, rows, log_p - log_q)
        return drawn

    at_rows, at_slots = free.nonzero(as_tuple=True)
    write(at_rows, at_slots, _marks(len(at_rows), rng), None)
    if restricted:
        order, rows = shown.T[restricted].nonzero(as_tuple=True)
        slots, marks = torch.tensor(restricted)[order], _marks(len(rows), rng)
        fill = layout.fill if isinstance(layout, Fills) else partial(fill_in_turn, layout)
        fill(values, rows, slots, lambda some, allowed: write(rows[some], slots[some], marks[some], allowed))
    return values, log_ratio


def fill_in_turn(
    layout: Layout, values: Int[Tensor, "b s"], rows: Int[Tensor, " p"], slots: Int[Tensor, " p"], draw: Draw
) -> None:
    """What `Fills.fill` does, for any layout: one slot after another."""
    counts = slots.bincount(minlength=len(layout))[list(layout.restricted)].tolist()
    for slot, some in zip(layout.restricted, torch.split(torch.arange(len(slots)), counts), strict=True):
        if len(some):
            draw(some, layout.allowed(values[rows[some]], slot))


def categorical(logits: Float[Tensor, "m k"], rng: torch.Generator) -> Int[Tensor, " m"]:
    """One draw from the softmax of each row, by inversion."""
    return _inverted(logits, _marks(len(logits), rng))


def _marks(count: int, rng: torch.Generator) -> Float[Tensor, " count"]:
    return torch.rand(count, generator=rng, dtype=torch.float64)


def _inverted(logits: Float[Tensor, "m k"], marks: Float[Tensor, " m"]) -> Int[Tensor, " m"]:
    ladder = logits.double().softmax(-1).cumsum(-1)
    return (ladder <= marks[:, None] * ladder[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)
