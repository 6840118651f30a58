"""Features worked out by hand, and that they belong to the network and not to its description."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.spaces.nas_bench_graph import LINKS, NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201
from predictors.features import (
    FIRST_OPS,
    LAST_OPS,
    PATHS,
    SHAPE,
    SLOTS,
    FeatureGroup,
    View,
    inner_nodes,
    walk,
    wl_labels,
)

#   input -> a -> b -> output        a also feeds c, c feeds output, input feeds a second b that feeds output
GRAPH = ArchGraph(
    (INPUT, Op("a"), Op("b"), Op("c", bits=4), Op("b"), OUTPUT),
    ((0, 1), (0, 4), (1, 2), (1, 3), (2, 5), (3, 5), (4, 5)),
)
VIEW = View(GRAPH, GRAPH)
EDGE = ArchGraph((INPUT, OUTPUT), ((0, 1),))


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (wl_labels(0), {"a": 1, "b": 2, "c(bits=4)": 1}),
        (wl_labels(1), {"a(b,c(bits=4))": 1, "b(output)": 2, "c(bits=4)(output)": 1}),
        (FIRST_OPS, {"a": 1, "b": 1}),
        (LAST_OPS, {"b": 2, "c(bits=4)": 1}),
        (PATHS, {"a>b": 1, "a>c(bits=4)": 1, "b": 1}),
        (SHAPE, {"operations": 4, "last": 3, "first": 2, "longest": 2, "mean": 5 / 3}),
    ],
    ids=["wl0", "wl1", "first", "last", "paths", "shape"],
)
def test_by_hand(group: FeatureGroup, expected: dict[str, float]) -> None:
    assert dict(group.features(VIEW)) == pytest.approx(expected)


def test_slots_are_the_description_and_not_the_network() -> None:
    features = SLOTS.features(View(EDGE, GRAPH))
    assert features["1:a"] == features["3:c(bits=4)"] == features["0:input"] == 1
    assert "0>1;0>4;1>2;1>3;2>5;3>5;4>5" in features
    assert len(features) == 7


def test_a_network_without_operations() -> None:
    view = View(EDGE, EDGE)
    assert dict(wl_labels(2).features(view)) == {}
    assert dict(PATHS.features(view)) == {"": 1}
    assert SHAPE.features(view)["operations"] == SHAPE.features(view)["longest"] == 0
    unconnected = ArchGraph((INPUT, OUTPUT), ())
    assert SHAPE.features(View(unconnected, unconnected))["mean"] == 0


def test_wl_labels_count_every_inner_node_at_every_level() -> None:
    for level in range(4):
        assert sum(wl_labels(level).features(VIEW).values()) == len(inner_nodes(GRAPH))


def test_wl_levels_see_further_and_further() -> None:
    """Two chains that differ in their last operation only: the first node's label differs from level 2 on."""
    chains = [ArchGraph((INPUT, Op("a"), Op("b"), Op(x), OUTPUT), ((0, 1), (1, 2), (2, 3), (3, 4))) for x in "cd"]
    seen = [
        [next(iter(label for label in wl_labels(level).features(View(g, g)) if label.startswith("a"))) for g in chains]
        for level in range(4)
    ]
    assert [left == right for left, right in seen] == [True, True, False, False]


@pytest.mark.parametrize("space", [NasBenchGraph(), NasBench201()], ids=lambda space: space.name)
def test_paths_agree_with_powers_of_the_adjacency_matrix(space) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        graph = space.network(space.sample(rng))
        n = len(graph)
        step = np.zeros((n, n))
        for edge in graph.edges:
            step[edge] = 1
        power, count = np.eye(n), 0.0
        for _ in range(n):
            power = power @ step
            count += power[0, n - 1]
        assert len(list(walk(graph, 0))) == count


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_equal_networks_have_equal_features_over_all_their_descriptions(count: int) -> None:
    """Random networks of NAS-Bench-Graph, each from every description that builds it."""
    space, rng = NasBenchGraph(), np.random.default_rng(1)
    graphs = [space.sample(rng) for _ in range(1000)]
    graphs = [graph for graph in graphs if len(set(graph.ops)) < 6]  # a twin or a skip, so that descriptions differ
    networks = list(dict.fromkeys(map(space.network, graphs)))[:count]
    assert len(networks) == count
    groups = [wl_labels(0), wl_labels(2), FIRST_OPS, LAST_OPS, PATHS, SLOTS, SHAPE]
    several = 0
    for network in networks:
        found = [graph for graph in _candidates(space, network) if space.network(graph) == network]
        views = [View(space.network(graph), space.representative(graph)) for graph in found]
        several += len(found) > 1
        for group in groups:
            assert all(group.features(view) == group.features(views[0]) for view in views[1:])
    assert several > count / 2


def _candidates(space: NasBenchGraph, network: ArchGraph) -> Iterator[ArchGraph]:
    """Every description of the network's operations, filled up with skips."""
    names = [op.name for op in network.ops[1:-1]]
    names += ["skip"] * (4 - len(names))
    for links, ops in itertools.product(LINKS, sorted(set(itertools.permutations(names)))):
        yield space.build(links, ops)
