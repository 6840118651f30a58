"""Spaces of DAGs with free edges: nodes up to a limit, any edges forward, an operation on each inner node.

Every node lies on a path from input to output. With at most 7 nodes, 9 edges and three operations these are the cells
of NAS-Bench-101 (Ying et al. 2019), whose 423,624 networks are the graphs up to isomorphism.

The string of a graph is `conv3x3,maxpool3x3|0>1,0>2,1>3,2>3`: operations of the inner nodes, edges.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.canonical_dag import canonical_dag, depths
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.space import MEMORY, Field, SearchSpace, log10_of
from graphs.spaces.free_dag_count import FreeDagCount
from graphs.spaces.free_dag_moves import moves

if TYPE_CHECKING:
    from graphs.layout import Layout

_NAME = re.compile(r"[^\s,|>]+")
_EDGE = re.compile(r"([0-9]{1,6})>([0-9]{1,6})")


class FreeDag(SearchSpace):
    """DAGs of 2 to `max_nodes` nodes and at most `max_edges` edges, None for no limit.

    Raises:
        InvalidOption: less than 3 nodes or 2 edges, no operation, an operation twice, or a name that is not one.
    """

    def __init__(self, name: str, max_nodes: int, max_edges: int | None, operations: tuple[str, ...]) -> None:
        for op in operations:
            if not _NAME.fullmatch(op) or op in ("input", "output") or operations.count(op) > 1:
                raise InvalidOption(f"{name}: operation {op!r}; expected different names without blanks, ',', '|', '>'")
        if max_nodes < 3 or (max_edges is not None and max_edges < 2) or not operations:
            raise InvalidOption(
                f"{name}: {max_nodes} nodes, {max_edges} edges and {len(operations)} operations at most; expected at "
                "least 3 nodes, 2 edges and 1 operation"
            )
        limit = "" if max_edges is None else f" and {max_edges} edges"
        self.name = name
        self.summary = f"any DAG of up to {max_nodes} nodes{limit}, {len(operations)} operations on the inner nodes"
        self.fields = (Field("op", ("input", *operations, "output")),)
        self.max_nodes = max_nodes
        self.max_edges = max_edges
        self.operations = operations
        self.choices = tuple(map(Op, operations))

    @cached_property
    def count(self) -> FreeDagCount:
        """The descriptions, counted and numbered."""
        return FreeDagCount(self.max_nodes, self.max_edges, len(self.operations))

    @property
    def size(self) -> int:
        return self.count.total

    @property
    def log10_size(self) -> float:
        return log10_of(self.size)

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{super().fingerprint}|{self.max_edges}".encode()).hexdigest()[:16]

    @cached_property
    def network(self) -> Callable[[ArchGraph], ArchGraph]:
        """`simplify` with a memory of the last graphs, fewer where they are larger than cells."""
        return lru_cache(81 * MEMORY // max(self.max_nodes, 9) ** 2)(self.simplify)

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if len(graph) < 2 or graph.ops[0] != INPUT or graph.ops[-1] != OUTPUT:
            raise InvalidArchitecture(
                f"{self.name}: expected input, inner nodes and output, got {len(graph)} nodes: "
                f"{', '.join(map(str, graph.ops))}"
            )
        for node, op in enumerate(graph.ops[1:-1], start=1):
            if op in (INPUT, OUTPUT):
                raise InvalidArchitecture(
                    f"{self.name}: node {node} is {op}, expected one of {', '.join(self.operations)}"
                )
        for node in range(1, len(graph)):
            if not graph.predecessors[node]:
                raise InvalidArchitecture(f"{self.name}: node {node} ({graph.ops[node]}) reads nothing; wire it")
            if not graph.successors[node - 1]:
                raise InvalidArchitecture(
                    f"{self.name}: nothing reads node {node - 1} ({graph.ops[node - 1]}); wire it"
                )
        if self.max_edges is not None and len(graph.edges) > self.max_edges:
            raise InvalidArchitecture(f"{self.name}: {len(graph.edges)} edges, at most {self.max_edges} are allowed")

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return self.graph_number(self.count.draw(rng))

    def graph_number(self, number: int) -> ArchGraph:
        """Description `number`, 0 <= number < size; each has one number."""
        ops, edges = self.count.graph(number)
        return ArchGraph((INPUT, *[self.choices[op] for op in ops], OUTPUT), tuple(edges))

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        """Each network that one move leads to, in canonical order; see `graphs.spaces.free_dag_moves`."""
        self.check(graph)
        seen = set()
        for move in moves(graph, self.choices, self.max_nodes, self.max_edges):
            if (network := self.network(move())) not in seen:
                seen.add(network)
                yield network

    def mutate(self, graph: ArchGraph, rng: np.random.Generator) -> ArchGraph:
        """The neighbour that a move leads to, all moves equally likely; some networks come by several moves."""
        self.check(graph)
        options = list(moves(graph, self.choices, self.max_nodes, self.max_edges))
        return self.network(options[int(rng.integers(len(options)))]())

    def parse(self, text: str) -> ArchGraph:
        names, bar, wires = text.strip().partition("|")
        pairs = [_EDGE.fullmatch(wire) for wire in wires.split(",")]
        if not bar or None in pairs:
            raise InvalidArchitecture(
                f"{self.name}: cannot read {text!r}; expected the operations of the inner nodes and the edges, "
                f"in the form {self.operations[0]},{self.operations[-1]}|0>1,0>2,1>3,2>3"
            )
        inner = [Op(name) for name in names.split(",")] if names else []
        edges = [(int(pair[1]), int(pair[2])) for pair in pairs if pair]
        graph = ArchGraph((INPUT, *inner, OUTPUT), tuple(edges))
        self.check(graph)
        return graph

    def format(self, graph: ArchGraph) -> str:
        self.check(graph)
        return ",".join(op.name for op in graph.ops[1:-1]) + "|" + ",".join(f"{i}>{j}" for i, j in graph.edges)

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        """The graph in canonical order: nodes by depth, equal for isomorphic graphs; it is of the space itself."""
        self.check(graph)
        return canonical_dag(graph)

    def representative(self, graph: ArchGraph) -> ArchGraph:
        return self.network(graph)

    def costs(self, graph: ArchGraph) -> dict[str, float]:
        """`nodes`, `edges`, and `depth`, the number of edges on the longest path."""
        return {"nodes": len(graph), "edges": len(graph.edges), "depth": depths(graph)[-1]}

    def layout(self) -> Layout:
        from graphs.spaces.free_dag_layout import FreeDagLayout  # torch is loaded only by those who draw

        return FreeDagLayout(self)
