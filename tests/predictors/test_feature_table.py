"""Distances against a dense reference, and the properties of a squared Euclidean distance."""

import copy
import itertools

import numpy as np
import pytest

from graphs.spaces.nas_bench_graph import NasBenchGraph
from predictors.feature_table import REFERENCE_GRAPHS, FeatureTable
from predictors.features import FeatureGroup, View
from predictors.wl_groups import GROUPS


@pytest.fixture(scope="module")
def space(any_space):
    return any_space


@pytest.fixture(scope="module")
def table(space, table_of) -> FeatureTable:
    return table_of(space)


def graphs_of(space, count: int, seed: int):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def numbers(table: FeatureTable, graphs) -> np.ndarray:
    return table.rows(graphs)[:, 0].numpy().astype(np.int64)


@pytest.mark.parametrize("name", list(GROUPS))
def test_distance_against_a_dense_reference(space, table, name: str) -> None:
    reference, graphs = graphs_of(space, REFERENCE_GRAPHS, 0), graphs_of(space, 40, 1)
    dense = _dense(space, GROUPS[name], [*reference, *graphs], len(reference))
    base, rest = dense[: len(reference)], dense[len(reference) :]
    scale = _half_squared(base, base).mean()
    found = table.distance(name, numbers(table, graphs), numbers(table, graphs[:15]))
    np.testing.assert_allclose(found, _half_squared(rest, rest[:15]) / scale, atol=1e-9)


def _dense(space, group: FeatureGroup, graphs, reference: int) -> np.ndarray:
    """All features as columns: counts as square roots, numbers in standard deviations of the reference graphs."""
    rows = [group.features(View(space.network(graph), space.representative(graph))) for graph in graphs]
    labels = sorted({label for row in rows for label in row})
    dense = np.array([[row.get(label, 0.0) for label in labels] for row in rows], dtype=np.float64)
    if group.counts:
        return np.sqrt(dense)
    spread = dense[:reference].std(0)
    return dense[:, spread > 0] / spread[spread > 0]


def _half_squared(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return ((left[:, None] - right[None]) ** 2).sum(-1) / 2


@pytest.mark.parametrize("name", list(GROUPS))
def test_distance_is_symmetric_zero_on_equals_and_its_root_obeys_the_triangle_inequality(space, table, name) -> None:
    rows = numbers(table, graphs_of(space, 30, 2))
    distance = table.distance(name, rows, rows)
    np.testing.assert_allclose(distance, distance.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(distance), 0, atol=1e-12)
    assert distance.min() >= 0
    root = np.sqrt(distance)
    for i, j, k in itertools.product(range(0, 30, 3), range(30), range(0, 30, 3)):
        assert root[i, k] <= root[i, j] + root[j, k] + 1e-6


@pytest.mark.parametrize("name", list(GROUPS))
def test_random_graphs_are_at_distance_one_in_the_mean(space, table, name: str) -> None:
    """The scale comes from 500 graphs; 500 others must agree up to their spread."""
    rows = numbers(table, graphs_of(space, 500, 3))
    assert table.distance(name, rows, rows).mean() == pytest.approx(1, abs=0.2)
    reference = numbers(table, graphs_of(space, REFERENCE_GRAPHS, 0))
    assert table.distance(name, reference, reference).mean() == pytest.approx(1, abs=1e-9)


def test_weighted_is_the_sum_of_weighted_distances_whichever_side_is_larger(space, table) -> None:
    left, right = (numbers(table, graphs_of(space, count, 5 + count)) for count in (40, 15))
    weights = dict(zip(GROUPS, np.random.default_rng(6).exponential(size=len(GROUPS)), strict=True))
    expected = sum(weight * table.distance(name, left, right) for name, weight in weights.items())
    np.testing.assert_allclose(table.weighted(weights, left, right), expected, atol=1e-9)
    np.testing.assert_allclose(table.weighted(weights, right, left), np.transpose(expected), atol=1e-9)
    assert table.names == tuple(GROUPS)


def test_rows_number_networks_and_not_descriptions(space, table) -> None:
    graphs = graphs_of(space, 300, 4)
    rows = numbers(table, graphs)
    networks = [space.network(graph) for graph in graphs]
    for (a, x), (b, y) in itertools.combinations(zip(rows, networks, strict=True), 2):
        assert (a == b) == (x == y)
    assert (numbers(table, graphs[::-1]) == rows[::-1]).all(), "numbers must not change"


def test_new_rows_leave_old_distances_as_they_were(space, table) -> None:
    rows = numbers(table, graphs_of(space, 20, 5))
    before = {name: table.distance(name, rows, rows) for name in GROUPS}
    numbers(table, graphs_of(space, 200, 6))
    for name in GROUPS:
        np.testing.assert_array_equal(table.distance(name, rows, rows), before[name])


def test_numbers_that_no_reference_graph_had_do_not_count() -> None:
    """A user's own group may name a value first after the scale was set; it has no unit and is left out."""
    late: dict[str, float] = {}

    def features(view: View) -> dict[str, float]:
        return {"nodes": float(len(view.network)), **late}

    space = NasBenchGraph()
    table = FeatureTable(space, {"own": FeatureGroup(features, counts=False)})
    old = numbers(table, graphs_of(space, 10, 7))
    before = table.distance("own", old, old)
    late["surprise"] = 5.0
    new = numbers(table, graphs_of(space, 50, 8))
    assert np.isfinite(table.distance("own", new, old)).all()
    np.testing.assert_allclose(table.distance("own", old, old), before)


def test_a_copy_of_a_model_knows_the_rows_added_later(table) -> None:
    assert copy.deepcopy(table) is table
