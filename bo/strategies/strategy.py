"""The Strategy protocol and the draws that several strategies share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bo.records import History, Proposal
from bo.strategies.early_exit import UNBOUNDED, Gate
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.space import SearchSpace

Identify = Callable[[ArchGraph], str]
TRIES = 500
"""Draws after which a space counts as exhausted for random proposals where it cannot be listed."""
DRAWS = 10_000
"""Draws within which one must keep the bounds, where there are any."""


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


def draw_new(
    space: SearchSpace, identify: Identify, seen: set[str], rng: np.random.Generator, gate: Gate | None = None
) -> ArchGraph | None:
    """A random architecture whose identity is not in `seen`; None where the space is exhausted. Adds it to `seen`.

    Args:
        gate: bounds that it keeps too: what breaks them is drawn again.

    Raises:
        InvalidOption: no architecture of the space keeps the bounds, or none of `DRAWS`.
    """
    gate = gate or Gate(UNBOUNDED)
    kept = 0
    for _ in range(DRAWS):
        graph = space.sample(rng)
        if gate.lets_draw(graph):
            kept += 1
            if (identity := identify(graph)) not in seen:
                seen.add(identity)
                return graph
        if kept == TRIES:
            break
    if space.enumerable:
        allowed = [graph for graph in space.enumerate() if gate.bounds.allow(graph)]
        kept += len(allowed)
        left = [graph for graph in allowed if identify(graph) not in seen]
        if left:
            graph = left[int(rng.integers(len(left)))]
            seen.add(identify(graph))
            return graph
    if not kept:
        where = "no architecture" if space.enumerable else f"none of {DRAWS:,} random architectures"
        raise InvalidOption(f"{gate.bounds}: {where} of {space.name} keeps this; widen or drop a bound")
    return None


def draw_random(
    space: SearchSpace,
    identify: Identify,
    seen: set[str],
    count: int,
    rng: np.random.Generator,
    origin: str,
    gate: Gate | None = None,
) -> list[Proposal]:
    """Up to `count` random proposals with new identities; adds them to `seen`.

    Args:
        gate: bounds that they keep.

    Raises:
        InvalidOption: nothing that keeps the bounds was found.
    """
    graphs = (draw_new(space, identify, seen, rng, gate) for _ in range(count))
    return [Proposal(graph, origin) for graph in graphs if graph is not None]
