"""GnnModel: what description and layout of features must not change, and what each kind of task gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gnn_search import gnn
from gnn_search.gnn import GnnModel
from gnn_search.inputs import NetworkInput
from gnn_search.task import GraphInput
from graphs.archgraph import ArchGraph, Op
from graphs.canonical_dag import canonical_order
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.spaces.gnn import Gnn, auto_gnn

SPACE = Gnn()
NODES, FEATURES, CLASSES = 20, 9, 3


def graph_input(sparse: bool = False, graphs: int = 0) -> GraphInput:
    torch.manual_seed(3)
    x = torch.rand(NODES, FEATURES) * (torch.rand(NODES, FEATURES) < 0.4)
    chosen = (torch.rand(NODES, NODES) < 0.15) & ~torch.eye(NODES, dtype=torch.bool)
    if graphs:
        chosen &= torch.arange(NODES)[:, None] * graphs // NODES == torch.arange(NODES) * graphs // NODES
    edges = (chosen | chosen.t()).nonzero().t().contiguous()
    graph_of = torch.arange(NODES) * graphs // NODES if graphs else None
    return GraphInput(x.to_sparse_csr() if sparse else x, edges, None, graph_of)


def small(graph: ArchGraph) -> ArchGraph:
    """The same with narrow layers, which are quick."""
    narrow = {4: 3, 8: 4, 16: 5, 32: 6, 64: 7, 128: 8, 256: 9}
    ops = (
        Op(op.name, **{key: narrow[int(value)] if key == "hidden" else value for key, value in op.attrs})
        for op in graph.ops
    )
    return ArchGraph(tuple(ops), graph.edges)


def random_graph(seed: int) -> ArchGraph:
    return small(SPACE.sample(np.random.default_rng(seed)))


def chain(*inner: Op, jumping: str = "cat", recipe: dict[str, float] | None = None) -> ArchGraph:
    ends = Op("input", **(recipe or {})), Op("output", jumping=jumping, steps=0, teleport=0.0)
    return ArchGraph((ends[0], *inner, ends[1]), tuple((at, at + 1) for at in range(len(inner) + 1)))


FC = Op("fc", hidden=8, activation="relu")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_sparse_and_dense_features_give_equal_outputs(seed: int) -> None:
    torch.manual_seed(seed)
    model = GnnModel(random_graph(seed), FEATURES, CLASSES).eval()
    inputs = [NetworkInput(graph_input(sparse)) for sparse in (False, True)]
    found, other = model(inputs[0]), model(inputs[1])
    torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-5)
    assert found.shape == (NODES, CLASSES)
    found.square().sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in model.parameters() if one.numel())


def matched(model: GnnModel, other: GnnModel, order: list[int]) -> None:
    """Gives `other`, whose nodes are those of `model` in another order, the same weights."""
    place = {node: at for at, node in enumerate(order)}

    def copy_joint(source: torch.nn.Module, target: torch.nn.Module, reads: tuple[int, ...]) -> None:
        places = sorted(place[node] for node in reads)
        for node, weight in zip(reads, source.weights, strict=True):
            target.weights[places.index(place[node])].data.copy_(weight.data)
        target.bias.data.copy_(source.bias.data)

    for at in range(1, len(order) - 1):
        node = order[at]
        other.layers[at - 1].load_state_dict(model.layers[node - 1].state_dict())
        other.norms[at - 1].load_state_dict(model.norms[node - 1].state_dict())
        copy_joint(model.maps[node - 1], other.maps[at - 1], model.graph.predecessors[node])
    ends = model.graph.predecessors[-1]
    if model.ends is None or other.ends is None:
        assert model.ends is None
        assert other.ends is None
        return copy_joint(model.head, other.head, ends)
    other.head.load_state_dict(model.head.state_dict())
    places = sorted(place[node] for node in ends)
    for node, joint in zip(ends, model.ends, strict=True):
        other.ends[places.index(place[node])].load_state_dict(joint.state_dict())
    return None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_simplified_architecture_is_the_same_function(seed: int) -> None:
    graph = SPACE.sample(np.random.default_rng(seed))
    torch.manual_seed(seed)
    model, other = (GnnModel(small(one), FEATURES, CLASSES).eval() for one in (graph, SPACE.simplify(graph)))
    assert sum(one.numel() for one in model.parameters()) == sum(one.numel() for one in other.parameters())
    if len(set(graph.ops)) == len(graph.ops):  # twins may be matched in several ways
        matched(model, other, canonical_order(graph))
        inputs = NetworkInput(graph_input())
        torch.testing.assert_close(model(inputs), other(inputs), rtol=1e-4, atol=1e-4)


def test_the_order_of_nodes_does_not_change_jumping_knowledge() -> None:
    wide, narrow = Op("fc", hidden=32, activation="relu"), FC
    counts = []
    for inner in ((wide, narrow), (narrow, wide)):
        ops = (Op("input"), *inner, Op("output", jumping="max", steps=0, teleport=0.0))
        model = GnnModel(ArchGraph(ops, ((0, 1), (0, 2), (1, 3), (2, 3))), FEATURES, CLASSES)
        counts.append(sum(one.numel() for one in model.parameters()))
    assert counts[0] == counts[1]


def test_the_largest_of_one_is_itself() -> None:
    counts = [
        sum(map(Tensor.numel, GnnModel(chain(FC, jumping=one), FEATURES, CLASSES).parameters()))
        for one in ("cat", "max")
    ]
    assert counts[0] == counts[1] == FEATURES * 8 + 8 + 8 * CLASSES + CLASSES


@pytest.mark.parametrize("sparse", [False, True])
def test_dropping_nodes_commutes_with_the_first_map(sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = {"feature_dropout": 0.0, "dropout": 0.0, "drop_node": 0.5}
    graph = chain(Op("mixed", hidden=8, steps=2, activation="relu"), recipe=recipe)
    model, data = GnnModel(graph, FEATURES, CLASSES), graph_input(sparse)
    mask = 2.0 * (torch.rand(NODES, 1) < 0.5)
    monkeypatch.setattr(gnn, "drop_mask", lambda *_: mask)
    found = model(NetworkInput(data))
    dropped = GraphInput(data.x.to_dense() * mask, data.edge_index)
    torch.testing.assert_close(found, model.eval()(NetworkInput(dropped)))


@pytest.mark.parametrize("sparse", [False, True])
def test_pooled_logits_are_means_over_the_nodes_of_a_graph(sparse: bool) -> None:
    data = graph_input(sparse, graphs=4)
    model = GnnModel(chain(FC), FEATURES, CLASSES, pooled=True).eval()
    found = model(NetworkInput(data))
    model.pooled = False
    logits = model(NetworkInput(data))
    for number in range(4):
        torch.testing.assert_close(found[number], logits[data.graph_of == number].mean(0))


def test_all_of_auto_gnn_builds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        model = GnnModel(small(auto_gnn().sample(rng)), FEATURES, CLASSES)
        assert model(NetworkInput(graph_input())).isfinite().all()


def test_feature_weights_are_those_that_raw_features_meet() -> None:
    """Also where hidden features are as many as raw ones."""
    same = Op("fc", hidden=FEATURES, activation="relu")
    ops = (Op("input"), same, same, Op("output", jumping="max", steps=0, teleport=0.0))
    model = GnnModel(ArchGraph(ops, ((0, 1), (1, 2), (0, 3), (2, 3))), FEATURES, CLASSES)
    names = {id(one): name for name, one in model.named_parameters()}
    assert [names[id(one)] for one in model.feature_weights()] == ["maps.0.weights.0", "ends.0.weights.0"]


def test_what_cannot_be_built() -> None:
    with pytest.raises(InvalidArchitecture, match="'conv' is no layer of a GNN; expected one of attention"):
        GnnModel(chain(Op("conv")), FEATURES, CLASSES)
    with pytest.raises(InvalidOption, match="0 features and 3 outputs: expected at least 1"):
        GnnModel(chain(FC), 0, CLASSES)
