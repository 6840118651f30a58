"""Masked (absorbing) discrete diffusion over a layout's slots: the forward process and its bound.

At the end of the forward process every slot is hidden; in between each set of hidden slots of one size is equally
likely. The number of hidden slots takes the place of a continuous time, which leaves the same bound with less variance
(Austin et al. 2021, D3PM, appendix A.3; Sahoo et al. 2024; Ou et al. 2024, theorem 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Noised:
    """Rows with some slots hidden.

    Args:
        values: the rows; a hidden slot holds its number of choices.
        hidden: which slots the noise hid.
        free: how many slots of each row could be hidden.
    """

    values: Int[Tensor, "b s"]
    hidden: Bool[Tensor, "b s"]
    free: Int[Tensor, " b"]


def add_noise(
    values: Int[Tensor, "b s"], start: Int[Tensor, "b s"], hidden_values: Int[Tensor, " s"], rng: torch.Generator
) -> Noised:
    """Hide a random number, from one to all, of each row's slots that are not given from the start.

    The numbers are spread evenly over the batch (stratified), which lowers the loss's variance.

    Args:
        start: what is given from the start, see `Layout.start`.
        hidden_values: the hidden value of each slot.
        rng: where chance comes from; on the CPU.
    """
    b = len(values)
    open_slots = start == hidden_values
    free = open_slots.sum(1)
    share = (torch.rand((), generator=rng) + torch.randperm(b, generator=rng) / b) % 1
    count = (share.to(values.device) * free).floor().long() + 1
    order = torch.rand(values.shape, generator=rng).to(values.device).masked_fill(~open_slots, torch.inf)
    hidden = (order.argsort(1).argsort(1) < count[:, None]) & open_slots
    return Noised(torch.where(hidden, hidden_values, values), hidden, free)


def negative_elbo(logits: Float[Tensor, "b s k"], clean: Int[Tensor, "b s"], noised: Noised) -> Float[Tensor, " b"]:
    """A draw of the bound on -log p(row | start) in nats: the hidden slots' mean cross-entropy times all free slots."""
    loss = -logits.log_softmax(-1).gather(-1, clean[..., None])[..., 0]
    mean = loss.where(noised.hidden, 0.0).sum(1) / noised.hidden.sum(1).clamp(min=1)
    return mean * noised.free
