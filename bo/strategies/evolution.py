"""Regularised evolution (Real et al., AAAI 2019): the best of a sample has a child, the oldest dies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bo.records import History, Proposal, Trial
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.strategy import TRIES, Identify, draw_random
from graphs.space import SearchSpace


@dataclass(frozen=True)
class RegularisedEvolution:
    """One mutation a child; the population is the last `population` evaluated trials.

    Args:
        population: trials that are alive; the first ones are random.
        sample: how many of them compete to be the parent; the one with the most merit wins, which is a feasible one
            where there is one.
        bounds: what every proposal keeps.
    """

    space: SearchSpace
    identify: Identify
    population: int = 50
    sample: int = 10
    bounds: Bounds = UNBOUNDED

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        seen, gate = set(history.seen), Gate(self.bounds)
        initial = min(count, max(0, self.population - len(history.trials)))
        proposals = draw_random(self.space, self.identify, seen, initial, rng, "initial", gate)
        alive = history.done[-self.population :]
        while len(proposals) < count:
            child = self._child(history, alive, seen, rng, gate) if alive else None
            if child is None:
                missing = count - len(proposals)
                proposals += draw_random(self.space, self.identify, seen, missing, rng, "random", gate)
                break
            proposals.append(child)
        return proposals, gate.notes()

    def _child(
        self, history: History, alive: tuple[Trial, ...], seen: set[str], rng: np.random.Generator, gate: Gate
    ) -> Proposal | None:
        """A mutant that is new and keeps the bounds; tournaments are held again while mutants are not."""
        for _ in range(TRIES):
            rivals = rng.choice(len(alive), size=min(self.sample, len(alive)), replace=False)
            parent = max((alive[int(rival)] for rival in rivals), key=history.merit)
            graph = self.space.mutate(parent.graph, rng)
            if (identity := self.identify(graph)) not in seen and gate.lets_child(graph):
                seen.add(identity)
                return Proposal(graph, "mutation", parent.number)
        return None
