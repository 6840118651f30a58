"""How many DAGs with free edges there are, and each of them by its number: exact, and so are draws.

Columns of the adjacency matrix are filled from the left: column j, the nodes that node j reads, is any set of the rows
0 to j - 1 that is not empty. A row is covered once a column has it; all must be at the end. Which rows are uncovered
does not matter to the number of ways on, only how many, so a state is (uncovered rows, edges so far). The weight of a
state is the number of ways to come to it, and going back from the end, a number below the total names one graph.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import comb

import numpy as np

State = tuple[int, int]
"""Uncovered rows, and edges so far; the second stays 0 where edges have no limit."""
Edges = list[tuple[int, int]]


@dataclass(frozen=True)
class Step:
    """A kind of column: it takes `fresh` of the uncovered rows, and `others` of the covered ones, None any of them."""

    before: State
    fresh: int
    others: int | None
    ways: int


@dataclass
class Arrivals:
    """The steps that lead to a state, and how many ways each ends."""

    steps: list[Step] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)

    @cached_property
    def ladder(self) -> list[int]:
        """The running sum of the weights."""
        return list(accumulate(self.weights))


class FreeDagCount:
    """The graphs of 2 to `max_nodes` nodes whose inner nodes have one of `operations` operations, numbered from 0.

    Args:
        max_nodes: at least 2.
        max_edges: None for no limit. Without it the tables take n^3 big numbers, with it n^3 e^2 steps.
        operations: how many an inner node may have.
    """

    def __init__(self, max_nodes: int, max_edges: int | None, operations: int) -> None:
        self._max_nodes = max_nodes
        self._max_edges = max_edges
        self._operations = operations

    @cached_property
    def by_nodes(self) -> tuple[int, ...]:
        """The number of graphs of 2, 3, ... nodes."""
        return tuple(sum(end.weights) * self._operations**inner for inner, (_, end) in enumerate(self._tables))

    @cached_property
    def _ladder(self) -> list[int]:
        return list(accumulate(self.by_nodes))

    @property
    def total(self) -> int:
        """The number of all graphs."""
        return self._ladder[-1]

    def draw(self, rng: np.random.Generator) -> int:
        """The number of a graph, uniformly."""
        bits = (self.total - 1).bit_length()
        while True:
            number = int.from_bytes(rng.bytes((bits + 7) // 8), "little") & ((1 << bits) - 1)
            if number < self.total:
                return number

    def graph(self, number: int) -> tuple[list[int], Edges]:
        """The operations of the inner nodes and the edges of graph `number`, 0 <= number < total; all are different."""
        inner = bisect_right(self._ladder, number)
        number -= self._ladder[inner - 1] if inner else 0
        ops = []
        for _ in range(inner):
            number, op = divmod(number, self._operations)
            ops.append(op)
        return ops, self._wire(inner, number)

    def _wire(self, inner: int, number: int) -> Edges:
        """Edges of `inner` + 2 nodes by their number."""
        arrivals, columns = self._tables[inner][1], []
        for level in range(inner, -1, -1):
            at = bisect_right(arrivals.ladder, number)
            number -= arrivals.ladder[at - 1] if at else 0
            step = arrivals.steps[at]
            number, way = divmod(number, step.ways)
            columns.append((step, way))
            arrivals = self._tables[level][0][step.before]
        uncovered, covered, edges = [0], list[int](), Edges()
        for column, (step, way) in enumerate(reversed(columns), start=1):
            if step.others is None:
                way, others = divmod(way, (1 << len(covered)) - (step.fresh == 0))
                old = _members(covered, others + (step.fresh == 0))
            else:
                way, others = divmod(way, comb(len(covered), step.others))
                old = _combination(covered, step.others, others)
            new = _combination(uncovered, step.fresh, way)
            edges += [(row, column) for row in (*old, *new)]
            uncovered = [row for row in uncovered if row not in new] + [column]
            covered += new
        return edges

    @cached_property
    def _tables(self) -> list[tuple[dict[State, Arrivals], Arrivals]]:
        """For each number of inner nodes: the states before the last column, and the ways to end with it."""
        states = {(1, 0): Arrivals([], [1])}
        tables = []
        for column in range(1, self._max_nodes):
            ends, after = Arrivals(), dict[State, Arrivals]()
            for before, arrivals in states.items():
                weight = sum(arrivals.weights)
                for state, step in self._steps(before, column):
                    targets = [after.setdefault(state, Arrivals())]
                    targets += [ends] if step.fresh == before[0] else []
                    for target in targets:
                        target.steps.append(step)
                        target.weights.append(weight * step.ways)
            tables.append((states, ends))
            states = after
        return tables

    def _steps(self, before: State, column: int) -> Iterator[tuple[State, Step]]:
        """The kinds of column that may follow `before`, which has `column` rows, and the state after each."""
        uncovered, used = before
        covered = column - uncovered
        for fresh in range(uncovered + 1):
            rows = comb(uncovered, fresh)
            if self._max_edges is None:
                if ways := rows * ((1 << covered) - (fresh == 0)):
                    yield (uncovered - fresh + 1, 0), Step(before, fresh, None, ways)
                continue
            for others in range(fresh == 0, min(covered, self._max_edges - used - fresh) + 1):
                state = (uncovered - fresh + 1, used + fresh + others)
                yield state, Step(before, fresh, others, rows * comb(covered, others))


def _members(rows: list[int], bits: int) -> list[int]:
    return [row for at, row in enumerate(rows) if bits >> at & 1]


def _combination(rows: list[int], size: int, number: int) -> list[int]:
    """The `number`-th of the subsets of `size` rows (the combinatorial number system)."""
    chosen = []
    for at in range(len(rows) - 1, -1, -1):
        if size and number >= (without := comb(at, size)):
            number -= without
            size -= 1
            chosen.append(rows[at])
    return chosen
