"""SearchSpace: which graphs are architectures, which of them are the same network, how to move among them."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from graphs.archgraph import ArchGraph, AttrValue
from graphs.errors import InvalidArchitecture

if TYPE_CHECKING:
    from graphs.layout import Layout

ID_VERSION = "1"
MEMORY = 1 << 17
"""Graphs whose simplified form is remembered; searches meet the same graphs again and again."""


@dataclass(frozen=True)
class Field:
    """A categorical property of a node. `None` among the choices stands for "this operation has none"."""

    name: str
    choices: tuple[AttrValue | None, ...]


class SearchSpace(ABC):
    """A finite set of ArchGraphs with its equivalences.

    A new space states `name`, `summary`, `fields` and `max_nodes` and implements the abstract methods; the rest has
    defaults. `fields[0]` is always the operation's name and lists "input" and "output" too.
    `archgen.testing.SpaceContract` checks one.
    """

    name: str
    summary: str
    fields: tuple[Field, ...]
    max_nodes: int
    columns: tuple[str, ...] = ()
    """Columns of a table that hold an architecture beside the form of one string; see `parse_columns`."""

    @abstractmethod
    def check(self, graph: ArchGraph) -> None:
        """Raise `InvalidArchitecture`, naming the rule and the node, unless `graph` belongs to the space."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> ArchGraph:
        """One architecture, uniformly over descriptions."""

    @abstractmethod
    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        """Every description one decision away that builds another network, each network once."""

    @abstractmethod
    def parse(self, text: str) -> ArchGraph:
        """The graph of the space's own string; raises `InvalidArchitecture`."""

    @abstractmethod
    def format(self, graph: ArchGraph) -> str:
        """The space's own string; `parse(format(g)) == g`."""

    def parse_columns(self, row: Mapping[str, str]) -> ArchGraph:
        """The graph of a table's row that has the cells named by `columns`; raises `InvalidArchitecture`."""
        raise InvalidArchitecture(f"{self.name}: architectures are one string, not the columns {', '.join(row)}")

    @abstractmethod
    def simplify(self, graph: ArchGraph) -> ArchGraph:
        """The network that is really built: dead and identity parts removed, in canonical order.

        Two graphs of the space build the same network exactly when their simplified graphs are equal.
        Surrogates see this graph, not the description.
        """

    @property
    @abstractmethod
    def log10_size(self) -> float:
        """Decimal logarithm of the number of descriptions."""

    def enumerate(self) -> Iterator[ArchGraph]:
        """Every description, in a fixed order.

        Raises:
            InvalidArchitecture: the space is too large to be listed.
        """
        raise InvalidArchitecture(
            f"space {self.name!r} has about 10^{self.log10_size:.1f} architectures and cannot be listed; use sample()"
        )

    @property
    def enumerable(self) -> bool:
        """Whether `enumerate` and `networks` list the space."""
        return type(self).enumerate is not SearchSpace.enumerate

    @property
    def network_count(self) -> int | None:
        """The exact number of distinct networks, or None where nobody has counted them."""
        return None

    @property
    def size(self) -> int | None:
        """The exact number of descriptions, or None where only `log10_size` is known."""
        return None

    def layout(self) -> Layout | None:
        """How a generator sees the space, see `graphs.layout`; None where the whole space is to be listed for it."""
        return None

    def costs(self, graph: ArchGraph) -> dict[str, float]:
        """Exact costs of the network by name, in the units of `graphs.tables.table.UNITS`, if any are known."""
        return {}

    def mutate(self, graph: ArchGraph, rng: np.random.Generator) -> ArchGraph:
        """One of the neighbours, uniformly."""
        options = list(self.neighbours(graph))
        return options[int(rng.integers(len(options)))]

    def representative(self, graph: ArchGraph) -> ArchGraph:
        """A fixed description of the network of `graph`, the same for all of its descriptions.

        The default is the one in `networks` where the space can be listed, else `graph` itself.
        """
        return self._by_network[self.network(graph)] if self.enumerable else graph

    @cached_property
    def _by_network(self) -> dict[ArchGraph, ArchGraph]:
        return {self.network(graph): graph for graph in self.networks}

    @cached_property
    def network(self) -> Callable[[ArchGraph], ArchGraph]:
        """`simplify` with a memory of the last graphs."""
        return lru_cache(MEMORY)(self.simplify)

    def canonical(self, graph: ArchGraph) -> str:
        """The versioned id of the network that `graph` builds: equal ids, equal networks (SHA-256, 80 bits)."""
        return self._digest(self.network(graph))

    @cached_property
    def _digest(self) -> Callable[[ArchGraph], str]:
        return lru_cache(MEMORY)(self._compute_digest)

    def _compute_digest(self, network: ArchGraph) -> str:
        text = ";".join(map(str, network.ops)) + "|" + ";".join(f"{i}>{j}" for i, j in network.edges)
        digest = hashlib.sha256(f"{self.name}|{text}".encode()).hexdigest()
        return f"{ID_VERSION}-{digest[:20]}"

    @cached_property
    def networks(self) -> tuple[ArchGraph, ...]:
        """One description for each distinct network, the first that `enumerate` gives."""
        first: dict[ArchGraph, ArchGraph] = {}
        for graph in self.enumerate():
            first.setdefault(self.network(graph), graph)
        return tuple(first.values())

    @cached_property
    def fingerprint(self) -> str:
        """A digest of everything an encoding depends on; checkpoints carry it."""
        text = f"{self.name}|{self.max_nodes}|{self.fields}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def require_fields(self, graph: ArchGraph) -> None:
        """Raise `InvalidArchitecture` where a node's operation or attribute is not among the space's choices."""
        if len(graph) > self.max_nodes:
            raise InvalidArchitecture(f"{self.name}: {len(graph)} nodes, at most {self.max_nodes} are allowed")
        known = {field.name for field in self.fields[1:]}
        for node, op in enumerate(graph.ops):
            if op.name not in self.fields[0].choices:
                raise InvalidArchitecture(
                    f"{self.name}: node {node} has operation {op.name!r}, expected one of {self.fields[0].choices}"
                )
            for attr, _ in op.attrs:
                if attr not in known:
                    raise InvalidArchitecture(f"{self.name}: node {node} ({op}) has an unknown attribute {attr!r}")
            for field in self.fields[1:]:
                if op.get(field.name) not in field.choices:
                    raise InvalidArchitecture(
                        f"{self.name}: node {node} has {field.name}={op.get(field.name)!r}, "
                        f"expected one of {field.choices}"
                    )


def log10_of(count: int) -> float:
    """Decimal logarithm of an exact count."""
    return math.log10(count)
