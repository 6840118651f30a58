import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import ArchgenError, InvalidArchitecture


def test_op_ignores_the_order_of_attributes() -> None:
    one, other = Op("mbconv", kernel=5, expand=6), Op("mbconv", expand=6, kernel=5)
    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == "mbconv(expand=6,kernel=5)"
    assert eval(repr(one)) == one
    assert (one.get("kernel"), one.get("stride")) == (5, None)


def test_op_refuses_an_attribute_that_would_hide_its_name() -> None:
    with pytest.raises(InvalidArchitecture, match="rename"):
        Op("gat", op="gcn")


def test_graphs_are_values() -> None:
    one = ArchGraph((INPUT, Op("gat"), OUTPUT), ((1, 2), (0, 1)))
    other = ArchGraph((INPUT, Op("gat"), OUTPUT), ((0, 1), (1, 2)))
    assert one == other
    assert len({one, other}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.edges = ()  # type: ignore[misc]


@pytest.mark.parametrize("edge", [(1, 0), (1, 1), (0, 3), (-1, 1)])
def test_edges_run_forward_inside_the_graph(edge: tuple[int, int]) -> None:
    with pytest.raises(InvalidArchitecture, match="topological order"):
        ArchGraph((INPUT, Op("gat"), OUTPUT), (edge,))


def test_an_edge_stands_once() -> None:
    with pytest.raises(ArchgenError, match="twice"):
        ArchGraph((INPUT, OUTPUT), ((0, 1), (0, 1)))


@given(data=st.data())
def test_neighbour_lists_are_the_edges(any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject) -> None:
    graph = data.draw(any_graph)
    assert {(i, j) for j, read in enumerate(graph.predecessors) for i in read} == set(graph.edges)
    assert {(i, j) for i, readers in enumerate(graph.successors) for j in readers} == set(graph.edges)
    for nodes in (*graph.predecessors, *graph.successors):
        assert list(nodes) == sorted(nodes)
