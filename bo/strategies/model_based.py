"""Bayesian optimisation over a pool: fit the models, gather candidates, take those with the best acquisition."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bo.acquisition import score, select
from bo.acquisition_names import usual_acquisition
from bo.beliefs import Beliefs, fit_beliefs
from bo.records import History, Proposal
from bo.strategies.early_exit import UNBOUNDED, Bounds, Cost, Gate
from bo.strategies.strategy import Identify, draw_random
from bo.surrogate import GraphScore, Surrogate
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

GENERATED = "generator"
"""The origin of what a generator draws."""
Source = Callable[[History, GraphScore, np.random.Generator], list[Proposal]]
"""Candidates for the pool, from the history and the acquisition as a score; identities may repeat or be known."""


@dataclass(frozen=True)
class ModelBased:
    """The first `initial` trials are random; every later step fits its models from scratch to all that is known.

    A step that begins among the first trials ends with them, so that as many as can be are chosen by a model. Where the
    pool holds fewer than were asked for, random graphs make up the number. Candidates whose known costs break a
    bound are left out of the pool.

    Args:
        surrogate: makes an untrained surrogate.
        sources: where the pool comes from.
        initial: random trials before the first fit.
        acquisition: one of `bo.acquisition_names.ACQUISITIONS`; the usual one for the objectives unless given.
        costs: metrics that follow from a graph, which are computed and not learned.
        bounds: what every proposal keeps.
    """

    space: SearchSpace
    identify: Identify
    surrogate: Callable[[], Surrogate]
    sources: tuple[Source, ...]
    initial: int = 10
    acquisition: str | None = None
    costs: Mapping[str, Cost] = field(default_factory=dict)
    bounds: Bounds = UNBOUNDED

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        gate = Gate(self.bounds)
        missing = self.initial - len(history.trials) - len(history.prior)
        if missing > 0 or len(history.learned) < 2:
            count = min(count, max(missing, 1))
            drawn = draw_random(self.space, self.identify, set(history.seen), count, rng, "initial", gate)
            return drawn, gate.notes()
        started = time.perf_counter()
        beliefs = fit_beliefs(history, self.surrogate, self.costs)
        fitted = time.perf_counter()
        value = _Memo(self.space, score(beliefs, history))
        pool, counts = self._pool(history, value, rng, gate)
        if not pool:
            drawn = draw_random(self.space, self.identify, set(history.seen), count, rng, "random", gate)
            return drawn, gate.notes()
        graphs = [proposal.graph for proposal in pool]
        acquisition = self.acquisition or usual_acquisition(len(history.objectives))
        seed = int(rng.integers(2**31))
        chosen = select(beliefs, history, graphs, value(graphs), count, acquisition, seed)
        notes = {
            "pool": dict(Counter(proposal.origin for proposal in pool)),
            "fit_seconds": round(fitted - started, 3),
            "pool_seconds": round(time.perf_counter() - fitted, 3),
            **counts,
        }
        proposals = _predicted(beliefs, [(pool[place], found) for place, found in chosen])
        seen = history.seen.union(self.identify(proposal.graph) for proposal in proposals)
        more = draw_random(self.space, self.identify, set(seen), count - len(proposals), rng, "random", gate)
        return proposals + more, {**notes, **gate.notes()}

    def _pool(
        self, history: History, score: GraphScore, rng: np.random.Generator, gate: Gate
    ) -> tuple[list[Proposal], dict[str, int]]:
        """The sources' candidates whose identities are new, each identity once, the first source that names it; and how
        many of the generator's were valid, distinct and new."""
        pool: dict[str, Proposal] = {}
        generated: list[str] = []
        for source in self.sources:
            for proposal in source(history, score, rng):
                identity = self.identify(proposal.graph)
                pool.setdefault(identity, proposal)
                if proposal.origin == GENERATED:
                    self.space.check(proposal.graph)
                    generated.append(identity)
        new = [
            proposal
            for identity, proposal in pool.items()
            if identity not in history.seen and gate.lets_child(proposal.graph)
        ]
        return new, _counts(generated, history) if generated else {}


def _counts(generated: Sequence[str], history: History) -> dict[str, int]:
    """What the generator drew: all of it is valid, or `check` would have said so."""
    distinct = set(generated)
    return {
        "generated": len(generated),
        "generated_valid": len(generated),
        "generated_distinct": len(distinct),
        "generated_new": len(distinct - history.seen),
    }


def _predicted(beliefs: Beliefs, chosen: Sequence[tuple[Proposal, float]]) -> list[Proposal]:
    """The proposals with what was expected of the first objective, unless that is computed, and what chose them."""
    model = beliefs.outputs[0].surrogate
    if model is None:
        return [Proposal(p.graph, p.origin, p.parent, acquisition=value) for p, value in chosen]
    means, stds = model.predict([proposal.graph for proposal, _ in chosen])
    sign = beliefs.outputs[0].sign
    return [
        Proposal(p.graph, p.origin, p.parent, sign * float(mean), float(std), value)
        for (p, value), mean, std in zip(chosen, means, stds, strict=True)
    ]


class _Memo:
    """A score that values each network once."""

    def __init__(self, space: SearchSpace, score: GraphScore) -> None:
        self._space, self._score = space, score
        self._values: dict[ArchGraph, float] = {}

    def __call__(self, graphs: Sequence[ArchGraph]) -> np.ndarray:
        networks = [self._space.network(graph) for graph in graphs]
        new = {network: graph for network, graph in zip(networks, graphs, strict=True) if network not in self._values}
        if new:
            self._values.update(zip(new, self._score(list(new.values())).tolist(), strict=True))
        return np.array([self._values[network] for network in networks])
