"""Layout: the architectures of a space as rows of categorical slots, and which values a slot may still take.

What a diffusion model sees. A slot is a field of a node, a possible edge, or the choice among the space's wirings; a
row holds one value a slot. A slot that is not known holds its number of choices, the hidden value. `allowed` is the
space's feasibility automaton: whoever fills slots one by one with allowed values ends at a valid architecture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.batch import GraphBatch, decode, encode
from graphs.errors import InvalidArchitecture
from graphs.space import MEMORY, SearchSpace

ABSENT, PRESENT, UNKNOWN = 0, 1, 2
"""States of an edge."""


class Layout(ABC):
    """The slots of one space, in this order: the wiring if there are several, fields of nodes, edges.

    Args:
        space: whose architectures these are.
        wirings: adjacency matrices; more than one makes a slot that chooses among them. Edges that are slots of their
            own are absent in it.
        node_slots: (node, field) of each slot of a node.
        node_sizes: how many choices each of them has.
        edge_slots: (i, j) of each edge that may be there or not.
        restricted: slots that `allowed` may limit; a sampler fills them one after another, in this order.
        coupled: groups of slots that limit each other directly, no slot in two of them; a sampler shows at most one of
            a group in a step.
    """

    def __init__(
        self,
        space: SearchSpace,
        wirings: Bool[Tensor, "w n n"],
        node_slots: Sequence[tuple[int, int]],
        node_sizes: Sequence[int],
        edge_slots: Sequence[tuple[int, int]] = (),
        restricted: Sequence[int] = (),
        coupled: Sequence[Sequence[int]] = (),
    ) -> None:
        self.space = space
        self.wirings = wirings
        self.nodes = wirings.shape[-1]
        self.node_slots = tuple(node_slots)
        self.edge_slots = tuple(edge_slots)
        self.wired = len(wirings) > 1
        self.sizes = (*([len(wirings)] if self.wired else []), *node_sizes, *[2] * len(self.edge_slots))
        self.hidden = torch.tensor(self.sizes)
        self.restricted = tuple(restricted)
        self.coupled = tuple(map(tuple, coupled))

    def __len__(self) -> int:
        """The number of slots."""
        return len(self.sizes)

    @abstractmethod
    def read(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
        """The rows of graphs; raises `InvalidArchitecture` where one is not of the space."""

    @abstractmethod
    def write(self, values: Int[Tensor, "b s"]) -> list[ArchGraph]:
        """The inverse of `read`; raises `InvalidArchitecture` where a row is not valid."""

    def start(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "b s"]:
        """What of these rows is given before the first step, e.g. the number of nodes; the rest is hidden.

        A start is its own start.
        """
        return self.hidden.expand_as(values).clone()

    def allowed(self, values: Int[Tensor, "b s"], slot: int) -> Bool[Tensor, "b k"]:
        """Which values `slot` may take such that a valid architecture agrees with it and all known slots.

        Args:
            values: partly hidden rows, each of which some valid architecture agrees with; `slot` itself is not read.
        """
        return torch.ones(len(values), self.sizes[slot], dtype=torch.bool)

    def tell(self, slot: int, value: int) -> str:
        """What it means that `slot` has `value`, for a person to read."""
        if self.wired and slot == 0:
            edges = self.wirings[value].nonzero().tolist()
            return "wiring " + " ".join(f"{i}>{j}" for i, j in edges)
        if slot >= len(self) - len(self.edge_slots):
            i, j = self.edge_slots[slot - len(self)]
            return f"edge {i}>{j}" if value == PRESENT else f"no edge {i}>{j}"
        node, field = self.node_slots[slot - int(self.wired)]
        choices = self.space.fields[field].choices
        what = choices[value] if value < len(choices) else "absent"
        return f"node {node}: {what if field == 0 else f'{self.space.fields[field].name} {what}'}"

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """The slots in groups that do not limit each other: a row is valid exactly when each of its groups is."""
        free = tuple((slot,) for slot in range(len(self)) if slot not in self.restricted)
        return (*free, self.restricted) if self.restricted else free

    @property
    def attributes(self) -> tuple[Float[Tensor, "k d"], ...]:
        """For each slot numbers that describe its values, centred, for predictors; none where values are mere names."""
        return ()

    @property
    def alike(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Levels, from fine to coarse, each some sets of slots in which a value means the same, for predictors."""
        return ()

    def valid(self, values: Int[Tensor, "b s"]) -> Bool[Tensor, " b"]:
        """Whether complete rows are architectures of the space, by the automaton alone."""
        good = torch.ones(len(values), dtype=torch.bool)
        for slot in self.restricted:
            good &= self.allowed(values, slot).gather(1, values[:, slot : slot + 1])[:, 0]
        return good

    def edge_states(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "#b n n"]:
        """ABSENT, PRESENT or UNKNOWN for each pair of nodes; one row for all where nothing about edges varies."""
        wirings = self.wirings.to(values.device).long()
        if self.wired:
            unknown = torch.where((wirings != wirings[0]).any(0), UNKNOWN, wirings[0])
            states = torch.cat([wirings, unknown[None]])[values[:, 0]]
        else:
            states = wirings.repeat(len(values) if self.edge_slots else 1, 1, 1)
        if not self.edge_slots:
            return states
        i, j = torch.tensor(self.edge_slots, device=values.device).T
        states[:, i, j] = values[:, len(self) - len(self.edge_slots) :]
        return states


class ProductLayout(Layout):
    """For spaces of exactly `max_nodes` nodes: wirings times free choices of an operation on each inner node.

    Args:
        space: a space of one field whose inner nodes take any operation but "input" and "output".
        wirings: one graph for each possible wiring.
        forbidden: an operation that not all inner nodes may have at once, or None.
    """

    def __init__(self, space: SearchSpace, wirings: Sequence[ArchGraph], forbidden: str | None = None) -> None:
        adjacency = encode(space, wirings).adj
        inner = [code for code, name in enumerate(space.fields[0].choices) if name not in ("input", "output")]
        nodes = range(1, space.max_nodes - 1)
        first = int(len(adjacency) > 1)
        super().__init__(
            space,
            adjacency,
            [(node, 0) for node in nodes],
            [len(inner)] * len(nodes),
            restricted=range(first, first + len(nodes)) if forbidden is not None else (),
        )
        self._inner = torch.tensor(inner)
        self._ends = [space.fields[0].choices.index(name) for name in ("input", "output")]
        self._forbidden = None if forbidden is None else inner.index(space.fields[0].choices.index(forbidden))
        self._written: dict[tuple[int, ...], ArchGraph] = {}

    def read(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
        batch = encode(self.space, graphs)
        ops = torch.searchsorted(self._inner, batch.codes[:, 1:-1, 0].contiguous())
        if not self.wired:
            return ops
        same = (batch.adj[:, None] == self.wirings).flatten(2).all(2)
        return torch.cat([same.long().argmax(1, keepdim=True), ops], 1)

    def write(self, values: Int[Tensor, "b s"]) -> list[ArchGraph]:
        rows = list(map(tuple, values.tolist()))
        new = {row: at for at, row in enumerate(rows) if row not in self._written}
        if len(self._written) + len(new) > MEMORY:
            self._written, new = {}, {row: at for at, row in enumerate(rows)}
        self._written.update(zip(new, self._decode(values[list(new.values())]), strict=True))
        return [self._written[row] for row in rows]

    def _decode(self, values: Int[Tensor, "b s"]) -> list[ArchGraph]:
        b = len(values)
        ops = self._inner[values[:, int(self.wired) :]]
        ends = torch.tensor(self._ends).expand(b, 2)
        codes = torch.cat([ends[:, :1], ops, ends[:, 1:]], 1)[..., None]
        adj = self.wirings[values[:, 0]] if self.wired else self.wirings.expand(b, -1, -1)
        return decode(self.space, GraphBatch(codes, adj, torch.ones(b, self.nodes, dtype=torch.bool)))

    def tell(self, slot: int, value: int) -> str:
        if self.wired and slot == 0:
            return super().tell(slot, value)
        node, field = self.node_slots[slot - int(self.wired)]
        return f"node {node}: {self.space.fields[field].choices[int(self._inner[value])]}"

    def allowed(self, values: Int[Tensor, "b s"], slot: int) -> Bool[Tensor, "b k"]:
        allowed = super().allowed(values, slot)
        if slot in self.restricted and self._forbidden is not None:
            others = [other for other in self.restricted if other != slot]
            allowed[:, self._forbidden] = (values[:, others] != self._forbidden).any(1)
        return allowed


class ListedLayout(Layout):
    """For any space that can be listed: all varying fields of all nodes, and the choice among all its wirings.

    `allowed` compares with the whole list, which costs b times the size of the space; state a layout of your own for a
    space of more than some thousands. A node that is not there has one more value in its operation's slot, the last.
    """

    def __init__(self, space: SearchSpace) -> None:
        batch = encode(space, list(space.enumerate()))
        absent = torch.tensor([len(field.choices) for field in space.fields])
        codes = torch.where(batch.mask[..., None], batch.codes, absent)
        wirings, wiring = batch.adj.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
        places = (codes != codes[0]).any(0).nonzero().tolist()
        first = [wiring[:, None]] if len(wirings) > 1 else []
        self._rows = torch.cat([*first, *(codes[:, node, field, None] for node, field in places)], 1)
        self._fixed = codes[0]
        self._absent = absent
        super().__init__(
            space,
            wirings,
            [(node, field) for node, field in places],
            [int(absent[field]) + 1 for _, field in places],
            restricted=range(self._rows.shape[1]),
        )

    def read(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
        batch = encode(self.space, graphs)
        codes = torch.where(batch.mask[..., None], batch.codes, self._absent)
        same = (batch.adj[:, None] == self.wirings).flatten(2).all(2)
        wiring = [same.long().argmax(1, keepdim=True)] if self.wired else []
        return torch.cat([*wiring, *(codes[:, node, field, None] for node, field in self.node_slots)], 1)

    def write(self, values: Int[Tensor, "b s"]) -> list[ArchGraph]:
        codes = self._fixed.repeat(len(values), 1, 1)
        for slot, (node, field) in enumerate(self.node_slots, start=int(self.wired)):
            codes[:, node, field] = values[:, slot]
        absent = codes == self._absent
        if bool((absent != absent[..., :1]).any()):
            raise InvalidArchitecture(f"{self.space.name}: a node is absent in some of its fields and not in others")
        mask = ~absent[..., 0]
        adj = self.wirings[values[:, 0] if self.wired else torch.zeros(len(values), dtype=torch.int64)]
        return decode(self.space, GraphBatch(torch.where(mask[..., None], codes, 0), adj, mask))

    def allowed(self, values: Int[Tensor, "b s"], slot: int) -> Bool[Tensor, "b k"]:
        others = [other for other in range(len(self)) if other != slot]
        agree = torch.ones(len(values), len(self._rows), dtype=torch.bool)
        for other in others:
            known = values[:, other, None]
            agree &= (known == self._rows[:, other]) | (known == self.sizes[other])
        takes = torch.nn.functional.one_hot(self._rows[:, slot], self.sizes[slot]).bool()
        return torch.stack([(agree & column).any(1) for column in takes.T], 1)


def layout_of(space: SearchSpace) -> Layout:
    """The layout that `space` states, or a `ListedLayout`.

    Raises:
        InvalidArchitecture: the space states none and cannot be listed.
    """
    layout = space.layout()
    if layout is not None:
        return layout
    if not space.enumerable:
        raise InvalidArchitecture(
            f"space {space.name!r} cannot be listed and states no layout; implement SearchSpace.layout"
        )
    return ListedLayout(space)
