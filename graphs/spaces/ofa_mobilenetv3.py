"""The Once-for-All space of MobileNetV3 subnets (Cai et al., ICLR 2020), width 1.0, images of 224.

Five stages of two to four inverted residuals, each with a kernel of 3, 5 or 7 and an expansion of 3, 4 or 6; stem, head
and widths are fixed. Written as depths, kernels and expansions, the latter two with a dash between stages:
`23243|57-553-33-5577-735|43-444-34-3463-634`. No two descriptions build the same network.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.space import Field, SearchSpace, log10_of

if TYPE_CHECKING:
    from graphs.layout import Layout

Layer = tuple[int, int]
"""Kernel and expansion."""
Stages = tuple[tuple[Layer, ...], ...]
"""The layers of each of the five stages."""

STAGES = (1, 2, 3, 4, 5)
DEPTHS = (2, 3, 4)
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
LAYERS: tuple[Layer, ...] = tuple(itertools.product(KERNELS, EXPANSIONS))
"""What a layer can be."""
RESOLUTION = 224
FORM = "23243|57-553-33-5577-735|43-444-34-3463-634"

_OPS = {(stage, one): Op("mbconv", stage=stage, kernel=one[0], expand=one[1]) for stage in STAGES for one in LAYERS}
_PLACES = {op: place for place, op in _OPS.items()}
_EDGES = tuple(itertools.pairwise(range(len(STAGES) * max(DEPTHS) + 2)))
_A_STAGE = sum(len(LAYERS) ** depth for depth in DEPTHS)


class OfaMobileNetV3(SearchSpace):
    """Chains of ten to twenty inverted residuals."""

    name = "ofa-mobilenetv3"
    summary = "MobileNetV3 subnets of 5 stages of 2 to 4 layers, kernels 3 to 7, expansions 3 to 6 (Once-for-All)"
    fields = (
        Field("op", ("input", "mbconv", "output")),
        Field("stage", (None, *STAGES)),
        Field("kernel", (None, *KERNELS)),
        Field("expand", (None, *EXPANSIONS)),
    )
    max_nodes = len(_EDGES) + 1
    columns = ("depths", "kernels", "expansions")

    def __reduce__(self) -> tuple[type[OfaMobileNetV3], tuple[()]]:
        """The memories of a space are not pickled, and there is nothing else."""
        return type(self), ()

    @property
    def size(self) -> int:
        """7,371 to the power of five, about 2.2e19."""
        count: int = _A_STAGE ** len(STAGES)
        return count

    @property
    def network_count(self) -> int:
        return self.size

    @property
    def log10_size(self) -> float:
        return log10_of(self.size)

    def build(self, stages: Stages) -> ArchGraph:
        """The graph of a description: input, the layers in a row, output."""
        return chain([_OPS[stage, layer] for stage, layers in zip(STAGES, stages, strict=True) for layer in layers])

    def describe(self, graph: ArchGraph) -> Stages:
        """The inverse of `build`; raises `InvalidArchitecture` where `graph` is outside the space."""
        self.check(graph)
        stages: list[list[Layer]] = [[] for _ in STAGES]
        for op in graph.ops[1:-1]:
            stage, layer = _PLACES[op]
            stages[stage - 1].append(layer)
        return tuple(map(tuple, stages))

    def check(self, graph: ArchGraph) -> None:
        layers = [_PLACES.get(op) for op in graph.ops[1:-1]]
        if None in layers or len(graph) > self.max_nodes:
            self.require_fields(graph)
        if len(graph) < 2 or graph.ops[0] != INPUT or graph.ops[-1] != OUTPUT:
            raise InvalidArchitecture(
                f"{self.name}: expected input, layers and output, got {', '.join(map(str, graph.ops)) or 'no nodes'}"
            )
        stages: list[int] = []
        for node, place in enumerate(layers, start=1):
            if place is None:
                raise InvalidArchitecture(
                    f"{self.name}: node {node} is {graph.ops[node]}, expected mbconv with stage, kernel and expand"
                )
            if stages and place[0] < stages[-1]:
                raise InvalidArchitecture(
                    f"{self.name}: node {node} is of stage {place[0]} and follows one of stage {stages[-1]}; "
                    "put the stages in ascending order"
                )
            stages.append(place[0])
        for stage in STAGES:
            if (depth := stages.count(stage)) not in DEPTHS:
                raise InvalidArchitecture(
                    f"{self.name}: stage {stage} has depth {depth}, expected {DEPTHS[0]} to {DEPTHS[-1]}"
                )
        if graph.edges != _EDGES[: len(graph) - 1]:
            raise InvalidArchitecture(
                f"{self.name}: expected a chain, in which each node reads the one before, got the edges {graph.edges}"
            )

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return self.build(tuple(_stage_number(int(number)) for number in rng.integers(_A_STAGE, size=len(STAGES))))

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        """One kernel or expansion changed, the last layer of a stage removed, or a layer appended to a stage."""
        return map(self.build, _moves(self.describe(graph)))

    def mutate(self, graph: ArchGraph, rng: np.random.Generator) -> ArchGraph:
        moves = list(_moves(self.describe(graph)))
        return self.build(moves[int(rng.integers(len(moves)))])

    def parse(self, text: str) -> ArchGraph:
        depths, *lists = text.strip().split("|")
        groups = [part.split("-") for part in lists]
        if len(groups) != 2 or not all(re.fullmatch("[0-9]+", part) for part in (depths, *groups[0], *groups[1])):
            raise InvalidArchitecture(f"{self.name}: cannot read {text!r}; expected the form {FORM}")
        for what, parts in zip(("kernels", "expansions"), groups, strict=True):
            if "".join(str(len(part)) for part in parts) != depths:
                raise InvalidArchitecture(
                    f"{self.name}: {text!r} has {what} of {'-'.join(str(len(part)) for part in parts)} layers but "
                    f"depths {'-'.join(depths)}; give one digit a layer and one depth a stage"
                )
        ops = [
            Op("mbconv", stage=stage, kernel=int(kernel), expand=int(expand))
            for stage, (kernels, expansions) in enumerate(zip(*groups, strict=True), start=1)
            for kernel, expand in zip(kernels, expansions, strict=True)
        ]
        graph = chain(ops)
        self.check(graph)
        return graph

    def parse_columns(self, row: Mapping[str, str]) -> ArchGraph:
        """Digits a stage and a slot as DyNAS-T writes them, slots past a stage's depth ignored; `resolution` if any."""
        slots, depths, lists = DEPTHS[-1], row["depths"], (row["kernels"], row["expansions"])
        digits = re.fullmatch("[0-9]+", depths) and all(re.fullmatch("[0-9]+", cells) for cells in lists)
        if not digits or len(depths) != len(STAGES) or any(len(cells) != slots * len(STAGES) for cells in lists):
            raise InvalidArchitecture(
                f"{self.name}: depths {depths!r}, kernels {lists[0]!r}, expansions {lists[1]!r}; expected "
                f"{len(STAGES)} depths and {slots * len(STAGES)} kernels and expansions, a digit each"
            )
        if (resolution := row.get("resolution", "").strip()) not in ("", str(RESOLUTION)):
            raise InvalidArchitecture(f"{self.name}: resolution {resolution}, expected {RESOLUTION}")
        active = [
            "-".join(cells[slots * at : slots * at + int(depth)] for at, depth in enumerate(depths)) for cells in lists
        ]
        return self.parse("|".join((depths, *active)))

    def format(self, graph: ArchGraph) -> str:
        stages = self.describe(graph)
        kernels, expansions = (
            "-".join("".join(str(layer[part]) for layer in layers) for layers in stages) for part in (0, 1)
        )
        return f"{''.join(str(len(layers)) for layers in stages)}|{kernels}|{expansions}"

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return self.build(self.describe(graph))

    def layout(self) -> Layout:
        from graphs.spaces.ofa_mobilenetv3_layout import OfaMobileNetV3Layout  # torch is loaded only by those who draw

        return OfaMobileNetV3Layout(self)

    def costs(self, graph: ArchGraph) -> dict[str, float]:
        """Millions of parameters and of MACs of the network with 1,000 classes for an image of 224."""
        from graphs.spaces.ofa_mobilenetv3_costs import network_costs  # which reads this module

        costs = network_costs(graph)
        return {"params": costs.params / 1e6, "macs": costs.macs / 1e6}


def chain(layers: Sequence[Op]) -> ArchGraph:
    """Input, `layers` in a row, output; whether they are of the space is not checked."""
    return ArchGraph((INPUT, *layers, OUTPUT), _EDGES[: len(layers) + 1])


def _stage_number(number: int) -> tuple[Layer, ...]:
    """What a stage can be, by number: first all of two layers, then of three, then of four."""
    depth = DEPTHS[0]
    while number >= len(LAYERS) ** depth:
        number -= len(LAYERS) ** depth
        depth += 1
    return tuple(LAYERS[number // len(LAYERS) ** at % len(LAYERS)] for at in range(depth))


def _moves(stages: Stages) -> Iterator[Stages]:
    """The descriptions of the neighbours."""
    for at, layers in enumerate(stages):
        for changed in _moves_of_stage(layers):
            yield (*stages[:at], changed, *stages[at + 1 :])


def _moves_of_stage(layers: tuple[Layer, ...]) -> Iterable[tuple[Layer, ...]]:
    for at, (kernel, expand) in enumerate(layers):
        for other in LAYERS:
            if (other[0] == kernel) != (other[1] == expand):
                yield (*layers[:at], other, *layers[at + 1 :])
    if len(layers) > DEPTHS[0]:
        yield layers[:-1]
    if len(layers) < DEPTHS[-1]:
        yield from ((*layers, other) for other in LAYERS)
