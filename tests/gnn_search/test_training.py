"""train: every kind of task, the same result for the same seed, chosen by validation alone, and divergence told."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnn_search import training
from gnn_search.gnn import GnnModel
from gnn_search.inputs import NetworkInput
from gnn_search.scores import area_under_curve
from gnn_search.task import GnnTask, GraphInput, Split
from gnn_search.training import PreparedTask, Protocol, evaluate, train, training_loss
from graphs.archgraph import ArchGraph, Op
from graphs.errors import EvaluationError
from graphs.spaces.gnn import Gnn, Recipe, embed, recipe_of
from graphs.spaces.nas_bench_graph import NasBenchGraph

NODES, FEATURES, CLASSES = 60, 12, 3
KINDS = ("node", "sparse", "graph", "link", "inductive")


def blocks(nodes: int, seed: int, sparse: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Features, edges and labels of a graph with three kinds of nodes."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(nodes) % CLASSES
    x = torch.rand(nodes, FEATURES, generator=rng) + 2.0 * nn.functional.one_hot(labels, FEATURES)
    x = x * (torch.rand(nodes, FEATURES, generator=rng) < 0.6)
    alike = labels[:, None] == labels
    chosen = torch.rand(nodes, nodes, generator=rng) < torch.where(alike, 0.2, 0.03)
    chosen = torch.triu(chosen, 1)
    return (x.to_sparse_csr() if sparse else x), (chosen | chosen.t()).nonzero().t().contiguous(), labels


def make_task(kind: str) -> GnnTask:
    x, edges, labels = blocks(NODES, 0, kind == "sparse")
    whole = GraphInput(x, edges)
    parts = torch.arange(NODES).split([30, 15, 15])
    if kind == "graph":
        graph_of = torch.arange(NODES) // 5
        inside = graph_of[edges[0]] == graph_of[edges[1]]
        splits = []
        for seed in range(3):
            x, _, _ = blocks(NODES, seed)
            y = torch.arange(NODES // 5) % CLASSES
            x = x + 2.0 * nn.functional.one_hot(y[graph_of], FEATURES)
            splits.append(Split(GraphInput(x, edges[:, inside], None, graph_of), torch.arange(NODES // 5), y))
        return GnnTask("toy", "graph", CLASSES, *splits)
    if kind == "link":
        ones, zeros = edges.t()[:60], torch.randint(NODES, (60, 2), generator=torch.Generator().manual_seed(0))
        splits = []
        for at in range(3):
            pairs = torch.cat([ones[at::3], zeros[at::3]])
            splits.append(Split(whole, pairs, torch.cat([torch.ones(20).long(), torch.zeros(20).long()])))
        return GnnTask("toy", "link", 2, *splits)
    learned, chosen, reported = (Split(whole, items, labels[items]) for items in parts)
    if kind == "inductive":
        x, edges, labels = blocks(30, 1)
        learned = Split(GraphInput(x, edges), torch.arange(30), labels)
    return GnnTask("toy", "node", CLASSES, learned, chosen, reported)


def maker(graph: ArchGraph, task: GnnTask) -> Callable[[], nn.Module]:
    return lambda: GnnModel(graph, FEATURES, task.outputs, task.kind == "graph")


def chain(*inner: Op, **recipe: float | str) -> ArchGraph:
    ops = (Op("input", **recipe), *inner, Op("output", jumping="cat", steps=0, teleport=0.0))
    return ArchGraph(ops, tuple((at, at + 1) for at in range(len(ops) - 1)))


GCN = chain(
    Op("attention", hidden=16, attention="gcn", heads=1, aggregate="sum", combine="identity", activation="relu")
)


def trained(graph: ArchGraph, task: GnnTask, seed: int = 0, epochs: int = 2, **rest: int) -> training.Trained:
    return train(maker(graph, task), PreparedTask(task), recipe_of(graph), seed, Protocol(epochs, **rest))


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(kind: str) -> None:
    task = make_task(kind)
    found = trained(GCN, task, epochs=60)
    assert found.valid > (60 if kind == "link" else 70)
    assert found.test > (55 if kind == "link" else 65)
    assert 1 <= found.epoch <= found.epochs <= 60
    again = evaluate(found.model, PreparedTask(task), task.valid)
    assert again == (found.valid, pytest.approx(found.loss))


@pytest.mark.parametrize("kind", KINDS)
def test_random_architectures_train(kind: str) -> None:
    """Twenty for each kind of task, layers narrow to be quick."""
    space, rng, task = Gnn(), np.random.default_rng(KINDS.index(kind)), make_task(kind)
    for _ in range(20):
        graph = space.sample(rng)
        ops = (Op(op.name, **{**dict(op.attrs), **({"hidden": 8} if op.get("hidden") else {})}) for op in graph.ops)
        found = trained(ArchGraph(tuple(ops), graph.edges), task)
        assert found.epochs == 2
        assert 0 <= found.valid <= 100
        assert 0 <= found.test <= 100


def test_embedded_benchmark_architectures_train() -> None:
    rng, task = np.random.default_rng(0), make_task("node")
    for _ in range(20):
        graph = embed(NasBenchGraph().sample(rng), hidden=8)
        assert trained(graph, task).epochs == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_result(kind: str) -> None:
    task = make_task(kind)
    graph = chain(Op("mixed", hidden=8, steps=2, activation="relu"), drop_node=0.5, consistency=1.0, norm="batch")
    first, second, other = (trained(graph, task, seed, epochs=5) for seed in (4, 4, 5))
    assert (first.valid, first.test, first.loss, first.epoch) == (second.valid, second.test, second.loss, second.epoch)
    states = [one.model.state_dict() for one in (first, second)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert other.loss != first.loss


@pytest.mark.parametrize("kind", KINDS)
def test_test_labels_are_read_once_and_at_the_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(kind)
    poisoned = dataclasses.replace(task, test=dataclasses.replace(task.test, labels=1 - task.test.labels.clamp(max=1)))
    first, second = (trained(GCN, one, epochs=30, patience=10) for one in (task, poisoned))
    assert (first.epoch, first.epochs, first.valid, first.loss) == (
        second.epoch,
        second.epochs,
        second.valid,
        second.loss,
    )
    assert first.test != second.test
    seen: list[Split] = []

    def spy(model: nn.Module, prepared: PreparedTask, split: Split) -> tuple[float, float]:
        seen.append(split)
        return evaluate(model, prepared, split)

    monkeypatch.setattr(training, "evaluate", spy)
    trained(GCN, task, epochs=4)
    assert [one is task.test for one in seen] == [False] * 4 + [True]


def test_the_weights_are_those_of_the_best_epoch() -> None:
    """As training that ends there."""
    task = make_task("node")
    whole = trained(chain(Op("fc", hidden=8, activation="relu"), norm="batch"), task, epochs=40, patience=40)
    short = trained(chain(Op("fc", hidden=8, activation="relu"), norm="batch"), task, epochs=whole.epoch)
    states = whole.model.state_dict(), short.model.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert (whole.valid, whole.test) == (short.valid, short.test)


def test_patience_and_seconds_end_it() -> None:
    task = make_task("node")
    found = trained(GCN, task, epochs=200, patience=3)
    assert found.epochs == found.epoch + 3 < 200
    brief = train(maker(GCN, task), PreparedTask(task), recipe_of(GCN), 0, Protocol(10_000, 10_000, seconds=0.2))
    assert 1 <= brief.epochs < 10_000


def test_divergence_is_an_evaluation_error() -> None:
    task = make_task("node")
    with pytest.raises(EvaluationError, match=r"training diverged: the loss of epoch 1 is .*; lower the learning rate"):
        train(maker(GCN, task), PreparedTask(task), Recipe(learning_rate=float("inf")), 0, Protocol(1))
    model = maker(GCN, task)()
    nn.init.constant_(model.head.bias, float("nan"))
    with pytest.raises(EvaluationError, match="the loss of epoch 1 is nan"):
        train(lambda: model, PreparedTask(task), Recipe(), 0, Protocol(3))


def test_consistency_asks_for_two_passes_and_adds_their_distance() -> None:
    task = make_task("node")
    prepared, outputs = PreparedTask(task), torch.randn(2, NODES, CLASSES)
    passes = iter([*outputs, *outputs])

    class Fixed(nn.Module):
        def forward(self, _: NetworkInput) -> Tensor:
            return next(passes)

    found = training_loss(Fixed(), prepared, Recipe(consistency=0.5))
    chances = outputs.softmax(2)
    sharp = chances.mean(0) ** 2 / (chances.mean(0) ** 2).sum(1, keepdim=True)
    labelled = [nn.functional.cross_entropy(one[task.train.items], task.train.labels) for one in outputs]
    expected = sum(labelled) / 2 + 0.5 * sum(((one - sharp) ** 2).sum(1).mean() for one in chances) / 2
    torch.testing.assert_close(found, expected)
    assert len(list(passes)) == 2
    passes = iter(outputs)
    still = Recipe(consistency=0.5, feature_dropout=0.0, dropout=0.0)
    torch.testing.assert_close(training_loss(Fixed(), prepared, still), labelled[0])


def test_decay_acts_on_what_reads_raw_features_alone() -> None:
    task = make_task("node")
    graph = chain(Op("fc", hidden=FEATURES, activation="relu"), Op("fc", hidden=FEATURES, activation="relu"))
    model = maker(graph, task)()
    optimizer = training._optimizer(model, PreparedTask(task), Recipe(weight_decay=0.5))
    decayed = [one for group in optimizer.param_groups if group["weight_decay"] for one in group["params"]]
    assert [one is model.maps[0].weights[0] for one in decayed] == [True]
    plain = nn.Sequential(nn.Linear(FEATURES, 4), nn.Linear(4, CLASSES))
    optimizer = training._optimizer(plain, PreparedTask(task), Recipe(weight_decay=0.5))
    decayed = [one for group in optimizer.param_groups if group["weight_decay"] for one in group["params"]]
    assert [one is plain[0].weight for one in decayed] == [True]


def test_area_under_the_curve() -> None:
    from torchmetrics.functional.classification import binary_auroc

    torch.manual_seed(0)
    for _ in range(20):
        scores, labels = torch.randint(10, (50,)).float(), torch.randint(2, (50,))
        expected = float(binary_auroc(scores.sigmoid().double(), labels))
        assert area_under_curve(scores, labels) == pytest.approx(expected)
    assert area_under_curve(torch.tensor([1.0, 2.0]), torch.tensor([0, 1])) == 1.0


def test_a_model_that_was_trained_can_be_copied() -> None:
    found = trained(GCN, make_task("sparse"))
    copied = copy.deepcopy(found.model)
    inputs = NetworkInput(make_task("sparse").valid.graph)
    torch.testing.assert_close(copied.eval()(inputs), found.model.eval()(inputs))
