"""Regularised evolution (Real et al., AAAI 2019): the best of a sample has a child, the oldest dies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bo.records import History, Proposal, Trial
from bo.strategies.strategy import TRIES, Identify, draw_random
from graphs.space import SearchSpace


@dataclass(frozen=True)
class RegularisedEvolution:
    """One mutation a child; the population is the last `population` evaluated trials.

    Args:
        population: trials that are alive; the first ones are random.
        sample: how many of them compete to be the parent.
    """

    space: SearchSpace
    identify: Identify
    population: int = 50
    sample: int = 10

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        seen = set(history.seen)
        initial = min(count, max(0, self.population - len(history.trials)))
        proposals = draw_random(self.space, self.identify, seen, initial, rng, "initial")
        alive = history.done[-self.population :]
        while len(proposals) < count:
            child = self._child(history, alive, seen, rng) if alive else None
            if child is None:
                proposals += draw_random(self.space, self.identify, seen, count - len(proposals), rng, "random")
                break
            proposals.append(child)
        return proposals, {}

    def _child(
        self, history: History, alive: tuple[Trial, ...], seen: set[str], rng: np.random.Generator
    ) -> Proposal | None:
        """A mutant that is new; tournaments are held again while mutants are known ones."""
        for _ in range(TRIES):
            rivals = rng.choice(len(alive), size=min(self.sample, len(alive)), replace=False)
            parent = max((alive[int(rival)] for rival in rivals), key=history.gain)
            graph = self.space.mutate(parent.graph, rng)
            if (identity := self.identify(graph)) not in seen:
                seen.add(identity)
                return Proposal(graph, "mutation", parent.number)
        return None
