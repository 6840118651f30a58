"""Toy spaces small enough to list, laws over them, and predictions that know such a law exactly."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from archgen.diffusion.denoiser import IMPOSSIBLE
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.batch import encode
from graphs.errors import InvalidArchitecture
from graphs.layout import Layout
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


class EdgeLayout(Layout):
    """For spaces of one field: a slot for each operation and each edge that varies, by comparison with the list.

    Where the output is, and thus the number of nodes, is given from the start. All edges are coupled.
    """

    def __init__(self, space: ListedSpace) -> None:
        batch = encode(space, space.listed)
        output, absent = len(space.fields[0].choices) - 1, len(space.fields[0].choices)
        codes = torch.where(batch.mask, batch.codes[..., 0], absent)
        nodes = (codes != codes[0]).any(0).nonzero()[:, 0].tolist()
        edges = [tuple(edge) for edge in (batch.adj != batch.adj[0]).any(0).nonzero().tolist()]
        held = [codes[:, node].unique() for node in nodes]
        columns = [
            torch.searchsorted(kinds, codes[:, node].contiguous()) for kinds, node in zip(held, nodes, strict=True)
        ]
        self.rows = torch.stack([*columns, *(batch.adj[:, i, j].long() for i, j in edges)], 1)
        self.given = [[place for place, kind in enumerate(kinds.tolist()) if kind >= output] for kinds in held]
        self.graphs = {tuple(row): graph for row, graph in zip(self.rows.tolist(), space.listed, strict=True)}
        sizes = [len(kinds) for kinds in held]
        free = math.prod(sizes) * 2 ** len(edges) == space.size
        restricted = () if free else range(len(nodes) + len(edges))
        slots = [(node, 0) for node in nodes]
        coupled = [range(len(nodes), len(nodes) + len(edges))]
        super().__init__(space, batch.adj.all(0)[None], slots, sizes, edges, restricted, coupled)

    def read(self, graphs: Sequence[ArchGraph]) -> Tensor:
        for graph in graphs:
            self.space.check(graph)
        return self.rows[[self.space.places[graph] for graph in graphs]]  # type: ignore[attr-defined]

    def write(self, values: Tensor) -> list[ArchGraph]:
        rows = [tuple(row) for row in values.tolist()]
        for row in rows:
            if row not in self.graphs:
                raise InvalidArchitecture(f"{self.space.name}: no graph has the row {row}")
        return [self.graphs[row] for row in rows]

    def start(self, values: Tensor) -> Tensor:
        start = super().start(values)
        for slot, kinds in enumerate(self.given):
            known = torch.isin(values[:, slot], torch.tensor(kinds, dtype=torch.int64))
            start[known, slot] = values[known, slot]
        return start

    def allowed(self, values: Tensor, slot: int) -> Tensor:
        blank = values.clone()
        blank[:, slot] = self.hidden[slot]
        agree = ((blank[:, None] == self.rows) | (blank == self.hidden)[:, None]).all(2)
        return agree.double() @ torch.nn.functional.one_hot(self.rows[:, slot], self.sizes[slot]).double() > 0


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

    def layout(self) -> Layout:
        return EdgeLayout(self)


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


class GrowingSpace(ListedSpace):
    """A chain of one to three layers of two operations, and any of the edges that leave one node out. 84 graphs."""

    name = "toy-growing"
    summary = "the number of nodes varies"
    fields = (Field("op", ("input", "a", "b", "output")),)
    max_nodes = 5

    def __init__(self) -> None:
        graphs = []
        for depth in (1, 2, 3):
            chain = tuple((i, i + 1) for i in range(depth + 1))
            over = [(i, i + 2) for i in range(depth)]
            some = [wires for r in range(depth + 1) for wires in itertools.combinations(over, r)]
            for ops, wires in itertools.product(itertools.product("ab", repeat=depth), some):
                graphs.append(ArchGraph((INPUT, *map(Op, ops), OUTPUT), tuple(sorted(chain + wires))))
        super().__init__(graphs)

    def layout(self) -> Layout:
        return EdgeLayout(self)


class Exact:
    """Each slot's log-probabilities given the known slots, by summing over all graphs of a space."""

    def __init__(self, layout: Layout, law: Tensor) -> None:
        self.layout, self.law = layout, law.double()
        self.rows = layout.read(list(layout.space.enumerate()))
        k = max(layout.sizes)
        self.takes = torch.nn.functional.one_hot(self.rows, k).double()
        self.impossible = torch.arange(k) >= layout.hidden[:, None]

    def __call__(self, values: Tensor) -> Tensor:
        agree = ((values[:, None] == self.rows) | (values == self.layout.hidden)[:, None]).all(2)
        joint = self.law * agree
        found = (joint @ self.takes.flatten(1)).view(len(values), *self.takes.shape[1:])
        log_p = (found / joint.sum(1)[:, None, None]).log().clamp(min=-60)
        return log_p.masked_fill(self.impossible, IMPOSSIBLE)


@pytest.fixture(scope="session")
def product_space() -> ProductSpace:
    return ProductSpace()


@pytest.fixture(scope="session")
def tree_space() -> TreeSpace:
    return TreeSpace()


@pytest.fixture(scope="session")
def growing_space() -> GrowingSpace:
    return GrowingSpace()


@pytest.fixture(scope="session", params=["product", "tree", "growing"])
def toy(request) -> ListedSpace:
    """Each of the toy spaces: free edges, wirings, a varying number of nodes."""
    return request.getfixturevalue(f"{request.param}_space")


@pytest.fixture(scope="session")
def exact() -> type[Exact]:
    return Exact


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
def law_of() -> Callable[[ListedSpace], Tensor]:
    """A law of a space of no particular form."""
    return lambda space: torch.randn(space.size, generator=torch.Generator().manual_seed(5)).double().softmax(0)


@pytest.fixture(scope="session")
def distance_to() -> Callable[[ListedSpace, Sequence[ArchGraph], Tensor], tuple[float, float]]:
    """Total variation between drawn graphs and a law, and the most that chance alone gives.

    The limit is the expected distance of exact draws plus McDiarmid's bound: exceeded by chance at most once in a
    million.
    """

    def distance(space: ListedSpace, graphs: Sequence[ArchGraph], law: Tensor) -> tuple[float, float]:
        draws = len(graphs)
        places = torch.tensor([space.places[graph] for graph in graphs])
        found = torch.bincount(places, minlength=space.size).double()
        floor = float((law * (1 - law) / draws).sqrt().sum()) / 2
        limit = floor + math.sqrt(math.log(1e6) / (2 * draws))
        return float((found / draws - law).abs().sum()) / 2, limit

    return distance
