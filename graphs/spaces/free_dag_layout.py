"""DAGs with free edges for a generator: a slot for the operation of each inner place and one for each possible edge.

The number of nodes is given from the start. A graph of m nodes has its input at place 0, its inner nodes at places 1 to
m - 2 and its output at the last place of all; the places between are absent. An inner place that is hidden has a node.

Can a partly hidden graph still be completed? Each row (a node but the output) and each column (a node but the input)
without an edge needs an unknown one. An edge serves a row and a column at best, so it takes as many edges as there are
rows and columns in need, less a maximum matching among them by unknown edges (Gallai 1959).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from graphs.archgraph import INPUT, OUTPUT, ArchGraph
from graphs.errors import InvalidArchitecture
from graphs.layout import ABSENT, PRESENT, UNKNOWN, Layout
from graphs.spaces.free_dag_matching import matching_sizes

if TYPE_CHECKING:
    from graphs.spaces.free_dag import FreeDag


Draw = Callable[[Int[Tensor, " m"], Bool[Tensor, "m k"]], Int[Tensor, " m"]]
"""Draws some of the places of a list, each from its allowed values, and writes them into the rows."""
DrawEdges = Callable[[Int[Tensor, " m"], Bool[Tensor, " m"], Bool[Tensor, " m"]], Tensor]
"""As `Draw`, for edges that may be absent and may be present."""


class FreeDagLayout(Layout):
    """Slots: operations of places 1 to n - 2, of which the last value says that there is no node; then all edges."""

    space: FreeDag

    def __init__(self, space: FreeDag) -> None:
        n, inner = space.max_nodes, space.max_nodes - 2
        pairs = list(combinations(range(n), 2))
        slots = range(inner + len(pairs))
        super().__init__(
            space,
            torch.zeros(1, n, n, dtype=torch.bool),
            [(place, 0) for place in range(1, n - 1)],
            [len(space.operations) + 1] * inner,
            pairs,
            restricted=slots,
            coupled=() if space.max_edges is None else (slots[inner:],),
        )
        self._inner = inner
        self._missing = len(space.operations)
        self._number = {pair: number for number, pair in enumerate(pairs)}
        self._source, self._target = torch.tensor(pairs).T
        ends = [torch.nn.functional.one_hot(places, n) for places in (self._source, self._target)]
        self._ends = torch.cat(ends, 1).T.float()  # [2n, e]: which edges each row and each column has
        self._out = [inner + (self._source == place).nonzero()[:, 0] for place in range(n)]
        self._into = [inner + (self._target == place).nonzero()[:, 0] for place in range(n)]

    def read(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b s"]:
        values = torch.full((len(graphs), self._inner), self._missing)
        number = {op: at for at, op in enumerate(self.space.choices)}
        for row, graph in enumerate(graphs):
            self.space.check(graph)
            ops = [number[op] for op in graph.ops[1:-1]]
            values[row, : len(ops)] = torch.tensor(ops, dtype=torch.int64)
        return torch.cat([values, self.read_edges(graphs)], 1)

    def read_edges(self, graphs: Sequence[ArchGraph]) -> Int[Tensor, "b e"]:
        """The edges of graphs that are wired as those of the space are."""
        states = torch.full((len(graphs), len(self.edge_slots)), ABSENT)
        rows, numbers = list[int](), list[int]()
        for row, graph in enumerate(graphs):
            place = [*range(len(graph) - 1), self.nodes - 1]
            rows += [row] * len(graph.edges)
            numbers += [self._number[place[i], place[j]] for i, j in graph.edges]
        states[rows, numbers] = PRESENT
        return states

    def write(self, values: Int[Tensor, "b s"]) -> list[ArchGraph]:
        self._require_valid(values)
        row, edge = (values[:, self._inner :] == PRESENT).nonzero().T
        last = 1 + (values[:, : self._inner] != self._missing).sum(1)
        target = torch.where(self._target[edge] == self.nodes - 1, last[row], self._target[edge])
        edges = list(zip(self._source[edge].tolist(), target.tolist(), strict=True))
        counts = row.bincount(minlength=len(values)).tolist()
        graphs, at, choices = [], 0, self.space.choices
        for ops, end, count in zip(values[:, : self._inner].tolist(), last.tolist(), counts, strict=True):
            inner = [choices[op] for op in ops[: end - 1]]
            graphs.append(ArchGraph((INPUT, *inner, OUTPUT), tuple(edges[at : at + count])))
            at += count
        return graphs

    def start(self, values: Int[Tensor, "b s"]) -> Int[Tensor, "b s"]:
        """The places without a node, and that there are no edges at them."""
        there = self._there(values)
        known = ~torch.cat([there[:, 1:-1], there[:, self._source] & there[:, self._target]], 1)
        return torch.where(known, values, self.hidden)

    def allowed(self, values: Int[Tensor, "b s"], slot: int) -> Bool[Tensor, "b k"]:
        allowed = super().allowed(values, slot)
        if slot < self._inner:
            place = slot + 1
            free = (values[:, torch.cat([self._out[place], self._into[place]])] == ABSENT).all(1)
            return self._operations(free)
        number = slot - self._inner
        i, j = self.edge_slots[number]
        if self.space.max_edges is None:
            for line in (self._out[i], self._into[j]):  # another edge of it is there or unknown; ABSENT is 0
                allowed[:, ABSENT] &= values.index_select(1, line).sum(1) > values[:, slot]
        else:
            nodes, states = self._by_slot(values)
            for value in (ABSENT, PRESENT):
                states[number] = value
                allowed[:, value] = self._completable(nodes, states)
        for place in {i, j} & set(range(1, self.nodes - 1)):
            there = values[:, place - 1] != self._missing
            allowed[:, ABSENT] |= ~there
            allowed[:, PRESENT] &= there
        return allowed

    def fill(self, values: Int[Tensor, "b s"], rows: Int[Tensor, " p"], slots: Int[Tensor, " p"], draw: Draw) -> None:
        """As if place after place took what is `allowed`, but at once what does not depend on each other.

        Args:
            values: partly hidden rows, into which `draw` writes.
            rows: of each place.
            slots: of each place, ascending.
            draw: takes numbers of places and what is allowed there.
        """
        first = int((slots < self._inner).sum())
        lines = (values[:, self._inner :] != ABSENT).float() @ self._ends.T  # edges of each row and column
        row, place = rows[:first], slots[:first] + 1
        draw(torch.arange(first), self._operations(lines[row, place] + lines[row, self.nodes + place] == 0))
        nodes, states = self._by_slot(values)
        row, numbers = rows[first:], slots[first:] - self._inner
        both = nodes[self._source[numbers], row] & nodes[self._target[numbers], row]

        def draw_edges(some: Int[Tensor, " m"], absent: Bool[Tensor, " m"], present: Bool[Tensor, " m"]) -> Tensor:
            return draw(first + some, torch.stack([absent | ~both[some], present & both[some]], 1))

        if self.space.max_edges is None:
            self._fill_lines(lines, row, numbers, draw_edges)
        else:
            self._fill_counted(nodes, states, row, numbers, draw_edges)

    def _fill_lines(self, lines: Tensor, rows: Tensor, numbers: Tensor, draw: DrawEdges) -> None:
        """Edges without a limit of their number: row i and column j of i->j must each keep one.

        No two edges with equal i + j share a row or a column, and those before i->j in its row or column have less.
        """
        source, target = self._source[numbers], self._target[numbers]
        for some in turns(source + target):
            row, i, j = rows[some], source[some], self.nodes + target[some]
            spare = (lines[row, i] > 1) & (lines[row, j] > 1)
            gone = (draw(some, spare, torch.ones_like(spare)) == ABSENT).float()
            lines[row, i] -= gone
            lines[row, j] -= gone

    def _fill_counted(self, nodes: Tensor, states: Tensor, rows: Tensor, numbers: Tensor, draw: DrawEdges) -> None:
        """Edges of limited number, which all depend on each other: the first of each row, then the second, ..."""
        for some in turns(ranks(rows)):
            row, number, at = rows[some], numbers[some], torch.arange(len(some))
            here, own, allowed = nodes[:, row], states[:, row], []
            for value in (ABSENT, PRESENT):
                own[number, at] = value
                allowed.append(self._completable(here, own))
            states[number, row] = draw(some, *allowed).to(states.dtype)

    def valid(self, values: Int[Tensor, "b s"]) -> Bool[Tensor, " b"]:
        there, edges = self._there(values), values[:, self._inner :]
        good = ((values >= 0) & (values < self.hidden)).all(1)
        good &= (there[:, 1:-2] | ~there[:, 2:-1]).all(1)
        good &= ~((edges == PRESENT) & ~(there[:, self._source] & there[:, self._target])).any(1)
        return good & self._completable(*self._by_slot(values))

    def _operations(self, unwired: Bool[Tensor, " m"]) -> Bool[Tensor, "m k"]:
        """What a place can be: something where it may have an edge, else nothing."""
        return (torch.arange(self._missing + 1) == self._missing) == unwired[:, None]

    def _there(self, values: Int[Tensor, "b s"]) -> Bool[Tensor, "b n"]:
        """Which places have a node."""
        return torch.nn.functional.pad(values[:, : self._inner] != self._missing, (1, 1), value=True)

    def _by_slot(self, values: Int[Tensor, "b s"]) -> tuple[Bool[Tensor, "n b"], UInt8[Tensor, "e b"]]:
        """Which places have a node, and the states of edges, in the form in which they are counted fastest."""
        return self._there(values).T.contiguous(), values[:, self._inner :].to(torch.uint8).T.contiguous()

    def _completable(self, nodes: Bool[Tensor, "n b"], states: UInt8[Tensor, "e b"]) -> Bool[Tensor, " b"]:
        """Whether unknown edges can be chosen such that all rows and columns are covered, within the limit."""
        n, present, unknown = self.nodes, states == PRESENT, states == UNKNOWN
        need = torch.cat([nodes, nodes]) & (self._ends @ present.float() == 0)
        need[[n - 1, n]] = False  # the output's row and the input's column
        good = (~need | (self._ends @ unknown.float() > 0)).all(0)
        if self.space.max_edges is None:
            return good
        room = self.space.max_edges - present.sum(0)
        rows, columns = need[:n].sum(0), need[n:].sum(0)
        unsure = good & (torch.maximum(rows, columns) <= room) & (rows + columns > room)
        good &= rows + columns <= room
        which = unsure.nonzero()[:, 0]
        if len(which):
            useful = (unknown & need[self._source] & need[self._target + n])[:, which]
            matched = matching_sizes(useful, self._source, self._target - 1)
            good[which] = (rows + columns - room)[which] <= matched
        return good

    def _require_valid(self, values: Int[Tensor, "b s"]) -> None:
        invalid = (~self.valid(values)).nonzero()[:, 0].tolist()
        if invalid:
            row = values[invalid[0]].tolist()
            edges = [pair for pair, state in zip(self.edge_slots, row[self._inner :], strict=True) if state != ABSENT]
            raise InvalidArchitecture(
                f"{self.space.name}: row {invalid[0]} is no architecture: operations {row[: self._inner]} "
                f"({self._missing} for no node), edges {edges}; expected known values, no node after a place without "
                f"one, each node on a path from place 0 to {self.nodes - 1}, and at most {self.space.max_edges} edges"
            )


def turns(turn: Int[Tensor, " p"]) -> Iterator[Int[Tensor, " m"]]:
    """The places of each turn, turn after turn."""
    return (some for some in torch.split(turn.argsort(stable=True), turn.bincount().tolist()) if len(some))


def ranks(rows: Int[Tensor, " p"]) -> Int[Tensor, " p"]:
    """How many places before each have the same row."""
    order, counts = rows.argsort(stable=True), rows.bincount()
    firsts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    return torch.empty_like(rows).index_copy_(0, order, torch.arange(len(rows)) - firsts)
