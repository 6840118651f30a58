"""Op and ArchGraph: one architecture as an immutable, topologically ordered, labelled DAG."""

from dataclasses import dataclass
from functools import cached_property

from graphs.errors import InvalidArchitecture

AttrValue = str | int | float | bool


@dataclass(frozen=True, init=False, order=True)
class Op:
    """One node's operation and its categorical attributes, e.g. `Op("mbconv", kernel=5, expand=6)`."""

    name: str
    attrs: tuple[tuple[str, AttrValue], ...]

    def __init__(self, name: str, **attrs: AttrValue) -> None:
        if "op" in attrs:
            raise InvalidArchitecture(f"operation {name!r} has an attribute 'op', the key of the name; rename it")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "attrs", tuple(sorted(attrs.items())))

    def get(self, attr: str) -> AttrValue | None:
        """The value of `attr`, or None where this operation has no such attribute."""
        return dict(self.attrs).get(attr)

    def __str__(self) -> str:
        if not self.attrs:
            return self.name
        inner = ",".join(f"{key}={value}" for key, value in self.attrs)
        return f"{self.name}({inner})"

    def __repr__(self) -> str:
        return f"Op({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self.attrs)])})"


INPUT = Op("input")
OUTPUT = Op("output")


@dataclass(frozen=True)
class ArchGraph:
    """A directed acyclic graph of operations; every edge (i, j) has i < j.

    Args:
        ops: one operation a node, in topological order.
        edges: pairs of node numbers; stored sorted.

    Raises:
        InvalidArchitecture: an edge leaves the graph, runs backwards or stands twice.
    """

    ops: tuple[Op, ...]
    edges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        ops, edges = tuple(self.ops), tuple(sorted((int(i), int(j)) for i, j in self.edges))
        for before, edge in zip((None, *edges), edges, strict=False):
            i, j = edge
            if not 0 <= i < j < len(ops):
                raise InvalidArchitecture(
                    f"edge {edge} in a graph of {len(ops)} nodes: expected 0 <= i < j < {len(ops)}; "
                    "number the nodes in topological order"
                )
            if edge == before:
                raise InvalidArchitecture(f"edge {edge} stands twice; list each edge once")
        object.__setattr__(self, "ops", ops)
        object.__setattr__(self, "edges", edges)

    def __len__(self) -> int:
        return len(self.ops)

    @cached_property
    def _hash(self) -> int:
        return hash((self.ops, self.edges))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def predecessors(self) -> tuple[tuple[int, ...], ...]:
        """For each node the nodes it reads, ascending."""
        found: list[list[int]] = [[] for _ in self.ops]
        for i, j in self.edges:
            found[j].append(i)
        return tuple(map(tuple, found))

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """For each node the nodes that read it, ascending."""
        found: list[list[int]] = [[] for _ in self.ops]
        for i, j in self.edges:
            found[i].append(j)
        return tuple(map(tuple, found))
