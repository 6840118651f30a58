"""GraphNAS (Gao et al. 2019): one LSTM draws whole architectures and learns by REINFORCE how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bo.records import History, Proposal, Trial
from bo.strategies.controller import Controller, Learning
from bo.strategies.decisions import Decisions
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.follower import Follower, draw_unseen
from bo.strategies.strategy import Identify, draw_random
from graphs.layout import Layout
from graphs.space import SearchSpace

LEARNING = Learning(rate=0.01)
"""With the published rate of 3.5e-4 a hundred trials teach next to nothing; see experiments/auto_gnn.md."""
ORIGIN = "controller"


@dataclass(frozen=True)
class GraphNas:
    """Draws from one policy of all decisions; those that were evaluated are drawn again, which the paper does not do.

    Args:
        layout: the space's.
        learning: of the policy.
        seed: of its first weights.
        bounds: what every proposal keeps.
    """

    layout: Layout
    identify: Identify
    learning: Learning = LEARNING
    seed: int = 0
    bounds: Bounds = UNBOUNDED

    @property
    def space(self) -> SearchSpace:
        return self.layout.space

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        seen, gate = set(history.seen), Gate(self.bounds)
        controller = self.controller(history)
        graphs = draw_unseen(lambda draws: controller.draw(draws, rng), controller, count, self.identify, seen, gate)
        proposals = [Proposal(graph, ORIGIN) for graph in graphs]
        proposals += draw_random(self.space, self.identify, seen, count - len(proposals), rng, "random", gate)
        return proposals, gate.notes()

    def controller(self, history: History) -> Controller:
        """The policy after what `history` has taught it."""
        return self._follower.follow(history)

    @cached_property
    def _follower(self) -> Follower:
        decisions = Decisions(self.layout)
        return Follower(lambda: Controller(decisions, [decisions.order], self.learning, self.seed, told=False), _teach)


def _teach(controller: Controller, _history: History, trial: Trial, advantage: float) -> None:
    if trial.proposal.origin == ORIGIN:
        controller.learn(controller.decisions.read([trial.graph]), None, (0,), advantage)
