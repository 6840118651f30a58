"""Statistics of graphs against direct computation."""

import math

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphs.errors import InvalidOption
from predictors.conditioned.graph_statistics import STATISTICS, graph_statistics, standardised


def small_graph() -> tuple[nx.Graph, Data]:
    """Twelve nodes of three classes; the edges come with loops, repetitions, and some in one direction only."""
    graph = nx.gnm_random_graph(12, 25, seed=3)
    rng = np.random.default_rng(0)
    edges = [*graph.edges, *[(v, u) for u, v in graph.edges][:15], (4, 4), *list(graph.edges)[:3]]
    x = torch.from_numpy(rng.integers(3, size=(12, 5))).float()
    y = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 5, 5, 5])
    return graph, Data(x=x, y=y, edge_index=torch.tensor(edges).T)


def test_they_are_those_of_the_graph() -> None:
    graph, data = small_graph()
    degree = np.array([graph.degree[node] for node in range(12)], dtype=float)
    y, x = data.y.tolist(), data.x.numpy()
    same = sum(y[u] == y[v] for u, v in graph.edges) / 25
    chance = sum((sum(degree[node] for node in range(12) if y[node] == k) / 50) ** 2 for k in (0, 1, 5))
    norms = np.sqrt((x**2).sum(1))
    expected = {
        "log_nodes": math.log(12),
        "log_edges": math.log(25),
        "log_degree": math.log(50 / 12),
        "log_density": math.log(nx.density(graph)),
        "degree_variation": degree.std() / degree.mean(),
        "degree_skewness": float(np.mean(((degree - degree.mean()) / degree.std()) ** 3)),
        "clustering": nx.average_clustering(graph),
        "homophily": same,
        "adjusted_homophily": (same - chance) / (1 - chance),
        "log_classes": math.log(3),
        "class_entropy": -(0.5 * math.log(0.5) + 0.5 * math.log(0.25)) / math.log(3),
        "log_features": math.log(5),
        "log_feature_density": math.log((x != 0).mean()),
        "log_feature_norm": math.log(norms.mean()),
        "feature_norm_variation": norms.std() / norms.mean(),
    }
    found = graph_statistics(data)
    assert tuple(found) == STATISTICS
    assert dict(found) == pytest.approx(expected, rel=1e-6)


def test_order_of_nodes_does_not_matter() -> None:
    _, data = small_graph()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    place = order.argsort()
    moved = Data(x=data.x[order], y=data.y[order], edge_index=place[data.edge_index])
    assert dict(graph_statistics(moved)) == pytest.approx(dict(graph_statistics(data)))


def test_what_is_not_known_is_the_mean_of_the_others() -> None:
    found = standardised(
        [{"log_nodes": 1.0, "homophily": 0.2}, {"log_nodes": 3.0, "homophily": 0.2}, {"homophily": 0.2}]
    )
    nodes = found.values[:, STATISTICS.index("log_nodes")]
    assert nodes.tolist() == pytest.approx([-math.sqrt(1.5), math.sqrt(1.5), 0.0])
    assert found.values[:, STATISTICS.index("homophily")].tolist() == pytest.approx([0.0, 0.0, 0.0])
    with pytest.raises(InvalidOption, match="statistics size; expected some of log_nodes"):
        standardised([{"size": 1.0}])


@pytest.mark.parametrize("missing", ["x", "y", "edge_index", "edges"])
def test_incomplete_graphs_are_told(missing: str) -> None:
    _, data = small_graph()
    if missing == "edges":
        data.edge_index = torch.tensor([[3], [3]])
    else:
        data[missing] = None
    with pytest.raises(InvalidOption, match="expected"):
        graph_statistics(data)
