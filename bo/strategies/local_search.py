"""Local search (White et al., UAI 2021): all neighbours of the incumbent, then the best; restart at a local optimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bo.records import History, Proposal, Trial
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.strategy import Identify, draw_random
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace


@dataclass(frozen=True)
class LocalSearch:
    """Where the walk stands is read from the history: it starts at the last random trial and follows the best.

    The best has the most merit: of two that break a constraint the one that breaks it less.

    Args:
        bounds: what every proposal keeps; neighbours that break them are not visited.
    """

    space: SearchSpace
    identify: Identify
    bounds: Bounds = UNBOUNDED

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        gate = Gate(self.bounds)
        incumbent, fresh = self._walk(history, gate)
        if incumbent is None or not fresh:
            drawn = draw_random(self.space, self.identify, set(history.seen), count, rng, "random", gate)
            return drawn, gate.notes()
        order = rng.permutation(len(fresh))[:count]
        proposals = [Proposal(fresh[int(k)], "neighbour", incumbent.number) for k in order]
        return proposals, {"incumbent": incumbent.number, **gate.notes()}

    def _walk(self, history: History, gate: Gate) -> tuple[Trial | None, list[ArchGraph]]:
        """The incumbent and those of its neighbours that were never asked for; no neighbours at a local optimum."""
        by_identity = {trial.identity: trial for trial in history.done}
        starts = [trial for trial in history.done if trial.proposal.origin == "random"]
        incumbent = starts[-1] if starts else None
        while incumbent is not None:
            around = {self.identify(graph): graph for graph in self.space.neighbours(incumbent.graph)}
            new = [graph for identity, graph in around.items() if identity not in history.seen]
            fresh = [graph for graph in new if gate.lets_child(graph)]
            known = [by_identity[identity] for identity in around if identity in by_identity]
            best = max(known, key=history.merit, default=None)
            if fresh or best is None or history.merit(best) <= history.merit(incumbent):
                return incumbent, fresh
            incumbent = best
        return None, []
