"""Parameter counts of NAS-Bench-Graph: the built PyG module is the reference."""

from collections.abc import Iterator
from dataclasses import fields

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn_search.network import BENCHMARK_SETTINGS, GAT_HEADS, BenchmarkSetting, GraphNetwork
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture, InvalidOption, UnknownName
from graphs.spaces import nas_bench_graph_costs
from graphs.spaces.nas_bench_graph import LAYERS, LINKS, OPERATIONS, NasBenchGraph
from graphs.spaces.nas_bench_graph_costs import MATRICES, layer_parameters, parameter_count
from graphs.spaces.nasbench201 import NasBench201

SPACE = NasBenchGraph()
SIZES = ("in_features", "hidden", "classes", "pre_layer", "post_layer")
SMALL = {"in_features": 6, "hidden": 8, "classes": 3, "pre_layer": False, "post_layer": False}


def sizes(setting: BenchmarkSetting) -> dict[str, int]:
    return {field.name: getattr(setting, field.name) for field in fields(setting) if field.name in SIZES}


@pytest.fixture(autouse=True, scope="module")
def counting() -> Iterator[None]:
    """Thousands of networks are built only to be counted: draw no weights, check no shapes."""
    before = jaxtyping.config.jaxtyping_disable
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "uniform_", lambda tensor, *_, **__: tensor)
        jaxtyping.config.update("jaxtyping_disable", True)
        yield
    jaxtyping.config.update("jaxtyping_disable", before)


def built(graph: ArchGraph, **options: int) -> int:
    network = GraphNetwork(graph, dropout=0.5, **options)
    return sum(parameter.numel() for parameter in network.parameters())


def samples(seed: int, number: int) -> list[ArchGraph]:
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng) for _ in range(number)]


@pytest.mark.parametrize(("seed", "task"), list(enumerate(BENCHMARK_SETTINGS)))
def test_random_descriptions_as_the_benchmark_builds_them(seed: int, task: str) -> None:
    options = sizes(BENCHMARK_SETTINGS[task])
    for graph in samples(seed, 150):
        assert parameter_count(graph, **options) == built(graph, **options), SPACE.format(graph)


DESCRIPTIONS = st.builds(
    lambda links, ops: SPACE.build(links, tuple(ops)),
    st.sampled_from(LINKS),
    st.lists(st.sampled_from([*OPERATIONS, "skip", "skip", "skip"]), min_size=LAYERS, max_size=LAYERS).filter(
        lambda ops: set(ops) != {"skip"}
    ),
)


@settings(deadline=None)
@given(
    graph=DESCRIPTIONS,
    in_features=st.integers(1, 9),
    half=st.integers(1, 5),
    classes=st.integers(1, 5),
    pre_layer=st.booleans(),
    post_layer=st.booleans(),
)
def test_any_sizes(
    graph: ArchGraph, in_features: int, half: int, classes: int, pre_layer: bool, post_layer: bool
) -> None:
    options = {"in_features": in_features, "hidden": 2 * half, "classes": classes}
    options |= {"pre_layer": pre_layer, "post_layer": post_layer}
    assert parameter_count(graph, **options) == built(graph, **options)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["arxiv", "computers"])
def test_all_networks(task: str) -> None:
    """One without and one with a linear layer before the first; both heads have two layers."""
    options = sizes(BENCHMARK_SETTINGS[task])
    for graph in SPACE.networks:
        assert parameter_count(graph, **options) == built(graph, **options), SPACE.format(graph)


@pytest.mark.slow
def test_all_descriptions_of_a_network_have_its_count() -> None:
    count_of: dict[ArchGraph, int] = {}
    for graph in SPACE.enumerate():
        count = parameter_count(graph, **SMALL)
        assert count_of.setdefault(SPACE.network(graph), count) == count, SPACE.format(graph)
    assert len(count_of) == SPACE.network_count


def test_every_operation_has_a_count() -> None:
    assert set(MATRICES) == set(OPERATIONS)
    assert nas_bench_graph_costs.GAT_HEADS == GAT_HEADS
    with pytest.raises(UnknownName, match="Did you mean 'cheb'"):
        layer_parameters("chebb", 4, 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"in_features": 0}, "in_features is 0"),
        ({"hidden": 0}, "hidden is 0"),
        ({"hidden": 7}, "hidden is 7, expected an even number"),
        ({"classes": -1}, "classes is -1"),
    ],
)
def test_unusable_sizes(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        parameter_count(SPACE.parse("0123|gcn|gcn|gcn|gcn"), **{**SMALL, **wrong})


def test_a_graph_of_another_space_is_refused() -> None:
    with pytest.raises(InvalidArchitecture, match="nas-bench-graph"):
        parameter_count(NasBench201().sample(np.random.default_rng(0)), **SMALL)
