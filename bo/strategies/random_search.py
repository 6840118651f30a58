"""Random search: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bo.records import History, Proposal
from bo.strategies.strategy import Identify, draw_random
from graphs.space import SearchSpace


@dataclass(frozen=True)
class RandomSearch:
    """Uniform draws over descriptions, without replacement of identities."""

    space: SearchSpace
    identify: Identify

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        return draw_random(self.space, self.identify, set(history.seen), count, rng, "random"), {}
