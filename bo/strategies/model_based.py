"""Bayesian optimisation over a pool: fit the surrogate, gather candidates, take the best log-EI."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bo.acquisition import log_ei, select
from bo.records import History, Proposal
from bo.strategies.strategy import Identify, draw_random
from bo.surrogate import GraphScore, Surrogate
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

Source = Callable[[History, GraphScore, np.random.Generator], list[Proposal]]
"""Candidates for the pool, from the history and the acquisition as a score; identities may repeat or be known."""


@dataclass(frozen=True)
class ModelBased:
    """The first `initial` trials are random; every later step fits a surrogate from scratch to all that is known.

    A step that begins among the first trials ends with them, so that as many as can be are chosen by a model. Where the
    pool holds fewer than were asked for, random graphs make up the number.

    Args:
        surrogate: makes an untrained surrogate.
        sources: where the pool comes from.
        initial: random trials before the first fit.
    """

    space: SearchSpace
    identify: Identify
    surrogate: Callable[[], Surrogate]
    sources: tuple[Source, ...]
    initial: int = 10

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        missing = self.initial - len(history.trials)
        if missing > 0 or len(history.done) < 2:
            count = min(count, max(missing, 1))
            return draw_random(self.space, self.identify, set(history.seen), count, rng, "initial"), {}
        started = time.perf_counter()
        surrogate = self.surrogate()
        surrogate.fit(
            [trial.graph for trial in history.done], np.array([history.gain(trial) for trial in history.done])
        )
        fitted = time.perf_counter()
        pool = self._pool(history, _Memo(self.space, surrogate), rng)
        if not pool:
            return draw_random(self.space, self.identify, set(history.seen), count, rng, "random"), {}
        pending = [trial.graph for trial in history.pending]
        chosen = select(surrogate, [p.graph for p in pool], count, pending, int(rng.integers(2**31)))
        notes = {
            "pool": dict(Counter(proposal.origin for proposal in pool)),
            "fit_seconds": round(fitted - started, 3),
            "pool_seconds": round(time.perf_counter() - fitted, 3),
        }
        proposals = self._predicted(history, surrogate, [(pool[place], value) for place, value in chosen])
        seen = history.seen.union(self.identify(proposal.graph) for proposal in proposals)
        more = draw_random(self.space, self.identify, set(seen), count - len(proposals), rng, "random")
        return proposals + more, notes

    def _pool(self, history: History, score: GraphScore, rng: np.random.Generator) -> list[Proposal]:
        """The sources' candidates whose identities are new, each identity once, the first source that names it."""
        pool: dict[str, Proposal] = {}
        for source in self.sources:
            for proposal in source(history, score, rng):
                pool.setdefault(self.identify(proposal.graph), proposal)
        return [proposal for identity, proposal in pool.items() if identity not in history.seen]

    def _predicted(
        self, history: History, surrogate: Surrogate, chosen: Sequence[tuple[Proposal, float]]
    ) -> list[Proposal]:
        means, stds = surrogate.predict([proposal.graph for proposal, _ in chosen])
        sign = 1 if history.objective.maximize else -1
        return [
            Proposal(p.graph, p.origin, p.parent, sign * float(mean), float(std), value)
            for (p, value), mean, std in zip(chosen, means, stds, strict=True)
        ]


class _Memo:
    """Log-EI as a score, each network scored once."""

    def __init__(self, space: SearchSpace, surrogate: Surrogate) -> None:
        self._space, self._surrogate = space, surrogate
        self._values: dict[ArchGraph, float] = {}

    def __call__(self, graphs: Sequence[ArchGraph]) -> np.ndarray:
        networks = [self._space.network(graph) for graph in graphs]
        new = {network: graph for network, graph in zip(networks, graphs, strict=True) if network not in self._values}
        if new:
            self._values.update(zip(new, log_ei(self._surrogate, list(new.values())).tolist(), strict=True))
        return np.array([self._values[network] for network in networks])
