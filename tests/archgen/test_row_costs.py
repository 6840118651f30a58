"""Costs of rows are those of the graphs, to the last bit, whichever way they are found."""

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archgen.properties import known_costs
from archgen.row_costs import AdditiveCost, GraphCost, row_cost, small_parts
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.layout import Layout, layout_of
from graphs.spaces.catalogue import get_space
from graphs.spaces.nas_bench_graph import OPERATIONS as LAYERS
from graphs.spaces.nasbench201 import OPERATIONS


def some(name: str, count: int = 300) -> tuple[Layout, list[ArchGraph]]:
    space, rng = get_space(name), np.random.default_rng(7)
    return layout_of(space), [space.sample(rng) for _ in range(count)]


@cache
def params() -> AdditiveCost:
    found = row_cost(layout_of(get_space("nasbench201")), known_costs(get_space("nasbench201"), None)["params"])
    assert isinstance(found, AdditiveCost)
    return found


@pytest.mark.parametrize("name", ["nasbench201", "ofa-mobilenetv3"])
@pytest.mark.parametrize("cost", ["params", "macs"])
def test_a_cost_that_adds_up_is_the_spaces_own(name: str, cost: str) -> None:
    layout, graphs = some(name)
    found = row_cost(layout, known_costs(layout.space, None)[cost])
    assert isinstance(found, AdditiveCost)
    assert found.exact
    rows = layout.read(graphs)
    assert found(rows).tolist() == [layout.space.costs(graph)[cost] for graph in graphs]
    whole = torch.cat([found.sums(rows), *found.tables])
    assert torch.equal(whole, whole.round())


def test_a_cost_that_adds_up_over_parts_but_not_over_their_slots() -> None:
    """The wiring is a part of nas-bench-graph, the four operations are another."""
    layout, graphs = some("nas-bench-graph")

    def cost(graph: ArchGraph) -> float:
        return len(graph.predecessors[-1]) / 1000 + len({op.name for op in graph.ops})

    found = row_cost(layout, cost)
    assert isinstance(found, AdditiveCost)
    assert (found.exact, found.unit) == (True, 1000)
    assert found(layout.read(graphs)).tolist() == [cost(graph) for graph in graphs]


def test_a_cost_that_is_no_whole_number_of_anything_is_still_the_graphs_own() -> None:
    layout, graphs = some("nasbench201")
    price = {name: math.sqrt(2 + number) for number, name in enumerate(OPERATIONS)}

    def cost(graph: ArchGraph) -> float:
        return math.fsum(price[op.name] for op in graph.ops[1:-1])

    found = row_cost(layout, cost)
    assert isinstance(found, AdditiveCost)
    assert not found.exact
    rows = layout.read(graphs)
    assert found(rows).tolist() == [cost(graph) for graph in graphs]
    assert torch.allclose(found.sums(rows), found(rows), rtol=1e-12)
    assert found.bound(Condition("cost", "<=", 1.25)) == 1.25


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("nasbench201", lambda graph: float(graph.ops[1] == graph.ops[6])),
        ("nasbench201", lambda graph: float(sum(op.name == "none" for op in graph.ops) ** 2)),
        ("nas-bench-graph", lambda graph: len(graph.predecessors[-1]) * LAYERS.index(graph.ops[1].name)),
        ("free-dag", lambda graph: len(graph.edges)),
        ("synthetic-dag-64", len),
    ],
)
def test_a_cost_that_does_not_add_up_is_asked_of_each_graph_once(name: str, cost) -> None:
    layout, graphs = some(name, 20)
    asked: Counter[ArchGraph] = Counter()

    def counted(graph: ArchGraph) -> float:
        asked[graph] += 1
        return float(cost(graph))

    found = row_cost(layout, counted)
    assert isinstance(found, GraphCost)
    asked.clear()
    assert found(layout.read(graphs * 3)).tolist() == [float(cost(graph)) for graph in graphs * 3]
    assert set(asked.values()) == {1}


@given(
    whole=st.integers(-10, 3_000_000),
    off=st.sampled_from([0.0, 0.25, 0.5, 1 - 1e-9, 1e-9]),
    operator=st.sampled_from(["<=", ">="]),
)
def test_a_bound_in_whole_numbers_is_the_last_that_keeps_it(whole: int, off: float, operator) -> None:
    condition = Condition("params", operator, (whole + off) / 1e6)
    bound, step = params().bound(condition), 1 if operator == "<=" else -1
    assert bound == round(bound)
    assert condition.holds(bound / 1e6)
    assert not condition.holds((bound + step) / 1e6)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e11])
def test_a_bound_far_away_stays_far_away(value: float) -> None:
    assert params().bound(Condition("params", "<=", value)) == pytest.approx(value * 1e6)


def test_parts_with_too_many_configurations_are_not_listed() -> None:
    assert small_parts(layout_of(get_space("free-dag"))) is None
    found = small_parts(layout_of(get_space("ofa-mobilenetv3")))
    assert found is not None
    assert [len(configurations) for _, configurations in found] == [7371] * 5
