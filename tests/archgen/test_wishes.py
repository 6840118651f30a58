"""Wishes that contradict themselves are refused; what is known of properties is what costs and predictors say."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from archgen.labels import Labels
from archgen.properties import known_costs
from archgen.wishes import By, Properties, Wish, gather_properties
from graphs.condition import parse_condition
from graphs.errors import InvalidOption, UnknownName
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space
from graphs.spaces.nasbench201 import NasBench201

SPACE = NasBench201()


def labels(*names: str) -> Labels:
    rng = np.random.default_rng(0)
    graphs = [SPACE.sample(rng) for _ in range(40)]
    value = torch.tensor([90 + SPACE.costs(graph)["params"] for graph in graphs], dtype=torch.float64)
    return Labels(tuple(graphs), dict.fromkeys(names, value))


@pytest.fixture(scope="module")
def properties() -> Properties:
    return gather_properties(layout_of(SPACE), ["params", "macs", "accuracy"], labels("accuracy", "macs"))


@pytest.fixture(scope="module")
def rows(properties: Properties) -> torch.Tensor:
    rng = np.random.default_rng(1)
    return properties.layout.read([SPACE.sample(rng) for _ in range(200)])


def wish(maximize: str | None = None, given: Sequence[str] = (), **options: object) -> Wish:
    return Wish(maximize, tuple(map(parse_condition, given)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"given": ["params<=1", "macs>=2", "params>=1.5"]}, "params<=1 and params>=1.5"),
        ({"maximize": "params", "strength": 0.0}, "positive"),
        ({"maximize": "params", "strength": -1.0}, "positive"),
        ({"maximize": "params", "strength": math.nan}, "positive"),
        ({"maximize": "params", "strength": math.inf}, "positive"),
        ({"strength": 2.0}, "nothing to make large"),
    ],
)
def test_what_cannot_be_wished_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidOption, match=told):
        wish(**options)  # type: ignore[arg-type]


def test_a_wish_names_each_property_once() -> None:
    assert wish("accuracy", ["params<=1", "accuracy>=94", "params>=0.2"]).names == ["accuracy", "params"]
    assert wish().names == []


def test_an_exact_cost_is_used_where_labels_have_it_too(properties: Properties, rows: torch.Tensor) -> None:
    assert set(properties.costs) == {"params", "macs"}
    assert set(properties.predictors) == {"accuracy"}
    costs = [SPACE.costs(graph) for graph in properties.layout.write(rows)]
    for name in ("params", "macs"):
        mean, deviation = properties.evaluate(name, rows)
        assert mean.tolist() == [cost[name] for cost in costs]
        assert not bool(deviation.any())


def test_a_predicted_property_has_a_deviation(properties: Properties, rows: torch.Tensor) -> None:
    mean, deviation = properties.evaluate("accuracy", rows)
    assert bool((deviation > 0).all())
    assert float(torch.corrcoef(torch.stack([mean, properties.evaluate("params", rows)[0]]))[0, 1]) > 0.6


@pytest.mark.parametrize("by", ["mean", "upper", "lower", "thompson"])
def test_what_is_made_large(properties: Properties, rows: torch.Tensor, by: By) -> None:
    mean, deviation = properties.evaluate("accuracy", rows)
    sign = {"upper": 1, "lower": -1}.get(by, 0)
    wanted = properties.predictors["accuracy"].draw(3)(rows) if by == "thompson" else mean + sign * deviation
    assert torch.equal(properties.objective(wish("accuracy", by=by), 3)(rows), wanted)
    params = properties.objective(wish("params", by=by), 3)(rows)
    assert torch.equal(params, properties.evaluate("params", rows)[0]), "an exact cost has one value"
    assert not bool(properties.objective(wish(), 3)(rows).any())


def test_rows_that_keep_all_bounds(properties: Properties, rows: torch.Tensor) -> None:
    given = ["params<=0.8", "accuracy>=90.3", "params>=0.2", "macs<=120"]
    value = {name: properties.evaluate(name, rows)[0].tolist() for name in ("params", "macs", "accuracy")}
    wanted = [
        0.2 <= params <= 0.8 and accuracy >= 90.3 and macs <= 120
        for params, accuracy, macs in zip(value["params"], value["accuracy"], value["macs"], strict=True)
    ]
    kept = properties.kept(wish(None, given).given, rows)
    assert kept.tolist() == wanted
    assert 0 < sum(wanted) < len(wanted)
    assert bool(properties.kept((), rows).all())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "unknown property 'accurcy'.*Choose one of: macs, params. Others are learned from labels"),
        (labels("accuracy"), "unknown property 'accurcy'. Did you mean 'accuracy'.*accuracy, macs, params.$"),
    ],
)
def test_a_property_that_nothing_tells_of(given: Labels | None, told: str) -> None:
    with pytest.raises(UnknownName, match=told):
        gather_properties(layout_of(SPACE), ["accurcy"], given)


@pytest.mark.parametrize("task", ["cs", None])
def test_a_task_sets_the_costs_of_nas_bench_graph(task: str | None) -> None:
    space = get_space("nas-bench-graph")
    layout, cost = layout_of(space), known_costs(space, task or "cora")["params"]
    graphs = [space.sample(np.random.default_rng(seed)) for seed in range(30)]
    found = gather_properties(layout, ["params"], task=task).evaluate("params", layout.read(graphs))[0]
    assert found.tolist() == [cost(graph) for graph in graphs]
