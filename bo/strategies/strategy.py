"""The Strategy protocol and the draws that several strategies share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bo.records import History, Proposal
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

Identify = Callable[[ArchGraph], str]
TRIES = 500
"""Draws after which a space counts as exhausted for random proposals where it cannot be listed."""


@runtime_checkable
class Strategy(Protocol):
    """Proposes candidates from the history alone: no state of its own, so that a campaign can go on after any crash."""

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        """Up to `count` candidates whose identities are new, and notes on how they came about (JSON-ready).

        Fewer than `count` only where the space has no more, or where the next ones depend on how these do; none only
        where it has no more. `archgen.testing.StrategyContract` checks this.
        """


def draw_new(space: SearchSpace, identify: Identify, seen: set[str], rng: np.random.Generator) -> ArchGraph | None:
    """A random architecture whose identity is not in `seen`; None where the space is exhausted. Adds it to `seen`."""
    for _ in range(TRIES):
        graph = space.sample(rng)
        if (identity := identify(graph)) not in seen:
            seen.add(identity)
            return graph
    if space.enumerable:
        left = [graph for graph in space.enumerate() if identify(graph) not in seen]
        if left:
            graph = left[int(rng.integers(len(left)))]
            seen.add(identify(graph))
            return graph
    return None


def draw_random(
    space: SearchSpace, identify: Identify, seen: set[str], count: int, rng: np.random.Generator, origin: str
) -> list[Proposal]:
    """Up to `count` random proposals with new identities; adds them to `seen`."""
    graphs = (draw_new(space, identify, seen, rng) for _ in range(count))
    return [Proposal(graph, origin) for graph in graphs if graph is not None]
