"""Spaces of DAGs whose operations have attributes of their own, those of input and output included.

Every node lies on a path from input to output. The string of a graph names its nodes in order and its edges:
`input(lr=0.01);fc(hidden=64);output|0>1,1>2`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from graphs.archgraph import ArchGraph, AttrValue, Op
from graphs.canonical_dag import canonical_dag
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.space import Field, SearchSpace
from graphs.spaces.attributed_dag_choices import Choices, require_choices
from graphs.spaces.attributed_dag_text import format_graph, parse_graph
from graphs.spaces.free_dag_count import FreeDagCount
from graphs.spaces.free_dag_moves import Move, change, moves

if TYPE_CHECKING:
    from graphs.layout import Layout

EXTRA_EDGE = 0.15
"""Chance of each edge of a random graph beyond the tree that reaches all nodes."""


class AttributedDag(SearchSpace):
    """DAGs of `fewest` to `most` inner nodes.

    Args:
        name, summary: of the space.
        inner: the operations of inner nodes, each with its attributes. An attribute may be one of several operations,
            and of input and output; its values may differ among them.
        input, output: the attributes of the first and the last node.
        fewest, most: numbers of inner nodes.
        chain: each node reads the one before it, and no other.

    Raises:
        InvalidOption: no operation, a name that is not one, attributes whose values cannot be told apart, or numbers
            of nodes that cannot be.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        inner: Mapping[str, Choices],
        *,
        input: Choices | None = None,
        output: Choices | None = None,
        fewest: int = 1,
        most: int = 4,
        chain: bool = False,
    ) -> None:
        require_choices(name, inner, input or {}, output or {})
        if not 0 <= fewest <= most or most < 1:
            raise InvalidOption(
                f"{name}: {fewest} to {most} inner nodes; expected 0 <= fewest <= most, and most at least 1"
            )
        self.name, self.summary = name, summary
        self.inner = {op: dict(choices) for op, choices in inner.items()}
        self.choices = {"input": dict(input or {}), **self.inner, "output": dict(output or {})}
        self.fewest, self.most, self.chain = fewest, most, chain
        self.max_nodes = most + 2
        values: dict[str, list[AttrValue]] = {}
        for one in self.choices.values():
            for attr, options in one.items():
                known = values.setdefault(attr, [])
                known += [value for value in options if value not in known]
        self.fields = (
            Field("op", ("input", *self.inner, "output")),
            *(Field(attr, (None, *_rising(options))) for attr, options in values.items()),
        )

    @cached_property
    def fingerprint(self) -> str:
        text = f"{super().fingerprint}|{self.choices}|{self.fewest}|{self.chain}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def size(self) -> int:
        """Descriptions: wirings times the operations, with their attributes, of the nodes."""
        alone = sum(self._kinds(op) for op in self.inner)
        total = 0
        for count in range(self.fewest, self.most + 1):
            total += self._wirings(count) * alone**count
        return total * self._kinds("input") * self._kinds("output")

    @property
    def network_count(self) -> int | None:
        """Each description of a chain builds a network of its own, unless a subclass simplifies it."""
        return self.size if self.chain and type(self).simplify is AttributedDag.simplify else None

    @property
    def log10_size(self) -> float:
        return math.log10(self.size)

    def _kinds(self, op: str) -> int:
        return math.prod(map(len, self.choices[op].values()))

    def _wirings(self, count: int) -> int:
        if self.chain:
            return 1
        upto = FreeDagCount(count + 2, None, 1).total
        return upto - (FreeDagCount(count + 1, None, 1).total if count > 1 else 1 if count else 0)

    def check(self, graph: ArchGraph) -> None:
        count = len(graph) - 2
        if count < 0 or graph.ops[0].name != "input" or graph.ops[-1].name != "output":
            raise InvalidArchitecture(
                f"{self.name}: expected input, inner nodes and output, got {len(graph)} nodes: "
                f"{', '.join(map(str, graph.ops))}"
            )
        if not self.fewest <= count <= self.most:
            raise InvalidArchitecture(f"{self.name}: {count} inner nodes, expected {self.fewest} to {self.most}")
        for node, op in enumerate(graph.ops):
            if 0 < node <= count and op.name not in self.inner:
                raise InvalidArchitecture(
                    f"{self.name}: node {node} is {op.name!r}, expected one of {', '.join(self.inner)}"
                )
            self._check_attributes(node, op)
        for node in range(1, len(graph)):
            if not graph.predecessors[node]:
                raise InvalidArchitecture(f"{self.name}: node {node} ({graph.ops[node]}) reads nothing; wire it")
            if not graph.successors[node - 1]:
                raise InvalidArchitecture(
                    f"{self.name}: nothing reads node {node - 1} ({graph.ops[node - 1]}); wire it"
                )
        if self.chain and graph.edges != tuple(pairwise(range(len(graph)))):
            raise InvalidArchitecture(
                f"{self.name}: expected a chain, in which each node reads the one before, got the edges {graph.edges}"
            )

    def _check_attributes(self, node: int, op: Op) -> None:
        choices, found = self.choices[op.name], dict(op.attrs)
        for attr, value in found.items():
            if attr not in choices:
                raise InvalidArchitecture(
                    f"{self.name}: node {node} ({op.name}) has an attribute {attr!r}, "
                    f"expected {', '.join(choices) or 'none'}"
                )
            # 1 == True == 1.0 in Python, and an id must not depend on which of them was written
            if not any(value == one and type(value) is type(one) for one in choices[attr]):
                raise InvalidArchitecture(
                    f"{self.name}: node {node} ({op.name}) has {attr}={value!r}, expected one of {choices[attr]}"
                )
        for attr in choices:
            if attr not in found:
                raise InvalidArchitecture(f"{self.name}: node {node} ({op.name}) lacks {attr!r}; add it")

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        """As many nodes as not, operations and attributes uniform; a random tree with a few more edges."""
        count = int(rng.integers(self.fewest, self.most + 1))
        names = list(self.inner)
        inner = [self._draw(names[int(rng.integers(len(names)))], rng) for _ in range(count)]
        ops = (self._draw("input", rng), *inner, self._draw("output", rng))
        return ArchGraph(ops, self._wire(count, rng))

    def _draw(self, name: str, rng: np.random.Generator) -> Op:
        return Op(name, **{attr: one[int(rng.integers(len(one)))] for attr, one in self.choices[name].items()})

    def _wire(self, count: int, rng: np.random.Generator) -> tuple[tuple[int, int], ...]:
        if self.chain:
            return tuple(pairwise(range(count + 2)))
        edges = {(int(rng.integers(node)), node) for node in range(1, count + 1)}
        edges |= {(i, j) for j in range(1, count + 2) for i in range(j) if rng.random() < EXTRA_EDGE}
        edges |= {(node, count + 1) for node in range(count + 1) if all(i != node for i, _ in edges)}
        return tuple(sorted(edges))

    def usual(self, name: str, like: Op | None = None) -> Op:
        """The operation with the attributes of `like` where it may have them, and the middle value of each other."""
        attrs = {}
        for attr, options in self.choices[name].items():
            kept = None if like is None else like.get(attr)
            attrs[attr] = kept if kept is not None and kept in options else options[len(options) // 2]
        return Op(name, **attrs)

    def _others(self, op: Op) -> Iterator[Op]:
        """Operations that a node may have in the place of `op`: another attribute, or another name."""
        for attr, options in self.choices[op.name].items():
            for value in options:
                if value != op.get(attr):
                    yield Op(op.name, **{**dict(op.attrs), attr: value})
        if op.name in self.inner:
            yield from (self.usual(name, op) for name in self.inner if name != op.name)

    def _moves(self, graph: ArchGraph) -> Iterator[Move]:
        for node in (0, len(graph) - 1):
            yield from (partial(change, graph, node, op) for op in self._others(graph.ops[node]))
        if self.chain:
            for node in range(1, len(graph) - 1):
                yield from (partial(change, graph, node, op) for op in self._others(graph.ops[node]))
            return
        new = [self.usual(name) for name in self.inner]
        yield from moves(graph, new, self.max_nodes, None, self._others)

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        """Each network that one move leads to: an attribute, an operation, an edge or a node changed."""
        self.check(graph)
        seen = {self.network(graph)}
        for move in self._moves(graph):
            found = move()
            if len(found) - 2 >= self.fewest and (network := self.network(found)) not in seen:
                seen.add(network)
                yield network

    def mutate(self, graph: ArchGraph, rng: np.random.Generator) -> ArchGraph:
        """The neighbour that a move leads to, all moves equally likely; some networks come by several moves."""
        self.check(graph)
        options, own = list(self._moves(graph)), self.network(graph)
        for place in rng.permutation(len(options)):
            found = options[int(place)]()
            if len(found) - 2 >= self.fewest and (network := self.network(found)) != own:
                return network
        raise InvalidArchitecture(f"{self.name}: {self.format(graph)} has no neighbour; give the space more choices")

    def parse(self, text: str) -> ArchGraph:
        graph = parse_graph(text, self.name, self.choices)
        self.check(graph)
        return graph

    def format(self, graph: ArchGraph) -> str:
        self.check(graph)
        return format_graph(graph)

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        """The graph in canonical order, equal for isomorphic graphs; it is of the space itself."""
        self.check(graph)
        return canonical_dag(graph)

    def representative(self, graph: ArchGraph) -> ArchGraph:
        return self.network(graph)

    def layout(self) -> Layout:
        from graphs.spaces.attributed_dag_layout import AttributedDagLayout  # torch is loaded only by those who draw

        return AttributedDagLayout(self)


def _rising(options: list[AttrValue]) -> tuple[AttrValue, ...]:
    numbers = all(isinstance(value, int | float) for value in options)
    return tuple(sorted(options) if numbers else options)
