"""Layers against PyG's convolutions with the same weights, and against dense algebra."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import APPNP, ARMAConv, ChebConv, GATConv, GCN2Conv, GCNConv, GINConv, GraphConv, SAGEConv

from gnn_search.attention import AttentionLayer
from gnn_search.inputs import NetworkInput
from gnn_search.layers import Layer, layer_of, propagate, width_of
from gnn_search.task import GraphInput
from graphs.archgraph import Op
from graphs.spaces.gnn import LAYERS

NODES, FEATURES, WIDTH = 14, 5, 6


@dataclass(frozen=True)
class Example:
    """A graph whose last two nodes are isolated."""

    x: Tensor
    edge_index: Tensor
    edge_weight: Tensor | None

    @property
    def inputs(self) -> NetworkInput:
        return NetworkInput(GraphInput(self.x, self.edge_index, self.edge_weight))

    @property
    def adjacency(self) -> Tensor:
        """A dense row for each node that reads."""
        source, target = self.edge_index
        found = torch.zeros(NODES, NODES)
        found[target, source] = torch.ones(len(source)) if self.edge_weight is None else self.edge_weight
        return found


def example(directed: bool, weighted: bool) -> Example:
    torch.manual_seed(1)
    chosen = torch.rand(NODES, NODES) < 0.2
    chosen = (chosen if directed else chosen | chosen.t()) & ~torch.eye(NODES, dtype=torch.bool)
    chosen[-2:], chosen[:, -2:] = False, False
    weight = torch.rand(NODES, NODES) + 0.5
    weight = weight if directed else weight + weight.t()
    edge_index = chosen.nonzero().t().contiguous()
    return Example(torch.randn(NODES, FEATURES), edge_index, weight[chosen] if weighted else None)


@pytest.fixture(params=[(False, False), (True, False), (False, True), (True, True)])
def any_graph(request: pytest.FixtureRequest) -> Example:
    return example(*request.param)


@pytest.fixture(params=[False, True])
def unweighted(request: pytest.FixtureRequest) -> Example:
    return example(request.param, False)


@pytest.fixture(params=[False, True])
def undirected(request: pytest.FixtureRequest) -> Example:
    return example(False, request.param)


def layer(name: str, share: float = 0.0, **attrs: str | int | float) -> Layer:
    torch.manual_seed(0)
    return layer_of(Op(name, hidden=WIDTH, activation="relu", **attrs), share)


def attention(name: str, heads: int, aggregate: str = "sum", combine: str = "identity") -> AttentionLayer:
    torch.manual_seed(0)
    return AttentionLayer(WIDTH // heads, name, heads, aggregate, combine)


def test_gcn(any_graph: Example) -> None:
    conv = GCNConv(FEATURES, WIDTH, bias=False)
    expected = conv(any_graph.x, any_graph.edge_index, any_graph.edge_weight)
    z = any_graph.x @ conv.lin.weight.t()
    torch.testing.assert_close(attention("gcn", 2)(z, any_graph.inputs), expected)


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_gat_with_its_softmax(unweighted: Example, heads: int) -> None:
    conv, ours = GATConv(FEATURES, WIDTH // heads, heads=heads, bias=False), attention("gat", heads)
    with torch.no_grad():
        ours.vectors[0].copy_(conv.att_dst[0])
        ours.vectors[1].copy_(conv.att_src[0])
    expected = conv(unweighted.x, unweighted.edge_index)
    torch.testing.assert_close(ours(unweighted.x @ conv.lin.weight.t(), unweighted.inputs), expected)


def test_sage(unweighted: Example) -> None:
    conv = SAGEConv(FEATURES, WIDTH, bias=False)
    z = torch.cat([unweighted.x @ conv.lin_r.weight.t(), unweighted.x @ conv.lin_l.weight.t()], 1)
    torch.testing.assert_close(layer("sage")(z, unweighted.inputs), conv(unweighted.x, unweighted.edge_index))


def test_sage_means_by_weight() -> None:
    graph = example(True, True)
    own, other = torch.randn(NODES, 2 * WIDTH).chunk(2, 1)
    total = graph.adjacency.sum(1, keepdim=True)
    expected = own + graph.adjacency @ other / total.where(total > 0, 1.0)
    torch.testing.assert_close(layer("sage")(torch.cat([own, other], 1), graph.inputs), expected)


def test_gin(unweighted: Example) -> None:
    ours, first = layer("gin"), nn.Linear(FEATURES, WIDTH, bias=False)
    with torch.no_grad():
        ours.epsilon.fill_(0.3)
    conv = GINConv(nn.Sequential(first, nn.ReLU(), ours.second), eps=0.3)
    torch.testing.assert_close(ours(first(unweighted.x), unweighted.inputs), conv(unweighted.x, unweighted.edge_index))


def test_gin_sums_by_weight() -> None:
    graph, ours = example(True, True), layer("gin")
    z = torch.randn(NODES, WIDTH)
    torch.testing.assert_close(ours(z, graph.inputs), ours.second(torch.relu(z + graph.adjacency @ z)))


def test_cheb(undirected: Example) -> None:
    conv = ChebConv(FEATURES, WIDTH, K=2, bias=False)
    z = torch.cat([undirected.x @ one.weight.t() for one in conv.lins], 1)
    expected = conv(undirected.x, undirected.edge_index, undirected.edge_weight)
    torch.testing.assert_close(layer("cheb")(z, undirected.inputs), expected)


def test_arma(any_graph: Example) -> None:
    conv = ARMAConv(FEATURES, WIDTH, act=None, bias=False)
    z = torch.cat([any_graph.x @ conv.root_weight[0, 0], any_graph.x @ conv.init_weight[0]], 1)
    expected = conv(any_graph.x, any_graph.edge_index, any_graph.edge_weight)
    torch.testing.assert_close(layer("arma")(z, any_graph.inputs), expected)


def test_graph(any_graph: Example) -> None:
    conv = GraphConv(FEATURES, WIDTH, bias=False)
    z = torch.cat([any_graph.x @ conv.lin_root.weight.t(), any_graph.x @ conv.lin_rel.weight.t()], 1)
    expected = conv(any_graph.x, any_graph.edge_index, any_graph.edge_weight)
    torch.testing.assert_close(layer("graph")(z, any_graph.inputs), expected)


@pytest.mark.parametrize(("steps", "teleport"), [(2, 0.1), (8, 0.5)])
def test_appnp(any_graph: Example, steps: int, teleport: float) -> None:
    z = torch.randn(NODES, WIDTH)
    expected = APPNP(steps, teleport)(z, any_graph.edge_index, any_graph.edge_weight)
    ours = layer("appnp", steps=steps, teleport=teleport)
    torch.testing.assert_close(ours(z, any_graph.inputs), expected)
    torch.testing.assert_close(propagate(z, any_graph.inputs, steps, teleport), expected)


@pytest.mark.parametrize("steps", [1, 4])
def test_gcnii(any_graph: Example, steps: int) -> None:
    ours, z = layer("gcnii", steps=steps, teleport=0.2), torch.randn(NODES, WIDTH)
    expected = start = torch.relu(z)
    for place, one in enumerate(ours.maps, start=1):
        conv = GCN2Conv(WIDTH, alpha=0.2, theta=0.5, layer=place)
        with torch.no_grad():
            conv.weight1.copy_(one.weight.t())
        expected = conv(expected if place == 1 else expected.relu(), start, any_graph.edge_index, any_graph.edge_weight)
    torch.testing.assert_close(ours(z, any_graph.inputs), expected)


def test_gcnii_drops_in_training_alone() -> None:
    ours, z, inputs = (
        layer("gcnii", 0.5, steps=2, teleport=0.1),
        torch.randn(NODES, WIDTH),
        example(False, False).inputs,
    )
    assert not torch.equal(ours(z, inputs), ours(z, inputs))
    ours.eval()
    assert torch.equal(ours(z, inputs), ours(z, inputs))


def test_mixed_is_the_mean_of_powers(any_graph: Example) -> None:
    looped = any_graph.adjacency + torch.eye(NODES)
    root = looped.sum(1).rsqrt()
    step = root[:, None] * looped * root
    z = torch.randn(NODES, WIDTH)
    expected = torch.stack([torch.linalg.matrix_power(step, power) @ z for power in range(5)]).mean(0)
    torch.testing.assert_close(layer("mixed", steps=4)(z, any_graph.inputs), expected)


def test_fc_is_the_map_alone() -> None:
    z = torch.randn(NODES, WIDTH)
    assert layer("fc")(z, example(False, False).inputs) is z


@pytest.mark.parametrize("op", LAYERS)
def test_gradients_reach_all_that_goes_in_and_isolated_nodes_are_finite(op: str) -> None:
    attrs = {name: choices[1] for name, choices in LAYERS[op].items()}
    attrs["activation"] = "relu"
    built = layer_of(Op(op, **attrs), 0.0)
    z = torch.randn(NODES, built.streams * built.width, requires_grad=True)
    found = built(z, example(True, True).inputs)
    assert found.shape == (NODES, built.width) == (NODES, width_of(Op(op, **attrs)))
    assert found.isfinite().all()
    (found * torch.randn_like(found)).sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in (z, *built.parameters()))
