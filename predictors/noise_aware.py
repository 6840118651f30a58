"""NoiseAware: a property of rows of which a generator has hidden some slots, for guidance while they are drawn.

It learns E[y | what is shown] by squared error on rows that the generator's own process has hidden parts of (Dhariwal
and Nichol 2021, section 4.1, for classifiers), and is told how much is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from graphs.errors import InvalidOption
from predictors.member_training import Schedule, optimiser_of
from predictors.members import outputs_of
from predictors.mlp import VectorMembers

Noising = Callable[[Int[Tensor, "b s"], torch.Generator], Int[Tensor, "b s"]]
"""Hides slots of complete rows as the generator does; a hidden slot holds its number of choices."""
MEMBERS = 4
SCHEDULE = Schedule(steps=1500, batch=128, learning_rate=3e-3, decay=0.1)
REPEATS = 8
"""How often each label comes in a step's batch at most, hidden differently."""


@final
@dataclass(frozen=True, eq=False)
class NoiseAware:
    """Made by `fit_noise_aware`.

    Args:
        sizes: the number of choices of each slot.
        network: perceptrons on slots and on the share that is hidden.
        mean, deviation: of the labels.
    """

    sizes: tuple[int, ...]
    network: VectorMembers
    mean: float
    deviation: float

    def __call__(self, values: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """What is believed of rows, some slots hidden: the mean, and the deviation between members, in float64."""
        found = outputs_of(self.network, slot_inputs(self.sizes, values))[..., 0]
        return self.mean + self.deviation * found.mean(0), self.deviation * found.std(0)


def fit_noise_aware(
    sizes: Sequence[int],
    rows: Int[Tensor, "n s"],
    targets: Float[Tensor, " _"],
    noising: Noising,
    schedule: Schedule = SCHEDULE,
    seed: int = 0,
) -> NoiseAware:
    """Learn from labelled rows, hidden anew in every step; the same arguments give the same predictor.

    Args:
        sizes: the number of choices of each slot.
        rows: complete ones.
        targets: their labels, finite.
        noising: the generator's process; the identity makes a predictor of complete rows.
        schedule: of the training.
        seed: where chance comes from.

    Raises:
        InvalidOption: not one finite target for each row, or fewer than 2.
    """
    if len(rows) < 2 or targets.shape != (len(rows),) or not bool(targets.isfinite().all()):
        raise InvalidOption(f"{len(rows)} rows, targets {tuple(targets.shape)}: expected a finite one each, 2 at least")
    rng = torch.Generator().manual_seed(seed)
    mean, deviation = float(targets.mean()), float(targets.std(correction=0)) or 1.0
    wanted = ((targets - mean) / deviation).float()
    network = VectorMembers(MEMBERS, sum(sizes) + len(sizes) + 1, rng)
    optimiser, cycle = optimiser_of(network, schedule)
    size = min(schedule.batch, REPEATS * len(rows))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(1 << 62, (), generator=rng)))
        network.train()
        for _ in range(schedule.steps):
            chosen = torch.randint(len(rows), (size,), generator=rng)
            found = network(slot_inputs(sizes, noising(rows[chosen], rng)))[..., 0]
            loss = (found - wanted[chosen]).square().mean(1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
    return NoiseAware(tuple(sizes), network.eval().requires_grad_(False), mean, deviation)


def slot_inputs(sizes: Sequence[int], values: Int[Tensor, "b s"]) -> Float[Tensor, "b d"]:
    """Each slot's value one-hot, hidden being one more, and the share of slots that are hidden: the noise level."""
    hidden = (values == torch.tensor(sizes)).float().mean(1, keepdim=True)
    slots = [one_hot(values[:, slot], size + 1).float() for slot, size in enumerate(sizes)]
    return torch.cat([*slots, hidden], 1)
