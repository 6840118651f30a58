"""BANANAS (White et al., AAAI 2021): mutants of the best, ranked by independent Thompson sampling on an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from bo.records import History, Proposal, Trial
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.strategy import Identify, draw_random
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

Members = Callable[[Sequence[ArchGraph]], Float[np.ndarray, "e m"]]
"""What each member of an ensemble predicts of graphs."""
FitMembers = Callable[[Sequence[ArchGraph], Float[np.ndarray, " n"], int], Members]
"""Trains an ensemble on graphs, their gains, and a seed."""
MOST_MUTATIONS = 2


@dataclass(frozen=True)
class Bananas:
    """The first `initial` trials are random; then the ensemble is trained anew after every `every` trials.

    What it was trained on follows from the history's length, so that each step between two trainings has the same
    ensemble; what is measured meanwhile makes leaders at once.

    Args:
        fit: trains an ensemble.
        initial: random trials, those of the paper.
        every: trials from one training to the next, those of the paper.
        leaders: trials with the most merit, whose mutants are candidates.
        candidates: mutants of which the best are taken.
        bounds: what every proposal keeps.
    """

    space: SearchSpace
    identify: Identify
    fit: FitMembers
    initial: int = 10
    every: int = 10
    leaders: int = 10
    candidates: int = 100
    bounds: Bounds = UNBOUNDED
    _memory: dict[str, Members] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The last ensemble, which it spares to train again in each of the steps that use it."""

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        seen, gate = set(history.seen), Gate(self.bounds)
        past = max(0, len(history.trials) - self.initial) // self.every * self.every + self.initial
        known = [trial for trial in history.trials[:past] if trial.status == "done"]
        if len(history.trials) < self.initial or len(known) < 2:
            return draw_random(self.space, self.identify, seen, count, rng, "initial", gate), gate.notes()
        mutants = self._mutants(history, seen, rng, gate)
        proposals = self._sampled(history, known, mutants, count, rng) if mutants else []
        missing, taken = count - len(proposals), {self.identify(proposal.graph) for proposal in proposals}
        proposals += draw_random(self.space, self.identify, set(history.seen) | taken, missing, rng, "random", gate)
        return proposals, {"candidates": len(mutants), "trained_on": len(known), **gate.notes()}

    def _mutants(self, history: History, seen: set[str], rng: np.random.Generator, gate: Gate) -> list[Proposal]:
        """New graphs, one or two mutations away from the leaders, which take turns; adds them to `seen`."""
        leaders = sorted(history.done, key=history.merit, reverse=True)[: self.leaders]
        mutants: list[Proposal] = []
        for turn in range(2 * self.candidates):
            parent = leaders[turn % len(leaders)]
            graph = parent.graph
            for _ in range(int(rng.integers(1, MOST_MUTATIONS + 1))):
                graph = self.space.mutate(graph, rng)
            if (identity := self.identify(graph)) not in seen and gate.lets_child(graph):
                seen.add(identity)
                mutants.append(Proposal(graph, "mutation", parent.number))
            if len(mutants) == self.candidates:
                break
        return mutants

    def _sampled(
        self, history: History, known: Sequence[Trial], mutants: list[Proposal], count: int, rng: np.random.Generator
    ) -> list[Proposal]:
        """The mutants with the largest values, each value drawn for itself: equation 3 of the paper."""
        predicted = self._ensemble(history, known)([mutant.graph for mutant in mutants])
        means, stds = predicted.mean(0), predicted.std(0, ddof=1)
        drawn = means + stds * rng.standard_normal(len(mutants))
        sign = 1 if history.objective.maximize else -1
        return [
            Proposal(
                mutants[place].graph,
                "mutation",
                mutants[place].parent,
                sign * float(means[place]),
                float(stds[place]),
                float(drawn[place]),
            )
            for place in np.argsort(-drawn, kind="stable")[:count].tolist()
        ]

    def _ensemble(self, history: History, known: Sequence[Trial]) -> Members:
        gains = np.array([history.gain(trial) for trial in known])
        told = [(trial.identity, gain) for trial, gain in zip(known, gains.tolist(), strict=True)]
        key = repr(told)
        if key not in self._memory:
            self._memory.clear()
            self._memory[key] = self.fit([trial.graph for trial in known], gains, len(known))
        return self._memory[key]
