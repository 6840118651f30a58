"""The NAS-Bench-Graph space (Qin et al., NeurIPS 2022): four GNN layers on a macro DAG in which each has one input.

A description is a parent list out of nine and four operations: `0012|gat|gcn|skip|fc`. Parent 0 is the graph's
features; layers that nobody reads are concatenated into the output. `skip` hands its input on, so many descriptions
build the same network: 59,040 valid descriptions, 26,206 networks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.space import Field, SearchSpace, log10_of
from graphs.spaces.layer_tree import contract

if TYPE_CHECKING:
    from graphs.layout import Layout

Links = tuple[int, int, int, int]

LINKS: tuple[Links, ...] = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
LAYERS = 4
_PLACES = {name: place for place, name in enumerate(OPERATIONS)}


def _same_wiring(links: Links) -> tuple[tuple[int, ...], ...]:
    """The orders of the layers after which a parent list still wires them as before; the identity is one."""
    return tuple(
        order
        for order in itertools.permutations(range(LAYERS))
        if all((links[k] and order.index(links[k] - 1) + 1) == links[at] for at, k in enumerate(order))
    )


_SAME = {links: _same_wiring(links) for links in LINKS}


class NasBenchGraph(SearchSpace):
    """Graph neural networks of four layers: 9 macro DAGs times 9 operations on each layer."""

    name = "nas-bench-graph"
    summary = "GNNs of 4 layers on 9 macro DAGs, trained on 8 graphs (NAS-Bench-Graph)"
    fields = (Field("op", ("input", *OPERATIONS, "output")),)
    max_nodes = LAYERS + 2

    @property
    def size(self) -> int:
        """Valid descriptions: 9 * 9^4 less the nine in which every layer is skip."""
        choices: int = len(OPERATIONS) ** LAYERS
        return len(LINKS) * (choices - 1)

    @property
    def network_count(self) -> int:
        return 26_206

    @property
    def log10_size(self) -> float:
        return log10_of(self.size)

    def build(self, links: Links, ops: tuple[str, ...]) -> ArchGraph:
        """The graph of a description: input, the four layers, output."""
        leaves = [node for node in range(1, LAYERS + 1) if node not in links]
        edges = [(parent, node) for node, parent in enumerate(links, start=1)]
        edges += [(leaf, LAYERS + 1) for leaf in leaves]
        return ArchGraph((INPUT, *map(Op, ops), OUTPUT), tuple(edges))

    def describe(self, graph: ArchGraph) -> tuple[Links, tuple[str, ...]]:
        """The inverse of `build`; raises `InvalidArchitecture` where `graph` is outside the space."""
        self.check(graph)
        links = tuple(graph.predecessors[node][0] for node in range(1, LAYERS + 1))
        return links, tuple(op.name for op in graph.ops[1:-1])  # type: ignore[return-value]

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if len(graph) != self.max_nodes or graph.ops[0] != INPUT or graph.ops[-1] != OUTPUT:
            raise InvalidArchitecture(
                f"{self.name}: expected input, {LAYERS} layers and output, got {len(graph)} nodes: "
                f"{', '.join(map(str, graph.ops))}"
            )
        for node in range(1, LAYERS + 1):
            if graph.ops[node] in (INPUT, OUTPUT):
                raise InvalidArchitecture(f"{self.name}: node {node} is {graph.ops[node]}, expected a layer")
            if len(graph.predecessors[node]) != 1:
                raise InvalidArchitecture(
                    f"{self.name}: node {node} reads {len(graph.predecessors[node])} nodes, expected exactly one"
                )
        links = tuple(graph.predecessors[node][0] for node in range(1, LAYERS + 1))
        if links not in LINKS:
            raise InvalidArchitecture(
                f"{self.name}: parent list {_digits(links)} is not one of {', '.join(map(_digits, LINKS))}; "
                "renumber the layers"
            )
        leaves = {node for node in range(1, LAYERS + 1) if node not in links}
        if set(graph.predecessors[-1]) != leaves:
            raise InvalidArchitecture(
                f"{self.name}: the output must read exactly the layers nobody reads, {sorted(leaves)}"
            )
        if all(op.name == "skip" for op in graph.ops[1:-1]):
            raise InvalidArchitecture(
                f"{self.name}: every layer is skip, so there is no network to train; use another layer"
            )

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        while True:
            links = LINKS[int(rng.integers(len(LINKS)))]
            ops = tuple(OPERATIONS[int(k)] for k in rng.integers(len(OPERATIONS), size=LAYERS))
            if any(op != "skip" for op in ops):
                return self.build(links, ops)

    def enumerate(self) -> Iterator[ArchGraph]:
        for links in LINKS:
            for ops in itertools.product(OPERATIONS, repeat=LAYERS):
                if any(op != "skip" for op in ops):
                    yield self.build(links, ops)

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        links, ops = self.describe(graph)
        options = [(other, ops) for other in LINKS if other != links]
        for layer, op in itertools.product(range(LAYERS), OPERATIONS):
            if op != ops[layer]:
                options.append((links, (*ops[:layer], op, *ops[layer + 1 :])))
        seen = {self.network(graph)}
        for option in options:
            if any(op != "skip" for op in option[1]):
                neighbour = self.build(*option)
                if (network := self.network(neighbour)) not in seen:
                    seen.add(network)
                    yield neighbour

    def parse(self, text: str) -> ArchGraph:
        macro, *ops = text.strip().split("|")
        if len(macro) != LAYERS or not macro.isdecimal() or len(ops) != LAYERS:
            raise InvalidArchitecture(f"{self.name}: cannot read {text!r}; expected the form 0012|gat|gcn|skip|fc")
        links = tuple(map(int, macro))
        if links not in LINKS:
            raise InvalidArchitecture(
                f"{self.name}: parent list {macro} is not one of {', '.join(map(_digits, LINKS))}; renumber the layers"
            )
        graph = self.build(links, tuple(ops))
        self.check(graph)
        return graph

    def format(self, graph: ArchGraph) -> str:
        links, ops = self.describe(graph)
        return "|".join((_digits(links), *ops))

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        links, names = self.describe(graph)
        return contract(links, names, _PLACES)

    def layout(self) -> Layout:
        from graphs.layout import ProductLayout  # torch is loaded only by those who draw

        return ProductLayout(self, [self.build(links, OPERATIONS[:LAYERS]) for links in LINKS], forbidden="skip")

    def representative(self, graph: ArchGraph) -> ArchGraph:
        """The description that the benchmark lists."""
        return self.build(*self._lay_out(self.network(graph)))

    def table_key(self, graph: ArchGraph) -> int:
        """The benchmark's key of the network: ((macro * 10 + op) * 10 + op) ... over the representative description."""
        tree = self._lay_out(self.network(graph))
        key = LINKS.index(tree[0])
        for op in tree[1]:
            key = key * (len(OPERATIONS) + 1) + _PLACES[op]
        return key

    def _lay_out(self, network: ArchGraph) -> tuple[Links, tuple[str, ...]]:
        """The description that the benchmark lists for a network: identities first, then layers in its own order."""
        inner = len(network) - 2
        shift = LAYERS - inner
        for order in itertools.permutations(range(1, inner + 1)):
            place = {0: shift} | {node: shift + at for at, node in enumerate(order, start=1)}
            links = (*range(shift), *(place[network.predecessors[node][0]] for node in order))
            if links in LINKS:
                ops = ("skip",) * shift + tuple(network.ops[node].name for node in order)
                candidates = [tuple(ops[k] for k in same) for same in _SAME[links]]
                return links, min(candidates, key=lambda names: [_PLACES[name] for name in names])
        raise AssertionError(f"no parent list fits {network}")


def _digits(links: tuple[int, ...]) -> str:
    return "".join(map(str, links))
