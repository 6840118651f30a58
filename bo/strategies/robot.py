"""RoBoT (He et al., ICLR 2024) as a strategy: weights of training-free metrics are searched, then their ranking is gone
down."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from bo.records import History, Proposal
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.strategy import Identify, draw_random
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

Queries = Generator[int, float | None, Any]
"""Places in the pool, each once; it is sent the gain of each."""


@dataclass(frozen=True)
class Robot:
    """The search as `queries` states it, replayed from the history in every step.

    What is still being measured, or has failed, counts as the mean of what was measured before it in the search, so
    that the search can go on; it is begun anew with the truth once that is known. Where the pool ends, random
    architectures follow.

    Args:
        pool: the architectures whose metrics are known.
        queries: begins a search in the pool, always the same one.
        bounds: what every proposal keeps; the pool is to keep it too.
    """

    space: SearchSpace
    identify: Identify
    pool: Sequence[ArchGraph]
    queries: Callable[[], Queries]
    bounds: Bounds = UNBOUNDED
    _replay: list[_Replay] = field(default_factory=list, init=False, repr=False, compare=False)
    """The last step's search, which it spares to begin anew while the values that it was sent still hold."""

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        gate, seen = Gate(self.bounds), set(history.seen)
        gains = {trial.identity: history.gain(trial) for trial in history.done}
        known = [gains.get(identity) for identity in self._identities]
        asked = [identity in seen for identity in self._identities]
        if not self._replay or not self._replay[0].agrees(known, asked):
            self._replay[:] = [_Replay(self.queries())]
        replay, proposals = self._replay[0], list[Proposal]()
        while len(proposals) < count and replay.place is not None:
            identity = self._identities[replay.place]
            if identity not in seen:
                seen.add(identity)
                proposals.append(Proposal(self.pool[replay.place], "ranked"))
            if len(proposals) < count:
                replay.answer(known)
        from_pool = len(proposals)
        proposals += draw_random(self.space, self.identify, seen, count - from_pool, rng, "random", gate)
        return proposals, {"from_pool": from_pool, **gate.notes()}

    @cached_property
    def _identities(self) -> list[str]:
        return [self.identify(graph) for graph in self.pool]


class _Replay:
    """A search, what it has been answered, and the place in the pool that it asks for; None at its end."""

    def __init__(self, queries: Queries) -> None:
        self._queries, self._sent, self._before = queries, dict[int, float](), list[float]()
        self.place: int | None = next(queries, None)

    def agrees(self, known: Sequence[float | None], asked: Sequence[bool]) -> bool:
        """Whether a new search would come here too: all that it asks for on the way was asked, and answered alike."""
        before = list[float]()
        return all(asked[place] and value == _answer(known[place], before) for place, value in self._sent.items())

    def answer(self, known: Sequence[float | None]) -> None:
        """Tell the search the gain of `place`, and let it go on."""
        assert self.place is not None
        self._sent[self.place] = value = _answer(known[self.place], self._before)
        try:
            self.place = self._queries.send(value)
        except StopIteration:
            self.place = None


def _answer(gain: float | None, before: list[float]) -> float:
    """A gain, which is added to those before it; their mean where it is not known."""
    if gain is None:
        return fmean(before) if before else 0.0
    before.append(gain)
    return gain
