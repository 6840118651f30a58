"""Layouts: the contract on one with an automaton of its own, broken ones that it finds, and counts that are known."""

import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pytest
import torch
from torch import Tensor

from archgen.testing import LayoutContract
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.batch import encode
from graphs.errors import InvalidArchitecture
from graphs.layout import ABSENT, PRESENT, UNKNOWN, Layout, ListedLayout, ProductLayout, layout_of
from graphs.space import Field, SearchSpace, log10_of
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

Edges = tuple[tuple[int, int], ...]
A, B, OUT, NONE = range(4)
"""What a node's slot may hold; `NONE` where there is no node."""
WIRES: Edges = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


class Toy(SearchSpace):
    """A space that is the list of its graphs."""

    summary = "a toy"

    @cached_property
    def listed(self) -> dict[ArchGraph, int]:
        return {graph: place for place, graph in enumerate(self.all())}

    def all(self) -> Iterator[ArchGraph]:
        raise NotImplementedError

    @property
    def size(self) -> int:
        return len(self.listed)

    @property
    def log10_size(self) -> float:
        return log10_of(self.size)

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if graph not in self.listed:
            raise InvalidArchitecture(f"{self.name}: {graph} is not listed")

    def enumerate(self) -> Iterator[ArchGraph]:
        return iter(self.listed)

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return list(self.listed)[int(rng.integers(self.size))]

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        return (other for other in self.listed if other != graph)

    def parse(self, text: str) -> ArchGraph:
        return list(self.listed)[int(text)]

    def format(self, graph: ArchGraph) -> str:
        return str(self.listed[graph])

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return graph


class Skips(Toy):
    """Three layers, not all of them skip, on two wirings, as in NAS-Bench-Graph."""

    name = "toy-skips"
    fields = (Field("op", ("input", "a", "skip", "b", "output")),)
    max_nodes = 5
    wirings: tuple[Edges, ...] = (((0, 1), (1, 2), (2, 3), (3, 4)), ((0, 1), (0, 2), (1, 3), (2, 4), (3, 4)))

    def all(self) -> Iterator[ArchGraph]:
        for edges, layers in itertools.product(self.wirings, itertools.product(("a", "skip", "b"), repeat=3)):
            if set(layers) != {"skip"}:
                yield ArchGraph((INPUT, *map(Op, layers), OUTPUT), edges)

    def layout(self) -> Layout:
        return ProductLayout(self, list(self.listed)[::26], forbidden="skip")


class Ladder(Toy):
    """One to three layers, each of which reads some of the nodes before it; the output reads what nobody reads."""

    name = "toy-ladder"
    fields = (Field("op", ("input", "a", "b", "output")),)
    max_nodes = 5

    def build(self, layers: Sequence[str], wires: Edges) -> ArchGraph:
        inner = range(1, len(layers) + 1)
        edges = {(0, 1), *wires}
        unread = [node for node in inner if node not in {source for source, _ in edges}]
        edges |= {(node, len(layers) + 1) for node in unread}
        return ArchGraph((INPUT, *map(Op, layers), OUTPUT), tuple(sorted(edges)))

    def all(self) -> Iterator[ArchGraph]:
        for depth in (1, 2, 3):
            into = [[(i, j) for i, j in WIRES if j == node] for node in range(2, depth + 1)]
            some = [[w for r in range(1, 4) for w in itertools.combinations(wires, r)] for wires in into]
            for layers, parts in itertools.product(itertools.product("ab", repeat=depth), itertools.product(*some)):
                yield self.build(layers, tuple(itertools.chain(*parts)))

    def layout(self) -> Layout:
        return LadderLayout(self)


class LadderLayout(Layout):
    """A slot for each of the nodes 1 to 4 and for each edge but input -> 1; the output's edges follow from the others.

    The number of nodes is given from the start.
    """

    def __init__(self, space: SearchSpace) -> None:
        wirings = torch.zeros(1, 5, 5, dtype=torch.bool)
        wirings[0, 0, 1] = True
        super().__init__(
            space, wirings, [(n, 0) for n in range(1, 5)], [4] * 4, WIRES, range(9), coupled=[(4, 5), (6, 7, 8)]
        )

    def read(self, graphs: Sequence[ArchGraph]) -> Tensor:
        batch = encode(self.space, graphs)
        nodes = torch.where(batch.mask, batch.codes[..., 0] - 1, NONE)
        inner = batch.adj & (nodes < OUT)[:, None]
        return torch.cat([nodes[:, 1:], torch.stack([inner[:, i, j] for i, j in WIRES], 1).long()], 1)

    def write(self, values: Tensor) -> list[ArchGraph]:
        return [self._graph(row[:4], row[4:]) for row in values.tolist()]

    def _graph(self, nodes: list[int], present: list[int]) -> ArchGraph:
        depth = nodes.index(OUT) if OUT in nodes else 0
        wires = tuple(wire for wire, there in zip(WIRES, present, strict=True) if there)
        if set(nodes[depth + 1 :]) - {NONE} or set(nodes[:depth]) - {A, B} or any(j > depth for _, j in wires):
            raise InvalidArchitecture("toy-ladder: the nodes of a graph come first")
        graph = self.space.build(["ab"[node] for node in nodes[:depth]], wires)
        self.space.check(graph)
        return graph

    def start(self, values: Tensor) -> Tensor:
        start = super().start(values)
        for target in range(2, 5):
            over = values[:, target - 1] >= OUT
            over &= values[:, target - 1] < self.hidden[target - 1]
            given = [target - 1, *(slot for slot, (_, j) in enumerate(WIRES, start=4) if j == target)]
            start[:, given] = torch.where(over[:, None], values[:, given], start[:, given])
        return start

    def allowed(self, values: Tensor, slot: int) -> Tensor:
        allowed, filled = torch.zeros(len(values), self.sizes[slot], dtype=torch.bool), values.clone()
        for value in range(self.sizes[slot]):
            filled[:, slot] = value
            allowed[:, value] = torch.stack([self._may_end(filled, place) for place in (2, 3, 4)]).any(0)
        return allowed

    def _may_end(self, values: Tensor, place: int) -> Tensor:
        """Whether a graph whose output is node `place` agrees with the known slots."""
        good = torch.ones(len(values), dtype=torch.bool)
        for node in range(1, 5):
            held = values[:, node - 1]
            fits = held < OUT if node < place else held == (OUT if node == place else NONE)
            good &= fits | (held == self.hidden[node - 1])
        for target, slots in {2: slice(4, 6), 3: slice(6, 9)}.items():
            into = values[:, slots]
            good &= (into != ABSENT).any(1) if target < place else (into != PRESENT).all(1)
        return good


class TestLadder(LayoutContract):
    space = Ladder()


class TestListedLadder(LayoutContract):
    """The same space without the knowledge of its rule: all 49 wirings are one slot."""

    space = Ladder()

    def layout(self) -> Layout:
        return ListedLayout(self.space)


class TestSkips(LayoutContract):
    space = Skips()


class TestListedSkips(LayoutContract):
    space = Skips()

    def layout(self) -> Layout:
        return ListedLayout(self.space)


class Forbidding(LadderLayout):
    def allowed(self, values: Tensor, slot: int) -> Tensor:
        allowed = super().allowed(values, slot)
        allowed[:, 1] &= ~allowed[:, 0]  # no second value where the first will do
        return allowed


class Permitting(LadderLayout):
    def allowed(self, values: Tensor, slot: int) -> Tensor:
        return Layout.allowed(self, values, slot)


class Hasty(LadderLayout):
    """A node may still be read by none."""

    def allowed(self, values: Tensor, slot: int) -> Tensor:
        return super().allowed(values, slot) if slot < 4 else Layout.allowed(self, values, slot)


class SelfReading(LadderLayout):
    def allowed(self, values: Tensor, slot: int) -> Tensor:
        allowed = super().allowed(values, slot)
        allowed[values[:, slot] == 0, 1:] = False
        return allowed


class Inventing(LadderLayout):
    def start(self, values: Tensor) -> Tensor:
        start = super().start(values)
        start[:, 0] = A
        return start


class Telling(LadderLayout):
    """What is hidden in a start is told in its start."""

    def start(self, values: Tensor) -> Tensor:
        return torch.where((values == self.hidden).any(1, keepdim=True), values * 0, super().start(values))


class Lenient(LadderLayout):
    def write(self, values: Tensor) -> list[ArchGraph]:
        return super().write(
            torch.where(self.valid(values)[:, None], values, self.read([next(self.space.enumerate())]))
        )


class Unrestricted(LadderLayout):
    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.restricted = self.restricted[1:]


class Overlapping(LadderLayout):
    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.coupled = ((4, 5), (5, 6))


class Miscounting(LadderLayout):
    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.hidden = self.hidden - 1


class Torn(LadderLayout):
    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        return tuple((slot,) for slot in range(9))


class Displaced(LadderLayout):
    def read(self, graphs: Sequence[ArchGraph]) -> Tensor:
        return super().read(graphs)[:, [0, 1, 2, 3, 5, 4, 6, 7, 8]]


class Peeping(LadderLayout):
    def edge_states(self, values: Tensor) -> Tensor:
        return super().edge_states(values).clamp(max=PRESENT)


class Trusting(LadderLayout):
    def read(self, graphs: Sequence[ArchGraph]) -> Tensor:
        return super().read([graph if len(graph) else next(self.space.enumerate()) for graph in graphs])


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Forbidding, "test_allowed_never_forbids_the_value_of_a_real_graph"),
        (Forbidding, "test_allowed_is_what_some_graph_agrees_with"),
        (Permitting, "test_allowed_values_lead_to_valid_graphs_in_any_order"),
        (Permitting, "test_allowed_is_what_some_graph_agrees_with"),
        (Permitting, "test_valid_rows_are_those_that_can_be_written"),
        (Hasty, "test_allowed_values_lead_to_valid_graphs_in_any_order"),
        (Hasty, "test_allowed_is_what_some_graph_agrees_with"),
        (SelfReading, "test_allowed_never_forbids_the_value_of_a_real_graph"),
        (Inventing, "test_start_gives_true_values_and_is_its_own_start"),
        (Telling, "test_start_gives_true_values_and_is_its_own_start"),
        (Lenient, "test_valid_rows_are_those_that_can_be_written"),
        (Unrestricted, "test_slots_that_are_not_restricted_take_any_value"),
        (Overlapping, "test_layout_counts_its_slots_and_their_choices"),
        (Miscounting, "test_layout_counts_its_slots_and_their_choices"),
        (Torn, "test_parts_do_not_limit_each_other"),
        (Displaced, "test_layout_reads_what_it_writes"),
        (Peeping, "test_edge_states_show_what_a_row_holds_and_no_more"),
        (Trusting, "test_layout_refuses_foreign_graphs"),
    ],
)
def test_a_breach_is_found(broken: type[LadderLayout], test: str) -> None:
    class Contract(LayoutContract):
        space = Ladder()

        def layout(self) -> Layout:
            return broken(self.space)

    with pytest.raises((AssertionError, InvalidArchitecture, pytest.fail.Exception)):
        getattr(Contract(), test)()


@pytest.mark.parametrize(
    ("space", "count"),
    [(Skips(), 2 * 26), (Ladder(), 2 + 4 * 3 + 8 * 3 * 7), (NasBenchGraph(), 9 * (9**4 - 1)), (NasBench201(), 5**6)],
    ids=lambda space: getattr(space, "name", ""),
)
def test_as_many_rows_are_valid_as_there_are_descriptions(space: SearchSpace, count: int) -> None:
    layout = layout_of(space)
    every = torch.cartesian_prod(*map(torch.arange, layout.sizes))
    assert int(layout.valid(every).sum()) == space.size == count


def test_three_skips_forbid_a_fourth_and_nothing_else() -> None:
    space = NasBenchGraph()
    layout = layout_of(space)
    for layer in range(1, 5):
        values = layout.read([space.parse("0012|skip|skip|skip|gcn")])
        values[:, 1:] = layout._forbidden
        values[:, layer] = layout.hidden[layer]
        allowed = layout.allowed(values, layer)[0]
        assert allowed.sum() == 8
        other = 1 if layer > 1 else 2
        values[:, other] = layout.hidden[other]
        assert layout.allowed(values, layer).all(), "while one more layer is open, this one may be skip"


def test_rows_that_half_name_an_absent_node_are_refused() -> None:
    """A listed layout says of every field of a node that there is none; a row cannot say so of one field only."""

    class Pair(Ladder):
        fields = (*Ladder.fields, Field("bits", (None, 2)))

        def all(self) -> Iterator[ArchGraph]:
            yield ArchGraph((INPUT, Op("b"), Op("a", bits=2), OUTPUT), ((0, 1), (1, 2), (2, 3)))
            yield ArchGraph((INPUT, Op("b"), OUTPUT), ((0, 1), (1, 2)))

    space = Pair()
    layout = ListedLayout(space)
    rows = layout.read(list(space.listed))
    assert layout.write(rows) == list(space.listed)
    at = layout.node_slots.index((3, 1)) + layout.wired
    for row, value in ((1, 0), (0, 2)):
        wrong = rows[row : row + 1].clone()
        wrong[0, at] = value
        assert not layout.valid(wrong).any()
        with pytest.raises(InvalidArchitecture, match="absent in some of its fields"):
            layout.write(wrong)


def test_edge_states_of_a_row_with_wirings_and_edges_of_its_own() -> None:
    wirings = torch.zeros(2, 5, 5, dtype=torch.bool)
    wirings[:, 0, 1] = True
    wirings[1, 1, 4] = True

    class Both(LadderLayout):
        def __init__(self, space: SearchSpace) -> None:
            Layout.__init__(self, space, wirings, [(1, 0)], [2], [(0, 2), (2, 3)])

    layout = Both(Ladder())
    assert layout.sizes == (2, 2, 2, 2)
    states = layout.edge_states(torch.tensor([[0, 2, 1, 2], [1, 2, 0, 1], [2, 2, 2, 0]]))
    known = wirings[0].long()
    for found, wire, first, second in zip(
        states, (ABSENT, PRESENT, UNKNOWN), (1, 0, UNKNOWN), (UNKNOWN, 1, 0), strict=True
    ):
        expected = known.clone()
        expected[1, 4], expected[0, 2], expected[2, 3] = wire, first, second
        assert torch.equal(found, expected)


def test_a_space_that_states_no_layout_is_listed_if_it_can_be() -> None:
    class Silent(Ladder):
        layout = SearchSpace.layout

    class Endless(Silent):
        enumerate = SearchSpace.enumerate

    assert isinstance(layout_of(Silent()), ListedLayout)
    assert isinstance(layout_of(Ladder()), LadderLayout)
    with pytest.raises(InvalidArchitecture, match=r"implement SearchSpace\.layout"):
        layout_of(Endless())
