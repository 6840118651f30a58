"""NSGA-II (Deb et al. 2002): fronts, crowding, binary tournaments, crossover and mutation, for several objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bo.records import History, Proposal, Trial
from bo.strategies.dominance import fitness_order
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.strategy import TRIES, Identify, draw_random
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

Crossover = Callable[[ArchGraph, ArchGraph, np.random.Generator], ArchGraph]
"""A valid child of two parents, as `graphs.crossover.uniform_crossover` makes one."""
CROSSED, MUTATED = 0.9, 0.5
"""Shares of children that are crossed, and that are mutated; one that is neither is mutated."""


@dataclass(frozen=True)
class Nsga2:
    """A random population, then generation after generation of `children` trials each.

    The paper has as many children as survivors, and a hundred of them; campaigns have some hundred trials in all, in
    which fewer of both come further.

    Which are alive is replayed from the history: after each generation that has been asked for, the fittest of the
    survivors before it and of what was measured of it. So any number of candidates may be asked for at any time, and
    what is still being measured joins once it is.

    Args:
        population: trials of the first generation, and survivors of each.
        children: trials of each other generation.
        crossover: of two parents; None where the space has none, and children are mutants.
        bounds: what every proposal keeps.
    """

    space: SearchSpace
    identify: Identify
    population: int = 20
    children: int = 10
    crossover: Crossover | None = None
    bounds: Bounds = UNBOUNDED

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        seen, gate = set(history.seen), Gate(self.bounds)
        initial = min(count, max(0, self.population - len(history.trials)))
        proposals = draw_random(self.space, self.identify, seen, initial, rng, "initial", gate)
        alive = survivors(history, self.population, self.children) if len(proposals) < count else []
        while alive and len(proposals) < count:
            child = self._child(alive, seen, rng, gate)
            if child is None:
                break
            proposals.append(child)
        proposals += draw_random(self.space, self.identify, seen, count - len(proposals), rng, "random", gate)
        return proposals, {"alive": len(alive), **gate.notes()} if alive else gate.notes()

    def _child(self, alive: Sequence[Trial], seen: set[str], rng: np.random.Generator, gate: Gate) -> Proposal | None:
        """A child that is new and keeps the bounds; tournaments are held again while children are not."""
        for _ in range(TRIES):
            first, second = (alive[int(rng.integers(len(alive), size=2).min())] for _ in range(2))
            graph = first.graph
            crossed = self.crossover is not None and rng.random() < CROSSED
            if crossed and self.crossover is not None:
                graph = self.crossover(first.graph, second.graph, rng)
            if not crossed or rng.random() < MUTATED:
                graph = self.space.mutate(graph, rng)
            if (identity := self.identify(graph)) not in seen and gate.lets_child(graph):
                seen.add(identity)
                return Proposal(graph, "crossover" if crossed else "mutation", first.number)
        return None


def survivors(history: History, population: int, children: int) -> list[Trial]:
    """Those alive, the fittest first: a binary tournament is won by the smaller of two places."""
    alive, begin = list[Trial](), 0
    for end in range(population, max(len(history.trials), population) + 1, children):
        born = [trial for trial in history.trials[begin:end] if trial.status == "done"]
        alive, begin = fittest(history, [*alive, *born])[:population], end
    return alive


def fittest(history: History, trials: Sequence[Trial]) -> list[Trial]:
    """Evaluated trials from the fittest on."""
    if not trials:
        return []
    gains = np.array([history.gains(trial) for trial in trials], dtype=float)
    violations = np.array([history.violation(trial) for trial in trials])
    return [trials[int(place)] for place in fitness_order(gains, violations)]
