"""LINAS (DyNAS-T, Cummings et al. 2022): measure a population, fit predictors, evolve on them alone, measure what that
ends with, and again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from bo.records import History, Proposal, Trial
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.nsga2 import fittest
from bo.strategies.row_evolution import Fitness, evolve_rows, fittest_first, offspring
from bo.strategies.strategy import Identify, draw_random
from graphs.archgraph import ArchGraph
from graphs.layout import Layout
from graphs.space import SearchSpace

RowScore = Callable[[Int[np.ndarray, "b s"]], Float[np.ndarray, " b"]]
FitRows = Callable[[Int[np.ndarray, "n s"], Float[np.ndarray, " n"]], RowScore]
"""Learns a metric from rows of slots and its values."""
SPARE = 10
"""Children in all, in units of the population, of which the fittest stand in for those that are known already."""


@dataclass(frozen=True)
class Linas:
    """Rounds of `population` trials; the first one is random, each other one is the end of an evolution.

    The evolution, and its chance, follow from the trials of the rounds before alone, so every step of a round finds the
    same candidates. DyNAS-T measures architectures again that it knows; here the next ones stand in for them.

    Args:
        layout: the space's.
        fit: makes a predictor for a metric.
        known: metrics that rows have without evaluation; they are computed and never predicted.
        population: trials of a round, and of the evolution.
        evaluations: predictions in an evolution.
        bounds: what every proposal keeps.
    """

    layout: Layout
    identify: Identify
    fit: FitRows
    known: Mapping[str, RowScore] = field(default_factory=dict)
    population: int = 50
    evaluations: int = 20_000
    bounds: Bounds = UNBOUNDED
    _memory: dict[str, list[ArchGraph]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The last round's candidates, which it spares to find again in each of its steps."""

    @property
    def space(self) -> SearchSpace:
        return self.layout.space

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        seen, gate = set(history.seen), Gate(self.bounds)
        begun = len(history.trials) // self.population * self.population
        measured = [trial for trial in history.trials[:begun] if trial.status == "done"]
        proposals: list[Proposal] = []
        for graph in self._candidates(history, measured) if len(measured) > 1 else []:
            if len(proposals) < count and (identity := self.identify(graph)) not in seen and gate.lets_child(graph):
                seen.add(identity)
                proposals.append(Proposal(graph, "predicted"))
        origin = "random" if measured else "initial"
        proposals += draw_random(self.space, self.identify, seen, count - len(proposals), rng, origin, gate)
        return proposals, {"round": begun // self.population, **gate.notes()}

    def _candidates(self, history: History, measured: Sequence[Trial]) -> list[ArchGraph]:
        """What the evolution ends with and has not been measured, then what stands in, the fittest first."""
        key = repr([(one.identity, history.gains(one), history.violation(one)) for one in measured])
        if key not in self._memory:
            names = hashlib.sha256("|".join(one.identity for one in measured).encode()).digest()
            rows = self._evolve(history, measured, np.random.default_rng(list(names)))
            self._memory.clear()
            self._memory[key] = self.layout.write(torch.from_numpy(rows))
        return self._memory[key]

    def _evolve(self, history: History, measured: Sequence[Trial], rng: np.random.Generator) -> Int[np.ndarray, "c s"]:
        known = self._rows([trial.graph for trial in measured])
        fitness = self._fitness(history, measured, known)
        leaders = [trial.graph for trial in fittest(history, measured)[: self.population // 2]]
        others = [self.space.sample(rng) for _ in range(self.population - len(leaders))]
        generations = max(self.evaluations // self.population - 1 - SPARE, 1)
        alive = evolve_rows(self.layout, self._rows([*leaders, *others]), fitness, generations, rng)
        spare = offspring(self.layout, alive, SPARE * self.population, rng)
        first = fittest_first(alive, known, fitness)
        return np.concatenate([first, fittest_first(spare, np.concatenate([known, first]), fitness)])

    def _rows(self, graphs: Sequence[ArchGraph]) -> Int[np.ndarray, "b s"]:
        rows: Int[np.ndarray, "b s"] = self.layout.read(graphs).numpy()
        return rows

    def _fitness(self, history: History, measured: Sequence[Trial], rows: Int[np.ndarray, "n s"]) -> Fitness:
        """All objectives and constraints as functions of rows."""
        names = {one.metric for one in history.objectives} | {one.name for one in history.constraints}
        scores = {
            name: self.known.get(name) or self.fit(rows, np.array([float(one.metrics[name]) for one in measured]))
            for name in sorted(names)
        }

        def fitness(some: Int[np.ndarray, "b s"]) -> tuple[Float[np.ndarray, "b m"], Float[np.ndarray, " b"]]:
            values = {name: score(some) for name, score in scores.items()}
            gains = [values[one.metric] if one.maximize else -values[one.metric] for one in history.objectives]
            violations = np.zeros(len(some))
            for one in history.constraints:
                violations += np.array([one.excess(float(value)) for value in values[one.name]])
            return np.stack(gains, 1), violations

        return fitness
