"""RoBoT: what it spends, and that it finds the metric that is worth something."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from graphs.errors import EvaluationError, InvalidOption, UnknownName
from graphs.tables.nasbench201 import load_nasbench201
from predictors.robot import RobotResult, ranking, robot, scaled

RNG = np.random.default_rng(0)
VALUE = RNG.standard_normal(400)
METRICS = np.column_stack([RNG.standard_normal(400), VALUE + 0.1 * RNG.standard_normal(400), -np.exp(3 * VALUE)])
"""Noise, a good metric, and one of many orders of magnitude that is good with its sign turned."""


class Counted:
    """An objective that remembers what it was asked."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.asked = values, list[int]()

    def __call__(self, place: int) -> float:
        self.asked.append(place)
        return float(self.values[place])


def search(objective: Counted, budget: int = 8, **options: object) -> RobotResult:
    return robot(METRICS, objective, budget, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_asked_twice_and_the_budget_is_used(seed: int) -> None:
    objective = Counted(VALUE)
    found = search(objective, seed=seed)
    assert objective.asked == list(found.queried)
    assert len(set(found.queried)) == len(found.queried) == 8
    assert 1 <= found.explored <= 7
    np.testing.assert_array_equal(found.values, VALUE[list(found.queried)])
    assert found.best_value == VALUE[found.best] == found.values.max()


def test_the_rest_goes_down_the_ranking_of_the_best_weights() -> None:
    found = search(Counted(VALUE))
    explored = found.queried[: found.explored]
    order = [place for place in ranking(scaled(METRICS, "min-max"), found.weights).tolist() if place not in explored]
    assert list(found.queried[found.explored :]) == order[: 8 - found.explored]
    first = ranking(scaled(METRICS, "min-max"), found.weights)[0]
    assert VALUE[first] == VALUE[list(explored)].max()
    assert np.all(np.abs(found.weights) <= 1)


@pytest.mark.parametrize("scale", ["min-max", "log-min-max", "ranks"])
def test_it_finds_one_of_the_best(scale: str) -> None:
    found = search(Counted(VALUE), scale=scale, gap=scale == "ranks")
    assert (found.best_value < VALUE).sum() < 4  # random draws: the best of 8 has 44 above it


def test_the_same_seed_gives_the_same_search() -> None:
    first, again, other = (search(Counted(VALUE), seed=seed, budget=5) for seed in (3, 3, 4))
    assert first.queried == again.queried != other.queried


def test_revisits_cost_nothing() -> None:
    """Two architectures that any weights rank first, one or the other: the rest of the budget is greedy."""
    metrics = np.array([[1.0, 1.0], [0.0, 0.0], [0.5, 0.5], [0.4, 0.4], [0.6, 0.6]])
    found = robot(metrics, lambda place: float(place == 0), 4, seed=1, iterations=6)
    assert found.explored == len(set(found.queried[: found.explored])) <= 3
    assert found.best == 0
    assert set(found.queried) in ({0, 4, 2, 3}, {0, 1, 4, 2})


def test_a_small_space_is_exhausted_and_equal_values_are_no_trouble() -> None:
    found = robot(np.eye(3), lambda _: 1.0, 10)
    assert sorted(found.queried) == [0, 1, 2]


def test_an_architecture_with_a_failed_metric_is_ranked_last() -> None:
    metrics = METRICS.copy()
    metrics[int(VALUE.argmax()), 0] = np.nan
    found = robot(metrics, Counted(VALUE), 8)
    assert int(VALUE.argmax()) not in found.queried
    assert ranking(scaled(metrics, "ranks"), np.ones(3))[-1] == VALUE.argmax()


def test_scales() -> None:
    column = np.array([[-99.0], [0.0], [np.nan], [9.0], [0.0]])
    expected = {
        "min-max": [0, 99 / 108, np.nan, 1, 99 / 108],
        "log-min-max": [0, 2 / 3, np.nan, 1, 2 / 3],
        "ranks": [0, 0.5, np.nan, 1, 0.5],
    }
    for scale, values in expected.items():
        np.testing.assert_allclose(scaled(column, scale)[:, 0], values)
    ranks = scaled(METRICS, "ranks")
    np.testing.assert_allclose(ranks, (rankdata(METRICS, axis=0) - 1) / 399)
    assert not scaled(np.ones((3, 1)), "min-max").any()


@pytest.mark.parametrize(
    "metrics", [np.ones((0, 2)), np.ones((2, 0)), np.array([[np.inf, 1.0]]), np.array([[np.nan, 1.0], [1.0, np.nan]])]
)
def test_metrics_that_cannot_be_used(metrics: np.ndarray) -> None:
    with pytest.raises(InvalidOption, match="expected a row an architecture"):
        robot(metrics, lambda _: 0.0, 3)


def test_what_is_refused() -> None:
    with pytest.raises(InvalidOption, match="budget is 0"):
        robot(METRICS, Counted(VALUE), 0)
    with pytest.raises(InvalidOption, match="iterations are 0"):
        search(Counted(VALUE), iterations=0)
    with pytest.raises(UnknownName, match="Did you mean 'ranks'"):
        search(Counted(VALUE), scale="rank")
    with pytest.raises(EvaluationError, match="is nan, expected a finite number"):
        robot(METRICS, lambda _: float("nan"), 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_with_one_good_metric_of_three_it_is_as_good_as_the_best_of_them(seed: int, data_dir: Path) -> None:
    """At most a percent below the best of twenty by the best single metric, which nobody told it."""
    accuracy, rng = load_nasbench201("cifar10", data_dir).column("valid_accuracy"), np.random.default_rng(seed)
    values = accuracy[rng.choice(len(accuracy), 1000, replace=False)]
    metrics = rng.standard_normal((1000, 3))
    metrics[:, seed % 3] += values
    objective = Counted(values)
    found = robot(metrics, objective, 20, seed=seed, scale="ranks")
    assert len(set(objective.asked)) == 20
    best = max(values[np.argsort(-column)[:20]].max() for column in metrics.T)
    assert found.best_value > 0.99 * best
