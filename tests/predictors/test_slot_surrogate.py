"""The process on slots keeps the surrogates' contract on Once-for-All."""

import numpy as np

from archgen.testing import SurrogateContract
from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space
from predictors.slot_surrogate import SlotSurrogate

SPACE = get_space("ofa-mobilenetv3")
WORTH = np.random.default_rng(0).normal(size=200)


class TestSlotSurrogate(SurrogateContract):
    space = SPACE
    nearness = 0.6

    def surrogate(self) -> Surrogate:
        return SlotSurrogate(layout_of(SPACE))

    def fresh(self) -> Surrogate:
        return self.surrogate()

    def value(self, graph: ArchGraph) -> float:
        """A sum over slots, which is what such a space can teach with few labels."""
        (row,) = layout_of(SPACE).read([graph]).numpy()
        return float(sum(WORTH[int(10 * slot + choice) % 200] for slot, choice in enumerate(row)))
