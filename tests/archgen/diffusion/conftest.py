"""Two toy spaces small enough to list, laws over them, and the denoiser that knows such a law exactly."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from archgen.diffusion.denoiser import Denoiser, DenoiserConfig
from archgen.diffusion.process import Masked, Slots, hide, varying_slots
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.batch import GraphBatch, encode
from graphs.errors import InvalidArchitecture
from graphs.space import Field, SearchSpace, log10_of


class ListedSpace(SearchSpace):
    """A space that is the list of its graphs."""

    def __init__(self, graphs: Sequence[ArchGraph]) -> None:
        self.listed = tuple(graphs)
        self.places = {graph: place for place, graph in enumerate(graphs)}

    @property
    def size(self) -> int:
        return len(self.listed)

    @property
    def log10_size(self) -> float:
        return log10_of(self.size)

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if graph not in self.places:
            raise InvalidArchitecture(f"{self.name}: {graph} is not listed")

    def enumerate(self) -> Iterator[ArchGraph]:
        return iter(self.listed)

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return self.listed[int(rng.integers(self.size))]

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        return (other for other in self.listed if other != graph)

    def parse(self, text: str) -> ArchGraph:
        return self.listed[int(text)]

    def format(self, graph: ArchGraph) -> str:
        return str(self.places[graph])

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return graph


class ProductSpace(ListedSpace):
    """All slots are free: two layers of three operations, three edges that may be there. 72 graphs."""

    name = "toy-product"
    summary = "every combination is valid"
    fields = (Field("op", ("input", "a", "b", "c", "output")),)
    max_nodes = 4

    def __init__(self) -> None:
        layers = itertools.product("abc", repeat=2)
        free = [wires for r in range(4) for wires in itertools.combinations([(0, 2), (0, 3), (1, 3)], r)]
        chain = ((0, 1), (1, 2), (2, 3))
        super().__init__(
            [ArchGraph((INPUT, Op(x), Op(y), OUTPUT), chain + wires) for (x, y) in layers for wires in free]
        )


class TreeSpace(ListedSpace):
    """Three layers on three wirings, as in NAS-Bench-Graph; the field `bits` depends on the operation. 81 graphs."""

    name = "toy-tree"
    summary = "slots depend on each other"
    fields = (Field("op", ("input", "fc", "conv", "output")), Field("bits", (None, 4, 8)))
    max_nodes = 5
    layers = (Op("fc"), Op("conv", bits=4), Op("conv", bits=8))
    wirings = (
        ((0, 1), (1, 2), (2, 3), (3, 4)),
        ((0, 1), (0, 2), (1, 3), (2, 4), (3, 4)),
        ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)),
    )

    def __init__(self) -> None:
        every = itertools.product(self.wirings, itertools.product(self.layers, repeat=3))
        super().__init__([ArchGraph((INPUT, *ops, OUTPUT), edges) for edges, ops in every])


class ExactDenoiser(Denoiser):
    """Each slot's law given the known slots, by summing over all graphs of a space; no weights are used."""

    def __init__(self, space: ListedSpace, law: Tensor) -> None:
        super().__init__(space, DenoiserConfig(width=4, layers=1, heads=1))
        self.every = encode(space, space.listed)
        self.law = law.double()
        k = max(len(field.choices) for field in space.fields)
        self.nodes = torch.nn.functional.one_hot(self.every.codes, k).double().flatten(1)
        self.shape = (*self.every.codes.shape[1:], k)
        self.edges = self.every.adj.double().flatten(1)

    def forward(self, masked: Masked) -> tuple[Tensor, Tensor]:
        b, k = len(masked), self.shape[-1]
        codes = torch.nn.functional.one_hot(masked.codes.clamp(max=k - 1), k) * ~masked.hidden_nodes[..., None]
        wires = [((masked.edges == state) & ~masked.hidden_edges).double().flatten(1) for state in (0, 1)]
        agreed = codes.double().flatten(1) @ self.nodes.T + wires[1] @ self.edges.T + wires[0] @ (1 - self.edges).T
        known = (~masked.hidden_nodes).sum((1, 2)) + (~masked.hidden_edges).sum((1, 2))
        joint = self.law * (agreed == known[:, None])
        joint = joint / joint.sum(1, keepdim=True)
        nodes = (joint @ self.nodes).view(b, *self.shape).log().clamp(min=-50).masked_fill(~self.choices, -torch.inf)
        edges = (joint @ self.edges).clamp(0, 1).view(masked.edges.shape)
        return nodes, torch.logit(edges).clamp(-50, 50)


@pytest.fixture(scope="session")
def product_space() -> ProductSpace:
    return ProductSpace()


@pytest.fixture(scope="session")
def tree_space() -> TreeSpace:
    return TreeSpace()


@pytest.fixture(scope="session")
def exact_denoiser() -> type[ExactDenoiser]:
    return ExactDenoiser


@pytest.fixture(scope="session")
def product_law(product_space: ProductSpace) -> Tensor:
    """A law of `product_space` under which all slots are independent."""
    ops = {"a": 0.6, "b": 0.3, "c": 0.1}
    wires = {(0, 2): 0.2, (0, 3): 0.5, (1, 3): 0.7}
    weights = []
    for graph in product_space.listed:
        present = [p if edge in graph.edges else 1 - p for edge, p in wires.items()]
        weights.append(math.prod(ops[op.name] for op in graph.ops[1:-1]) * math.prod(present))
    return torch.tensor(weights, dtype=torch.float64)


@pytest.fixture(scope="session")
def tree_law(tree_space: TreeSpace) -> Tensor:
    """A law of `tree_space` of no particular form."""
    return torch.randn(tree_space.size, generator=torch.Generator().manual_seed(5), dtype=torch.float64).softmax(0)


@pytest.fixture(scope="session")
def all_masks() -> Callable[[GraphBatch, Slots, Tensor], Masked]:
    """One graph under each of the 2^slots sets of masked slots."""

    def masks(clean: GraphBatch, slots: Slots, mask_codes: Tensor) -> Masked:
        m = slots.count
        bits = (torch.arange(2**m)[:, None] >> torch.arange(m)) % 2 == 1
        count = int(slots.nodes.sum())
        nodes = torch.zeros(2**m, *slots.nodes.shape, dtype=torch.bool)
        edges = torch.zeros(2**m, *slots.edges.shape, dtype=torch.bool)
        nodes[:, slots.nodes] = bits[:, :count]
        edges[:, slots.edges] = bits[:, count:]
        return hide(repeat(clean, 2**m), nodes, edges, mask_codes)

    return masks


@pytest.fixture(scope="session")
def repeated() -> Callable[[GraphBatch, int], GraphBatch]:
    """A batch of one graph, many times."""
    return repeat


def repeat(clean: GraphBatch, times: int) -> GraphBatch:
    return GraphBatch(*(part.expand(times, *part.shape[1:]) for part in (clean.codes, clean.adj, clean.mask)))


@pytest.fixture(scope="session")
def slots_of() -> Callable[[ListedSpace], Slots]:
    return lambda space: varying_slots(encode(space, space.listed))


@pytest.fixture(scope="session")
def distance_to() -> Callable[[ListedSpace, Sequence[ArchGraph], Tensor], tuple[float, float]]:
    """Total variation between drawn graphs and a law, and the most that chance alone gives.

    The limit is the expected distance of exact draws plus McDiarmid's bound: exceeded by chance at most once in a
    million.
    """

    def distance(space: ListedSpace, graphs: Sequence[ArchGraph], law: Tensor) -> tuple[float, float]:
        draws = len(graphs)
        found = torch.zeros(space.size, dtype=torch.float64)
        found.index_add_(
            0, torch.tensor([space.places[graph] for graph in graphs]), torch.ones(draws, dtype=torch.float64)
        )
        floor = float((law * (1 - law) / draws).sqrt().sum()) / 2
        limit = floor + math.sqrt(math.log(1e6) / (2 * draws))
        return float((found / draws - law).abs().sum()) / 2, limit

    return distance
