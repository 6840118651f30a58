"""Weight sharing: who inherits what, that sharing is by value, and that training along paths teaches."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from gnn_search.data_sets import stochastic_block_model, task_from_data
from gnn_search.evaluator import network
from gnn_search.gnn import GnnModel
from gnn_search.supernet import PATH, SharedWeights, one_shot_score, train_shared
from gnn_search.training import PreparedTask
from graphs.archgraph import ArchGraph, AttrValue, Op
from graphs.spaces.catalogue import get_space


@pytest.fixture(scope="module")
def prepared() -> PreparedTask:
    return PreparedTask(task_from_data("blocks", stochastic_block_model(500, seed=0), seed=0))


def chain(*layers: Op) -> ArchGraph:
    ops = (Op("input"), *layers, Op("output"))
    return ArchGraph(ops, tuple(pairwise(range(len(ops)))))


def attention(**attrs: AttrValue) -> Op:
    usual: dict[str, AttrValue] = {
        "attention": "gat",
        "hidden": 8,
        "heads": 2,
        "aggregate": "sum",
        "combine": "identity",
        "activation": "relu",
    }
    return Op("attention", **{**usual, **attrs})


BOTH = chain(attention(), attention())


def inherited(giver: ArchGraph, heir: ArchGraph, prepared: PreparedTask, constrained: bool = True) -> dict[str, bool]:
    """For each weight of the heir whether it is the giver's."""
    shared = SharedWeights(constrained)
    one = network(giver, prepared.task)
    with torch.no_grad():
        for weight in one.parameters():
            weight.fill_(7.0)
    shared.keep(one)
    other = network(heir, prepared.task)
    shared.lend(other)
    return {name: bool((weight == 7.0).all()) for name, weight in other.named_parameters()}


def test_an_equal_architecture_inherits_all(prepared: PreparedTask) -> None:
    assert all(inherited(BOTH, BOTH, prepared).values())


@pytest.mark.parametrize(
    ("attrs", "first", "second"),
    [
        ({"attention": "cos"}, False, True),  # another attention, the same shapes
        ({"activation": "tanh"}, False, True),
        ({"hidden": 16}, False, False),  # other shapes, also of what the second layer reads
        ({"aggregate": "max"}, True, True),
        ({"combine": "mlp"}, True, True),
        ({"heads": 1, "hidden": 16}, True, True),  # as wide, but the attention's vectors have another shape
    ],
)
def test_the_rule_of_auto_gnn(prepared: PreparedTask, attrs: dict[str, AttrValue], first: bool, second: bool) -> None:
    found = inherited(BOTH, chain(attention(**attrs), attention()), prepared)
    assert found["maps.0.weights.0"] == first
    assert found["maps.1.weights.0"] == second
    assert found["head.weights.0"]


def test_by_shape_alone_attention_and_activation_do_not_count(prepared: PreparedTask) -> None:
    heir = chain(attention(attention="cos", activation="tanh"), attention())
    assert inherited(BOTH, heir, prepared, constrained=False)["maps.0.weights.0"]
    other = chain(Op("fc", hidden=16, activation="relu"), attention())
    assert not inherited(BOTH, other, prepared, constrained=False)["maps.0.weights.0"]  # another operation


def test_norms_and_maps_of_skips_are_never_shared(prepared: PreparedTask) -> None:
    normed = ArchGraph((Op("input", norm="batch"), *BOTH.ops[1:]), BOTH.edges)
    found = inherited(normed, normed, prepared)
    assert [name for name, same in found.items() if not same] == [
        f"norms.{place}.{name}" for place in (0, 1) for name in ("weight", "bias")
    ]
    skipping = ArchGraph(BOTH.ops, (*BOTH.edges, (1, 3)))
    found = inherited(skipping, skipping, prepared)
    assert {name for name, same in found.items() if not same} == {"head.weights.0", "head.weights.1", "head.bias"}


def test_what_is_kept_and_lent_is_a_copy(prepared: PreparedTask) -> None:
    shared, model = SharedWeights(), network(BOTH, prepared.task)
    shared.keep(model)
    before = [weight.detach().clone() for weight in model.parameters()]
    heir = network(BOTH, prepared.task)
    assert shared.lend(heir) == 1.0
    with torch.no_grad():
        for weight in (*model.parameters(), *heir.parameters()):
            weight.fill_(3.0)
    last = network(BOTH, prepared.task)
    shared.lend(last)
    assert all(torch.equal(one, other) for one, other in zip(last.parameters(), before, strict=True))


def test_nothing_is_inherited_from_nobody(prepared: PreparedTask) -> None:
    assert SharedWeights().lend(network(BOTH, prepared.task)) == 0.0


def test_training_along_paths_teaches_and_repeats(prepared: PreparedTask) -> None:
    def sample(rng: np.random.Generator) -> ArchGraph:
        return chain(attention(attention=("gcn", "gat")[int(rng.integers(2))]), attention())

    results = []
    for _ in range(2):
        shared = SharedWeights()
        train_shared(shared, sample, prepared, 12, 0)
        results.append([one_shot_score(shared, BOTH, prepared, 5, epochs)[0] for epochs in (0, 3)])
    assert results[0] == results[1]
    assert results[0][0] > one_shot_score(SharedWeights(), BOTH, prepared, 5)[0] + 10


def test_scoring_leaves_shared_weights_as_they_are(prepared: PreparedTask) -> None:
    shared = SharedWeights()
    train_shared(shared, lambda _: BOTH, prepared, 1, 0, replace(PATH, epochs=1))
    before = one_shot_score(shared, BOTH, prepared, 0)
    assert one_shot_score(shared, BOTH, prepared, 0, 4)[1] == 1.0
    assert one_shot_score(shared, BOTH, prepared, 0) == before


def test_random_architectures_of_the_space_can_share(prepared: PreparedTask) -> None:
    shared, space = SharedWeights(), get_space("gnn")
    train_shared(shared, space.sample, prepared, 4, 0, replace(PATH, epochs=1))
    assert len(shared) > 8
    score, share = one_shot_score(shared, space.sample(np.random.default_rng(0)), prepared, 0)
    assert 0 <= score <= 100
    assert 0 <= share <= 1
    assert isinstance(network(BOTH, prepared.task), GnnModel)
