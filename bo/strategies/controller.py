"""Controller: recurrent policies that draw architectures and learn by REINFORCE."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bo.strategies.decisions import Decisions
from bo.strategies.recurrent_policy import RecurrentPolicy, Walk, draw, entropy
from bo.strategies.reinforce import Baseline, reinforce_loss


@dataclass(frozen=True)
class Learning:
    """How a controller learns.

    Args:
        rate: of Adam.
        width: of the LSTMs.
        temperature: what logits are divided by.
        bonus: weight of the entropy.
        decay: of the moving average of rewards.
    """

    rate: float
    width: int = 100
    temperature: float = 5.0
    bonus: float = 1e-4
    decay: float = 0.95


class Controller:
    """Policies, one for each part of the decisions, each with an optimiser of its own.

    Args:
        decisions: all of them.
        parts: which decisions each policy makes, all of them together.
        learning: how they learn.
        seed: of the first weights.
        told: whether policies are told an architecture from which they depart.
    """

    def __init__(
        self, decisions: Decisions, parts: Sequence[Sequence[int]], learning: Learning, seed: int, *, told: bool
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.decisions, self.learning, self.parts = decisions, learning, tuple(map(tuple, parts))
        self.policies = [
            RecurrentPolicy(
                decisions, part, generator, told=told, width=learning.width, temperature=learning.temperature
            )
            for part in self.parts
        ]
        self._optimisers = [torch.optim.Adam(policy.parameters(), lr=learning.rate) for policy in self.policies]
        self._part_of = {one: number for number, part in enumerate(self.parts) for one in part}
        self.baseline = Baseline(decay=learning.decay)

    @torch.no_grad()
    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        told: Int[Tensor, "1 s"] | None = None,
        redrawn: Collection[int] = (),
    ) -> Int[Tensor, "b s"]:
        """Rows that are drawn decision by decision.

        Args:
            count: how many.
            rng: where all chance comes from.
            told: a row from which they depart, if the policies are told one.
            redrawn: the parts whose decisions are drawn then; others have those of `told` where these are allowed.
        """
        like = None if told is None else told.expand(count, -1)
        walk = Walk(self.policies, count, like)

        def choose(decision: int, allowed: Bool[Tensor, "b k"]) -> Int[Tensor, " b"]:
            uniforms = torch.from_numpy(rng.random(count))
            if like is None or self._part_of[decision] in redrawn:
                values = draw(walk.look(decision, allowed), uniforms)
            else:
                values = like[:, decision]
                kept = allowed.gather(1, values[:, None])[:, 0]
                if not kept.all():
                    values = torch.where(kept, values, draw(walk.look(decision, allowed), uniforms))
            return walk.make(decision, values)

        return self.decisions.fill(count, choose, like)

    @torch.no_grad()
    def entropies(self, row: Int[Tensor, "1 s"]) -> Float[np.ndarray, " c"]:
        """For each part the mean entropy of its decisions about `row`, told it, relative to that of a uniform draw.

        Decisions that have no choice do not count; a part without others has entropy 0.
        """
        _, entropies, most = self._look_back(row, row, range(len(self.parts)))
        found = np.zeros(len(self.parts))
        for number, part in enumerate(self.parts):
            shares = [float(entropies[one]) / most[one] for one in part if most[one] > 0]
            found[number] = np.mean(shares) if shares else 0.0
        return found

    def learn(
        self, row: Int[Tensor, "1 s"], told: Int[Tensor, "1 s"] | None, parts: Collection[int], advantage: float
    ) -> None:
        """One step of some policies from one architecture that they drew.

        Args:
            row: the architecture.
            told: the one from which it departed.
            parts: the policies that drew it.
            advantage: how much better it is than was expected.
        """
        log_probs, entropies, _ = self._look_back(row, told, parts)
        for part in sorted(parts):
            mine = self.parts[part]
            chosen, spread = (torch.stack([some[one] for one in mine]) for some in (log_probs, entropies))
            self._optimisers[part].zero_grad()
            reinforce_loss(chosen, spread, advantage, self.learning.bonus).backward()  # type: ignore[no-untyped-call]
            self._optimisers[part].step()

    def _look_back(
        self, row: Int[Tensor, "1 s"], told: Int[Tensor, "1 s"] | None, parts: Collection[int]
    ) -> tuple[dict[int, Tensor], dict[int, Tensor], dict[int, float]]:
        """Of each decision of some parts its log-probability in `row`, its entropy, and that of a uniform draw."""
        walk = Walk(self.policies, 1, told)
        log_probs, entropies, most = dict[int, Tensor](), dict[int, Tensor](), dict[int, float]()

        def choose(decision: int, allowed: Bool[Tensor, "b k"]) -> Int[Tensor, " b"]:
            value = row[:, decision]
            if self._part_of[decision] in parts:
                seen = walk.look(decision, allowed)
                log_probs[decision] = seen[0, value[0]]
                entropies[decision] = entropy(seen)[0]
                most[decision] = float(np.log(int(allowed.sum())))
            return walk.make(decision, value)

        self.decisions.fill(1, choose, row)
        return log_probs, entropies, most
