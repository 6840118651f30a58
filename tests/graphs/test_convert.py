import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.convert import from_networkx, from_pyg, to_networkx, to_pyg
from graphs.errors import InvalidArchitecture
from graphs.spaces.nas_bench_graph import NasBenchGraph

SPACE = NasBenchGraph()


@given(data=st.data())
def test_networkx_round_trip(any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject) -> None:
    graph = data.draw(any_graph)
    assert from_networkx(to_networkx(graph)) == graph


@given(data=st.data(), seed=st.integers(0, 99))
def test_nodes_may_have_any_names_and_order(
    any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject, seed: int
) -> None:
    graph = to_networkx(data.draw(any_graph))
    order = np.random.default_rng(seed).permutation(len(graph)).tolist()
    shuffled = nx.DiGraph()
    shuffled.add_nodes_from((f"node {node}", graph.nodes[node]) for node in order)
    shuffled.add_edges_from((f"node {i}", f"node {j}") for i, j in graph.edges)
    result = to_networkx(from_networkx(shuffled))
    match = nx.algorithms.isomorphism.DiGraphMatcher(graph, result, node_match=lambda a, b: a == b)
    assert match.is_isomorphic()


def test_networkx_refusals() -> None:
    cyclic = nx.DiGraph([(0, 1), (1, 2), (2, 1)])
    nx.set_node_attributes(cyclic, "gat", "op")
    with pytest.raises(InvalidArchitecture, match="cycle 1 -> 2"):
        from_networkx(cyclic)
    with pytest.raises(InvalidArchitecture, match="node 'a' has op=None"):
        from_networkx(nx.DiGraph([("a", "b")]))
    with pytest.raises(InvalidArchitecture, match="DiGraph"):
        from_networkx(nx.MultiDiGraph([(0, 1)]))
    listed = nx.DiGraph()
    listed.add_node(0, op="gat", heads=[1, 2])
    with pytest.raises(InvalidArchitecture, match="heads"):
        from_networkx(listed)


def test_pyg_keeps_its_shape_in_a_batch() -> None:
    rng = np.random.default_rng(0)
    graphs = [SPACE.sample(rng) for _ in range(8)]
    data = [to_pyg(SPACE, graph) for graph in graphs]
    assert (data[0].x.shape, data[0].x.dtype, data[0].num_nodes) == ((6, 1), torch.int64, 6)
    assert {key for key in data[0].keys() if "index" in key} == {"edge_index"}  # noqa: SIM118 - Data iterates over pairs
    batch = Batch.from_data_list(data)
    assert [from_pyg(SPACE, one) for one in batch.to_data_list()] == graphs


def test_pyg_edges_may_come_in_any_order() -> None:
    graph = SPACE.parse("0112|gat|gcn|skip|fc")
    data = to_pyg(SPACE, graph)
    data.edge_index = data.edge_index.flip(1)
    assert from_pyg(SPACE, data) == graph


def _changed(**changes: object) -> Data:
    data = to_pyg(SPACE, SPACE.parse("0112|gat|gcn|skip|fc"))
    for key, value in changes.items():
        data[key] = value
    return data


@pytest.mark.parametrize(
    "changes",
    [
        {"x": None},
        {"edge_index": None},
        {"x": torch.zeros(6, 1)},
        {"x": torch.zeros(6, 2, dtype=torch.int64)},
        {"x": torch.full((6, 1), 99)},
        {"x": torch.full((6, 1), -1)},
        {"edge_index": torch.tensor([[0, 0], [1, 1]])},
        {"edge_index": torch.tensor([[0], [9]])},
        {"edge_index": torch.tensor([[3], [2]])},
        {"edge_index": torch.zeros(2, 0, dtype=torch.int64)},
        {"edge_index": torch.zeros(3, 4, dtype=torch.int64)},
        {"edge_index": torch.zeros(4, dtype=torch.int64)},
    ],
)
def test_pyg_refusals(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidArchitecture):
        from_pyg(SPACE, _changed(**changes))


def test_only_graphs_of_the_space_become_data() -> None:
    with pytest.raises(InvalidArchitecture):
        to_pyg(SPACE, ArchGraph((INPUT, Op("gat"), OUTPUT), ((0, 1), (1, 2))))
