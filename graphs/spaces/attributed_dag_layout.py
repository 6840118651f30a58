"""DAGs of operations with attributes for a generator: slots for operations, for their attributes, and for edges.

Places and edges are those of `FreeDagLayout`; the number of nodes is given from the start. In a space of chains of
several lengths, the length is a slot of its own, the wiring, in the place of edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.layout import ABSENT, Layout
from graphs.space import MEMORY
from graphs.spaces.attributed_slots import OPERATION, agreement, node_slots, positions
from graphs.spaces.free_dag import FreeDag
from graphs.spaces.free_dag_layout import Draw, FreeDagLayout, ranks, turns

if TYPE_CHECKING:
    from graphs.spaces.attributed_dag import AttributedDag


class AttributedDagLayout(Layout):
    """Slots: the length of a chain, if there are several; the input's, each inner place's, the output's; the edges.

    An inner place has a slot for its operation, of which the last value says that there is no node, and one for each
    attribute, of which the last value says that the operation has none. A slot of one value is left out.
    """

    space: AttributedDag

    def __init__(self, space: AttributedDag) -> None:
        slots, n = node_slots(space), space.max_nodes
        self._skeleton = None if space.chain else FreeDagLayout(FreeDag(space.name, n, None, tuple(space.inner)))
        lengths = range(space.fewest, space.most + 1)
        wirings = torch.stack([_chain(count, n) for count in lengths]) if space.chain else torch.zeros(1, n, n).bool()
        edges = self._skeleton.edge_slots if self._skeleton else ()
        first = int(len(wirings) > 1)
        end = first + len(slots)
        at_node = [[at for at, slot in enumerate(slots, start=first) if slot.node == node] for node in range(n)]
        limited = len(space.inner) > 1 or space.fewest < space.most
        inner = [at for place in at_node[1:-1] for at in place]
        super().__init__(
            space,
            wirings,
            [(slot.node, slot.field) for slot in slots],
            [len(slot.options) for slot in slots],
            edges,
            restricted=[*range(first), *(inner if limited else ()), *range(end, end + len(edges))],
        )
        self._slots, self._first, self._end = slots, first, end
        self._at_node, self._places, self._inner = at_node, at_node[1:-1], set(inner)
        self._missing = len(space.inner)
        self._place_of = torch.tensor([-1] * first + [slot.node - 1 for slot in slots])
        named = [[at for at in place if slots[at - first].name == OPERATION] for place in self._places]
        self._operation = torch.tensor([at[0] if at else len(self) for at in named])
        means = agreement(space, slots)
        self._means = torch.nn.functional.pad(means, (0, 0, 0, 0, first, 0))  # by slot, value and operation
        self._leaves = torch.nn.functional.pad(self._means, (0, 0, 0, 1))
        self._leaves[torch.arange(end), self.hidden[:end]] = True  # what is hidden leaves any operation
        touched = [[float(node in pair) for node in range(1, n - 1)] for pair in edges]
        self._touched = torch.tensor(touched).view(len(edges), len(self._places))
        self._operation_of = lru_cache(MEMORY)(self._decode)

    def tell(self, slot: int, value: int) -> str:
        if not self._first <= slot < self._end:
            return super().tell(slot, value)
        found = self._slots[slot - self._first]
        option = found.options[value]
        if found.name == OPERATION:
            return f"node {found.node}: {'absent' if option is None else option}"
        return f"node {found.node}: {f'no {found.name}' if option is None else f'{found.name} {option}'}"

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """In chains of one length each place is a part, whose slots say together what it does."""
        if self._skeleton or self.wired:
            return super().parts
        ends = [(at,) for node in (0, -1) for at in self._at_node[node]]
        return (*ends, *(tuple(place) for place in self._places if place))

    @property
    def attributes(self) -> tuple[Float[Tensor, "k d"], ...]:
        """The positions of values among the choices of numeric attributes."""
        found = positions(self.space, self._slots)
        width = found[0].shape[1] if found else 0
        rest = [torch.zeros(size, width, dtype=torch.float64) for size in self.sizes]
        return (*rest[: self._first], *found, *rest[self._end :])

    @property
    def alike(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """The same field of all inner places."""
        fields: dict[int, list[int]] = {}
        for at in sorted(self._inner):
            fields.setdefault(self._slots[at - self._first].field, []).append(at)
        return (tuple(map(tuple, fields.values())),) if fields else ()

    def read(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
        rows = []
        for graph in graphs:
            self.space.check(graph)
            count = len(graph) - 2
            ops = [*graph.ops[:-1], *[None] * (self.nodes - len(graph)), graph.ops[-1]]
            found = [{} if op is None else {OPERATION: op.name, **dict(op.attrs)} for op in ops]
            row = [count - self.space.fewest][: self._first]
            rows.append(row + [slot.number[found[slot.node].get(slot.name)] for slot in self._slots])
        values = torch.tensor(rows, dtype=torch.int64).view(len(graphs), self._end)
        return values if self._skeleton is None else torch.cat([values, self._skeleton.read_edges(graphs)], 1)

    def write(self, values: Int[Tensor, "b s"]) -> list[ArchGraph]:
        self._require_valid(values)
        counts = (self._operations(values) != self._missing).sum(1).tolist()
        if self._skeleton is None:
            wires = [tuple(pairwise(range(count + 2))) for count in counts]
        else:
            wires = [graph.edges for graph in self._skeleton.write(self._bare(values))]
        graphs = []
        for row, count, edges in zip(values.tolist(), counts, wires, strict=True):
            nodes = [*range(count + 1), self.nodes - 1]
            ops = [self._operation_of(node, *[row[at] for at in self._at_node[node]]) for node in nodes]
            graphs.append(ArchGraph(tuple(ops), edges))
        return graphs

    def _decode(self, node: int, *values: int) -> Op:
        """The operation of a node by the values of its slots; what has no slot has one choice."""
        slots = [self._slots[at - self._first] for at in self._at_node[node]]
        known = {slot.name: slot.options[value] for slot, value in zip(slots, values, strict=True)}
        only = {0: "input", self.nodes - 1: "output"}.get(node, next(iter(self.space.inner)))
        name = str(known.get(OPERATION, only))
        attrs = {attr: known.get(attr, options[0]) for attr, options in self.space.choices[name].items()}
        return Op(name, **{attr: value for attr, value in attrs.items() if value is not None})

    def start(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "b s"]:
        """The length of a chain, the places without a node, and that there are no edges at them."""
        missing = self._operations(values) == self._missing
        start = super().start(values)
        start[:, : self._first] = values[:, : self._first]
        for place, slots in enumerate(self._places):
            start[:, slots] = torch.where(missing[:, place : place + 1], values[:, slots], self.hidden[slots])
        if self._skeleton:
            start[:, self._end :] = self._skeleton.start(self._bare(values))[:, len(self._places) :]
        return start

    def allowed(self, values: Int[Tensor, "b s"], slot: int) -> Bool[Tensor, "b k"]:
        if slot >= self._end and self._skeleton:
            return self._skeleton.allowed(self._bare(values), slot - self._end + len(self._places))
        if slot < self._first:
            there = (self._operations(values) != self._missing).sum(1, keepdim=True)
            return there == torch.arange(self.space.fewest, self.space.most + 1)
        if slot not in self._inner:
            return super().allowed(values, slot)
        values = values.clone()
        values[:, slot] = self.hidden[slot]
        left = self._left(values)[:, self._place_of[slot]]
        return (left[:, None] & self._means[slot, : self.sizes[slot]]).any(2)

    def fill(self, values: Int[Tensor, "b s"], rows: Int[Tensor, " p"], slots: Int[Tensor, " p"], draw: Draw) -> None:
        """As if slot after slot took what is `allowed`, but at once what is of different rows or places.

        Args:
            values: partly hidden rows, into which `draw` writes.
            rows: of each place.
            slots: of each place, ascending.
            draw: takes numbers of places and what is allowed there.
        """
        lengths, nodes = int((slots < self._first).sum()), int((slots < self._end).sum())
        if lengths:
            draw(torch.arange(lengths), self.allowed(values[rows[:lengths]], 0))
        left = self._left(values)
        row, slot = rows[lengths:nodes], slots[lengths:nodes]
        place = self._place_of[slot]
        for some in turns(ranks(row * len(self._places) + place)):
            own, at = left[row[some], place[some]], slot[some]
            drawn = draw(lengths + some, (own[:, None] & self._means[at]).any(2))
            left[row[some], place[some]] = own & self._leaves[at, drawn]
        if self._skeleton and nodes < len(slots):
            edges = slots[nodes:] - self._end + len(self._places)
            self._skeleton.fill(self._bare(values), rows[nodes:], edges, lambda some, free: draw(nodes + some, free))

    def valid(self, values: Int[Tensor, "b s"]) -> Bool[Tensor, " b"]:
        good = ((values >= 0) & (values < self.hidden)).all(1)
        known = torch.where(good[:, None], values, 0)
        good &= self._left(known).any(2).all(1)
        return good if self._skeleton is None else good & self._skeleton.valid(self._bare(known))

    def _left(self, values: Int[Tensor, "b s"]) -> Bool[Tensor, "b p o"]:
        """The operations of each inner place that agree with what is known; the last is no node."""
        if self._skeleton:
            there = (values[:, self._end :] != ABSENT).float() @ self._touched > 0
        else:
            count = values[:, :1] + self.space.fewest if self.wired else torch.tensor([[self.space.most]])
            there = (torch.arange(len(self._places)) < count).expand(len(values), -1)
        left = torch.cat([there[..., None].expand(-1, -1, self._missing), ~there[..., None]], 2)
        for place, slots in enumerate(self._places):
            left[:, place] &= self._leaves[torch.tensor(slots, dtype=torch.int64), values[:, slots]].all(1)
        return left

    def _operations(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "b p"]:
        """The operation of each inner place, as `FreeDagLayout` numbers it."""
        one = torch.nn.functional.pad(values, (0, 1))[:, self._operation]  # a place without a slot has operation 0
        hidden = torch.nn.functional.pad(self.hidden, (0, 1), value=-1)[self._operation]
        return torch.where(one == hidden, self._missing + 1, one)

    def _bare(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "b t"]:
        """The rows of `FreeDagLayout` for these."""
        return torch.cat([self._operations(values), values[:, self._end :]], 1)

    def _require_valid(self, values: Int[Tensor, "b s"]) -> None:
        invalid = (~self.valid(values)).nonzero()[:, 0].tolist()
        if invalid:
            told = zip(range(len(self)), values[invalid[0]].tolist(), strict=True)
            what = [self.tell(at, one) if 0 <= one < self.sizes[at] else f"slot {at} is {one}" for at, one in told]
            raise InvalidArchitecture(
                f"{self.space.name}: row {invalid[0]} is no architecture: {'; '.join(what)}; expected known values, at "
                f"least {self.space.fewest} inner nodes and no gap before one, the attributes that each operation has, "
                "and each node on a path from input to output"
            )


def _chain(count: int, nodes: int) -> Bool[Tensor, "n n"]:
    """The wiring of a chain of `count` inner nodes, the output at the last of all places."""
    places = [*range(count + 1), nodes - 1]
    wiring = torch.zeros(nodes, nodes, dtype=torch.bool)
    wiring[places[:-1], places[1:]] = True
    return wiring
