"""The contract run through the built-in spaces and through one that a user might write."""

import itertools
from collections.abc import Iterator

import numpy as np

from archgen.testing import SpaceContract
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.space import Field, SearchSpace, log10_of
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201


class ToySpace(SearchSpace):
    """One to three layers in a row: linear of 1 to 3 bits, relu; or nothing, `input` wired to `output`."""

    name = "toy"
    summary = "short chains"
    fields = (Field("op", ("input", "linear", "relu", "output")), Field("bits", (None, 1, 2, 3)))
    max_nodes = 5
    layers = (Op("relu"), Op("linear", bits=1), Op("linear", bits=2), Op("linear", bits=3))
    size = sum(4**depth for depth in range(4))
    log10_size = log10_of(size)

    def build(self, layers: tuple[Op, ...]) -> ArchGraph:
        return ArchGraph((INPUT, *layers, OUTPUT), tuple((i, i + 1) for i in range(len(layers) + 1)))

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if not set(graph.ops[1:-1]) <= set(self.layers) or graph != self.build(graph.ops[1:-1]):
            raise InvalidArchitecture("toy: expected a chain of input, linear and relu layers, output")

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return list(self.enumerate())[int(rng.integers(self.size))]

    def enumerate(self) -> Iterator[ArchGraph]:
        for depth in range(4):
            yield from map(self.build, itertools.product(self.layers, repeat=depth))

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        layers, seen = graph.ops[1:-1], {self.simplify(graph)}
        for other in self.enumerate():
            others = other.ops[1:-1]
            near = sum(a != b for a, b in itertools.zip_longest(layers, others)) == 1
            if near and self.simplify(other) not in seen:
                seen.add(self.simplify(other))
                yield other

    def parse(self, text: str) -> ArchGraph:
        known = {str(op): op for op in self.layers}
        head, *names = text.split(" ")
        if head != "toy:" or not set(names) <= set(known):
            raise InvalidArchitecture(f"toy: cannot read {text!r}")
        graph = self.build(tuple(known[name] for name in names))
        self.check(graph)
        return graph

    def format(self, graph: ArchGraph) -> str:
        return " ".join(["toy:", *map(str, graph.ops[1:-1])])

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        """A relu after a relu does nothing."""
        layers = graph.ops[1:-1]
        kept = [op for k, op in enumerate(layers) if op != Op("relu") or k == 0 or layers[k - 1] != op]
        return self.build(tuple(kept))


class TestToySpace(SpaceContract):
    space = ToySpace()


class TestNasBenchGraph(SpaceContract):
    space = NasBenchGraph()


class TestNasBench201(SpaceContract):
    space = NasBench201()
