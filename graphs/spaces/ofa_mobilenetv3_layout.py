"""The Once-for-All space for a generator: twenty places, four a stage, of which a stage fills the first two to four."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.layout import Layout
from graphs.spaces.ofa_mobilenetv3 import DEPTHS, LAYERS, STAGES, Layer, OfaMobileNetV3, chain

PLACES = DEPTHS[-1]
"""Places of a stage."""
ABSENT = len(LAYERS)
"""The value of a place without a layer; only the third and fourth of a stage have it."""
_THIRD, _FOURTH = (slice(place, None, PLACES) for place in (2, 3))


class OfaMobileNetV3Layout(Layout):
    """A slot for each place of a layer: the number of its kernel and expansion, or `ABSENT`.

    Nodes are the five stages between input and output, in a chain; a stage's four places are fields of its node. A
    network over stages costs a third of one over layers, and learns the space no worse.
    """

    space: OfaMobileNetV3

    def __init__(self, space: OfaMobileNetV3) -> None:
        places = range(len(STAGES) * PLACES)
        optional = [place for place in places if place % PLACES >= DEPTHS[0]]
        super().__init__(
            space,
            torch.diag(torch.ones(len(STAGES) + 1, dtype=torch.bool), 1)[None],
            node_slots=[(1 + place // PLACES, place % PLACES) for place in places],
            node_sizes=[len(LAYERS) + (place in optional) for place in places],
            restricted=optional,
            coupled=list(zip(optional[::2], optional[1::2], strict=True)),
        )
        self._ops = [
            (*(Op("mbconv", stage=stage, kernel=kernel, expand=expand) for kernel, expand in LAYERS), None)
            for stage in STAGES
            for _ in range(PLACES)
        ]

    def tell(self, slot: int, value: int) -> str:
        where = f"stage {1 + slot // PLACES}, layer {1 + slot % PLACES}"
        return f"{where}: kernel {LAYERS[value][0]}, expansion {LAYERS[value][1]}" if value < ABSENT else f"no {where}"

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """The five stages."""
        return tuple(tuple(range(first, first + PLACES)) for first in range(0, len(self), PLACES))

    @property
    def attributes(self) -> tuple[Float[Tensor, "k d"], ...]:
        """Kernel and expansion, centred; 0 for an absent layer, which has a number of its own."""
        present = [[(kernel - 5) / 2, (expand - 13 / 3) / 1.25, 0.0] for kernel, expand in LAYERS]
        table = torch.tensor([*present, [0.0, 0.0, 1.0]], dtype=torch.float64)
        return tuple(table[:size] for size in self.sizes)

    @property
    def alike(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """The layers of a stage; then all layers."""
        return self.parts, (tuple(range(len(self))),)

    def read(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
        rows = []
        for graph in graphs:
            row = []
            for layers in self.space.describe(graph):
                row += [_NUMBERS[layer] for layer in layers] + [ABSENT] * (PLACES - len(layers))
            rows.append(row)
        return torch.tensor(rows, dtype=torch.int64).view(-1, len(self))

    def write(self, values: Int[Tensor, "b s"]) -> list[ArchGraph]:
        invalid = (~self.valid(values)).nonzero()[:, 0].tolist()
        if invalid:
            raise InvalidArchitecture(
                f"{self.space.name}: row {invalid[0]}, {values[invalid[0]].tolist()}, is no architecture; expected "
                f"values below {self.sizes[:PLACES]} in each stage, and no fourth layer ({ABSENT}) without a third"
            )
        ops = self._ops
        return [
            chain([op for choices, value in zip(ops, row, strict=True) if (op := choices[value]) is not None])
            for row in values.tolist()
        ]

    def allowed(self, values: Int[Tensor, "b s"], slot: int) -> Bool[Tensor, "b k"]:
        allowed = torch.ones(len(values), self.sizes[slot], dtype=torch.bool, device=values.device)
        place = slot % PLACES
        if place == 2:
            allowed[:, ABSENT] = values[:, slot + 1] >= ABSENT  # absent or hidden
        elif place == 3:
            allowed[:, :ABSENT] = (values[:, slot - 1] != ABSENT)[:, None]
        return allowed

    def valid(self, values: Int[Tensor, "b s"]) -> Bool[Tensor, " b"]:
        """As `Layout.valid`; a row with a hidden or an unknown value is not valid."""
        known = ((values >= 0) & (values < self.hidden.to(values.device))).all(1)
        return known & ((values[:, _THIRD] != ABSENT) | (values[:, _FOURTH] == ABSENT)).all(1)


_NUMBERS = {layer: number for number, layer in enumerate(LAYERS)}


def layer_choice(value: int) -> Layer:
    """Kernel and expansion that a slot's value stands for; raises `InvalidArchitecture` unless it is 0 to 8."""
    if not 0 <= value < len(LAYERS):
        raise InvalidArchitecture(f"ofa-mobilenetv3: layer choice {value}, expected 0 to {len(LAYERS) - 1}")
    return LAYERS[value]
