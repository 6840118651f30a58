"""Training all members of a network at once, each on its own share of the labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from predictors.members import In, Members


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Args:
        steps: of the optimiser.
        batch: labels a step.
        learning_rate: AdamW's, which rises over the first tenth and falls to nothing (one cycle).
        decay: of weights, AdamW's.
    """

    steps: int = 400
    batch: int = 64
    learning_rate: float = 1e-2
    decay: float = 0.3


def train_members(
    network: Members[In],
    inputs: In,
    targets: Float[Tensor, "n o"],
    weights: Float[Tensor, "e n"],
    schedule: Schedule,
    rng: torch.Generator,
) -> None:
    """Minimise each member's mean squared error over the rows that it sees.

    No member depends on another, nor on a row of weight 0.

    Args:
        inputs: n rows.
        targets: about standardised.
        weights: of each row for each member.
        rng: where the order of rows and dropout come from; torch's own chance is as it was afterwards.
    """
    optimiser, cycle = optimiser_of(network, schedule)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(1 << 62, (), generator=rng)))
        network.train()
        for rows in batches(len(targets), schedule, rng):
            share = weights[:, rows]
            errors = (network(inputs[rows]) - targets[rows]).square().mean(2)
            loss = ((share * errors).sum(1) / share.sum(1).clamp(min=1)).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()


def optimiser_of(
    network: torch.nn.Module, schedule: Schedule
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW and its learning rate over the steps of a schedule."""
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.decay, fused=True
    )
    steps = schedule.steps + 1
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.learning_rate, steps, pct_start=0.1)


def batches(rows: int, schedule: Schedule, rng: torch.Generator) -> Iterator[Int[Tensor, " b"]]:
    """Row numbers of each step, cut from one permutation after another."""
    waiting, size = torch.zeros(0, dtype=torch.int64), min(schedule.batch, rows)
    for _ in range(schedule.steps):
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(rows, generator=rng)])
        yield waiting[:size]
        waiting = waiting[size:]
