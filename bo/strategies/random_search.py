"""Random search: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bo.records import History, Proposal
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.strategy import Identify, draw_random
from graphs.space import SearchSpace


@dataclass(frozen=True)
class RandomSearch:
    """Uniform draws over descriptions, without replacement of identities.

    Args:
        bounds: what every proposal keeps.
    """

    space: SearchSpace
    identify: Identify
    bounds: Bounds = UNBOUNDED

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        gate = Gate(self.bounds)
        proposals = draw_random(self.space, self.identify, set(history.seen), count, rng, "random", gate)
        return proposals, gate.notes()
