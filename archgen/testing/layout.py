"""LayoutContract: the half of `SpaceContract` that asks whether the space's layout tells a generator the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture
from graphs.layout import ABSENT, PRESENT, UNKNOWN, Layout, layout_of
from graphs.space import SearchSpace


class LayoutContract:
    """What the layout of every `SearchSpace` must hold, stated or listed; part of `SpaceContract`.

    Subclass it alone to check a layout that is not the one of its space, by overriding `layout`.
    """

    space: SearchSpace
    samples = 20  # graphs that each test looks at
    largest_law = 2_000  # descriptions up to which `allowed` is compared with the list of all rows

    def graphs(self, seed: int = 0) -> list[ArchGraph]:
        """`samples` graphs of the space."""
        rng = np.random.default_rng(seed)
        return [self.space.sample(rng) for _ in range(self.samples)]

    def layout(self) -> Layout:
        """The layout that is checked."""
        return layout_of(self.space)

    def test_layout_counts_its_slots_and_their_choices(self) -> None:
        layout = self.layout()
        assert len(layout) == len(layout.sizes) == layout.wired + len(layout.node_slots) + len(layout.edge_slots)
        assert layout.hidden.tolist() == list(layout.sizes), "the hidden value of a slot is its number of choices"
        assert layout.wirings.shape[1:] == (layout.nodes, layout.nodes)
        assert len(set(layout.node_slots)) == len(layout.node_slots), "two slots are the same field of a node"
        assert len(set(layout.edge_slots)) == len(layout.edge_slots), "two slots are the same edge"
        for node, field in layout.node_slots:
            assert 0 <= node < layout.nodes, f"there is no node {node}"
            assert field >= 0, f"there is no field {field}"
        for i, j in layout.edge_slots:
            assert 0 <= i < j < layout.nodes, f"the edge {i}->{j} is in no graph"
        for group in (layout.restricted, [slot for slots in layout.coupled for slot in slots]):
            assert set(group) <= set(range(len(layout))), f"expected slots, got {group}"
            assert len(set(group)) == len(group), f"a slot comes twice in {group}"
        parts = sorted(slot for part in layout.parts for slot in part)
        assert parts == list(range(len(layout))), f"expected every slot in one part, got {layout.parts}"

    def test_layout_reads_what_it_writes(self) -> None:
        layout, graphs = self.layout(), self.graphs()
        rows = layout.read(graphs)
        assert rows.shape == (len(graphs), len(layout))
        assert ((rows >= 0) & (rows < layout.hidden)).all(), "a row holds values that its slots do not have"
        assert layout.write(rows) == graphs
        assert layout.valid(rows).all(), "a row of a real graph is said not to be valid"

    def test_layout_refuses_foreign_graphs(self) -> None:
        with pytest.raises(InvalidArchitecture):
            self.layout().read([ArchGraph((), ())])

    def test_start_gives_true_values_and_is_its_own_start(self) -> None:
        layout = self.layout()
        rows = layout.read(self.graphs())
        start = layout.start(rows)
        assert ((start == rows) | (start == layout.hidden)).all(), "a start gives a value that its row does not have"
        assert torch.equal(layout.start(start), start)

    def test_allowed_values_lead_to_valid_graphs_in_any_order(self) -> None:
        layout, rng = self.layout(), torch.Generator().manual_seed(1)
        for seed in range(5):
            values = layout.start(layout.read(self.graphs(seed)))
            for slot in torch.randperm(len(layout), generator=rng).tolist():
                allowed = layout.allowed(values, slot)
                assert allowed.shape == (len(values), layout.sizes[slot])
                assert allowed.any(1).all(), f"nothing is left for slot {slot}"
                drawn = torch.multinomial(allowed.double(), 1, generator=rng)[:, 0]
                values[:, slot] = torch.where(values[:, slot] == layout.hidden[slot], drawn, values[:, slot])
            assert layout.valid(values).all(), "allowed values lead to a row that is said not to be valid"
            graphs = layout.write(values)
            for graph in graphs:
                self.space.check(graph)
            assert torch.equal(layout.read(graphs), values)

    def test_allowed_never_forbids_the_value_of_a_real_graph(self) -> None:
        layout = self.layout()
        rows, values = self.partly_hidden(layout)
        for slot in range(len(layout)):
            allowed = layout.allowed(values, slot)
            assert allowed.gather(1, rows[:, slot : slot + 1]).all(), f"slot {slot} may not be what it is"
            blank = values.clone()
            blank[:, slot] = layout.hidden[slot]
            assert torch.equal(layout.allowed(blank, slot), allowed), f"what slot {slot} holds changes what it may take"

    def test_allowed_is_what_some_graph_agrees_with(self) -> None:
        if not self.space.enumerable or (self.space.size or math.inf) > self.largest_law:
            pytest.skip("too large a space to list its rows")
        layout = self.layout()
        every = layout.read(list(self.space.enumerate()))
        _, values = self.partly_hidden(layout)
        same = (values[:, None] == every) | (values == layout.hidden)[:, None]
        for slot in range(len(layout)):
            agree = same[..., :slot].all(2) & same[..., slot + 1 :].all(2)
            takes = torch.nn.functional.one_hot(every[:, slot], layout.sizes[slot])
            expected = agree.double() @ takes.double() > 0
            may_ask = layout.start(values)[:, slot] == layout.hidden[slot]
            assert torch.equal(layout.allowed(values, slot)[may_ask], expected[may_ask]), f"slot {slot}"

    def test_valid_rows_are_those_that_can_be_written(self) -> None:
        """Random rows, and rows of graphs with a slot or two changed."""
        layout, rng = self.layout(), torch.Generator().manual_seed(3)
        rows = layout.read(self.graphs(4)).repeat(4, 1)
        noise = (torch.rand(rows.shape, generator=rng) * layout.hidden).long()
        share = torch.tensor([1.5 / len(layout)] * (len(rows) // 2) + [1.0] * (len(rows) - len(rows) // 2))
        rows = torch.where(torch.rand(rows.shape, generator=rng) < share[:, None], noise, rows)
        for row, valid in zip(rows.split(1), layout.valid(rows).tolist(), strict=True):  # type: ignore[no-untyped-call]
            try:
                graph = layout.write(row)[0]
            except InvalidArchitecture:
                assert not valid, f"{row.tolist()} is said to be valid and was refused"
                continue
            self.space.check(graph)
            assert valid, f"{row.tolist()} was written as {graph} and is said not to be valid"
            assert torch.equal(layout.read([graph]), row), f"{graph} is written from two rows"

    def test_slots_that_are_not_restricted_take_any_value(self) -> None:
        layout, rng = self.layout(), torch.Generator().manual_seed(5)
        rows, values = self.partly_hidden(layout)
        free = [slot for slot in range(len(layout)) if slot not in layout.restricted]
        for slot in free:
            assert layout.allowed(values, slot).all(), f"slot {slot} is not among the restricted ones and was limited"
        noise = (torch.rand(rows.shape, generator=rng) * layout.hidden).long()
        rows[:, free] = noise[:, free]
        layout.write(rows)

    def test_parts_do_not_limit_each_other(self) -> None:
        layout, rng = self.layout(), torch.Generator().manual_seed(6)
        rows = layout.read(self.graphs(6))
        mixed = rows.clone()
        for part in layout.parts:
            mixed[:, list(part)] = rows[torch.randperm(len(rows), generator=rng)][:, list(part)]
        layout.write(mixed)

    def test_edge_states_show_what_a_row_holds_and_no_more(self) -> None:
        """A layout's nodes and edges need not be the graph's; what is shown of a hidden row is the row's own."""
        layout = self.layout()
        rows, values = self.partly_hidden(layout)
        shape = (len(rows), layout.nodes, layout.nodes)
        states, shown = (layout.edge_states(some).expand(shape) for some in (rows, values))
        assert ((states >= ABSENT) & (states <= PRESENT)).all(), "a complete row has an edge that is not known"
        assert ((shown == states) | (shown == UNKNOWN)).all(), "an edge is shown that the row has not or that is hidden"
        for slot, (i, j) in enumerate(layout.edge_slots, start=len(layout) - len(layout.edge_slots)):
            assert torch.equal(shown[:, i, j], values[:, slot]), f"the edge {i}->{j} is not what slot {slot} holds"

    def partly_hidden(self, layout: Layout, seed: int = 2) -> tuple[Tensor, Tensor]:
        """Rows of graphs, [b s], and the same with any number of the slots hidden that a start does not give."""
        rng = torch.Generator().manual_seed(seed)
        rows = layout.read(self.graphs(seed)).repeat(4, 1)
        hide = torch.rand(rows.shape, generator=rng) < torch.rand(len(rows), 1, generator=rng)
        return rows, torch.where(hide & (layout.start(rows) == layout.hidden), layout.hidden, rows)
