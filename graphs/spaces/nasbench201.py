"""The NAS-Bench-201 cell space (Dong and Yang, ICLR 2020): five operations on the six edges of a 4-node DAG.

As an ArchGraph the operations are nodes (the cell's line graph): input, the six in the order of the official string
`|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, output. The wiring is fixed.

Two cells build the same function when their outputs are equal as expressions: an operation on a zero is dead, `none`
gives zero, `skip_connect` is the identity, and sums inside sums are flattened. 15,625 strings build 4,930 functions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.space import Field, SearchSpace, log10_of
from graphs.spaces.nasbench201_costs import network_costs

if TYPE_CHECKING:
    from graphs.layout import Layout

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of each operation in the cell, in the string's order."""

Term = tuple[Any, ...]
"""An expression: ("input",) or (operation, sum); a sum is a sorted tuple of expressions."""


def _wiring() -> tuple[tuple[int, int], ...]:
    edges = [(0, 1 + k) for k, (source, _) in enumerate(CELL_EDGES) if source == 0]
    for (k, (_, middle)), (m, (source, _)) in itertools.product(enumerate(CELL_EDGES), enumerate(CELL_EDGES)):
        if middle == source:
            edges.append((1 + k, 1 + m))
    return tuple(sorted(edges + [(1 + k, 7) for k, (_, target) in enumerate(CELL_EDGES) if target == 3]))


WIRING = _wiring()


class NasBench201(SearchSpace):
    """CNN cells of 4 nodes and 6 operations, trained on CIFAR-10 and CIFAR-100."""

    name = "nasbench201"
    summary = "CNN cells with 5 operations on 6 edges, trained on CIFAR-10 and CIFAR-100 (NAS-Bench-201)"
    fields = (Field("op", ("input", *OPERATIONS, "output")),)
    max_nodes = len(CELL_EDGES) + 2

    @property
    def size(self) -> int:
        count: int = len(OPERATIONS) ** len(CELL_EDGES)
        return count

    @property
    def network_count(self) -> int:
        return 4_930

    @property
    def log10_size(self) -> float:
        return log10_of(self.size)

    def build(self, ops: tuple[str, ...]) -> ArchGraph:
        """The graph of six operation names in the string's order."""
        return ArchGraph((INPUT, *map(Op, ops), OUTPUT), WIRING)

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if len(graph) != self.max_nodes or graph.ops[0] != INPUT or graph.ops[-1] != OUTPUT:
            raise InvalidArchitecture(
                f"{self.name}: expected input, six operations and output, got {len(graph)} nodes: "
                f"{', '.join(map(str, graph.ops))}"
            )
        for node, op in enumerate(graph.ops[1:-1], start=1):
            if op in (INPUT, OUTPUT):
                raise InvalidArchitecture(f"{self.name}: node {node} is {op}, expected one of {', '.join(OPERATIONS)}")
        if graph.edges != WIRING:
            raise InvalidArchitecture(
                f"{self.name}: the wiring is fixed; expected the edges {WIRING}, got {graph.edges}"
            )

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return self.build(tuple(OPERATIONS[int(k)] for k in rng.integers(len(OPERATIONS), size=len(CELL_EDGES))))

    def enumerate(self) -> Iterator[ArchGraph]:
        for ops in itertools.product(OPERATIONS, repeat=len(CELL_EDGES)):
            yield self.build(ops)

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        ops = self._operations(graph)
        seen = {self.network(graph)}
        for k, op in itertools.product(range(len(ops)), OPERATIONS):
            neighbour = self.build((*ops[:k], op, *ops[k + 1 :]))
            if (network := self.network(neighbour)) not in seen:
                seen.add(network)
                yield neighbour

    def parse(self, text: str) -> ArchGraph:
        groups = [part.strip("|").split("|") for part in text.strip().split("+")]
        names = []
        for target, group in enumerate(groups, start=1):
            for source, item in enumerate(group):
                op, _, index = item.partition("~")
                if index != str(source):
                    raise InvalidArchitecture(self._unreadable(text))
                names.append(op)
            if len(group) != target:
                raise InvalidArchitecture(self._unreadable(text))
        if len(groups) != 3:
            raise InvalidArchitecture(self._unreadable(text))
        graph = self.build(tuple(names))
        self.check(graph)
        return graph

    def format(self, graph: ArchGraph) -> str:
        ops = iter(self._operations(graph))
        return "+".join("|" + "|".join(f"{next(ops)}~{source}" for source in range(node)) + "|" for node in (1, 2, 3))

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        """The output's expression as a graph; where a sum holds the raw input twice, the second copy is a skip."""
        return _expression_graph(expression(self._operations(graph)))

    def layout(self) -> Layout:
        from graphs.layout import ProductLayout  # torch is loaded only by those who draw

        return ProductLayout(self, [self.build(OPERATIONS[:1] * len(CELL_EDGES))])

    def costs(self, graph: ArchGraph) -> dict[str, float]:
        """Millions of parameters and of MACs of the network with 10 classes, as the benchmark counts them.

        They are those of the description: an operation that reaches nothing is built, and counted, all the same.
        """
        costs = network_costs(self._operations(graph))
        return {"params": costs.params / 1e6, "macs": costs.macs / 1e6}

    def _operations(self, graph: ArchGraph) -> tuple[str, ...]:
        self.check(graph)
        return tuple(op.name for op in graph.ops[1:-1])

    def _unreadable(self, text: str) -> str:
        return f"{self.name}: cannot read {text!r}; expected the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


def expression(ops: tuple[str, ...]) -> Term:
    """The sum at the cell's output, a sorted tuple of terms; the empty tuple is zero."""
    sums: list[Term] = [(("input",),), (), (), ()]
    for (source, target), op in zip(CELL_EDGES, ops, strict=True):
        inner = sums[source]
        if op == "skip_connect":
            sums[target] = tuple(sorted((*sums[target], *inner), key=repr))
        elif op != "none" and inner:
            sums[target] = tuple(sorted((*sums[target], (op, inner)), key=repr))
    return sums[3]


def _expression_graph(total: Term) -> ArchGraph:
    ops: list[Op] = [INPUT]
    edges: list[tuple[int, int]] = []
    last = _place(total, ops, edges)
    return ArchGraph((*ops, OUTPUT), (*edges, *((node, len(ops)) for node in last)))


def _place(terms: Term, ops: list[Op], edges: list[tuple[int, int]]) -> list[int]:
    """Add the nodes of a sum's terms; the node numbers that the reader of the sum must read."""
    nodes: list[int] = []
    for term in terms:
        if term == ("input",) and 0 not in nodes:
            nodes.append(0)
            continue
        read = [0] if term == ("input",) else _place(term[1], ops, edges)
        ops.append(Op("skip_connect" if term == ("input",) else str(term[0])))
        edges.extend((source, len(ops) - 1) for source in read)
        nodes.append(len(ops) - 1)
    return nodes
