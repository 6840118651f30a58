"""The search over ranks of metrics: what it spends, what it learns, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from graphs.errors import EvaluationError, InvalidOption
from graphs.tables.nasbench201 import load_nasbench201
from predictors.metric_ranks import BELIEFS, RankBeliefs, RankSearchResult, _posterior, rank_queries, rank_search

RNG = np.random.default_rng(0)
VALUE = RNG.standard_normal(400)
METRICS = np.column_stack([RNG.standard_normal(400), VALUE + 0.1 * RNG.standard_normal(400), -np.exp(3 * VALUE)])
"""Noise, a good metric, and one of many orders of magnitude that is good with its sign turned."""


def search(values: np.ndarray, budget: int = 8) -> RankSearchResult:
    return rank_search(METRICS, lambda place: float(values[place]), budget)


def test_nothing_is_asked_twice_and_the_budget_is_used() -> None:
    found = search(VALUE)
    assert len(set(found.queried)) == len(found.queried) == 8
    np.testing.assert_array_equal(found.values, VALUE[list(found.queried)])
    assert found.best_value == VALUE[found.best] == found.values.max()
    assert search(VALUE).queried == found.queried


def test_it_finds_one_of_the_best() -> None:
    assert (search(VALUE, 12).best_value < VALUE).sum() < 4  # random draws: the best of 12 has 30 above it


def test_the_scale_of_metrics_and_of_the_objective_do_not_matter() -> None:
    found = search(VALUE).queried
    other = rank_search(METRICS**3, lambda place: float(100 * VALUE[place] + 3), 8)
    assert other.queried == found


def test_the_first_has_the_highest_mean_rank() -> None:
    place = next(rank_queries(np.array([[1.0, 5.0], [3.0, 9.0], [2.0, 7.0]]), 1))
    assert place == 1


def test_what_is_believed_is_the_posterior_of_a_gaussian_process() -> None:
    """Against the textbook's formula with a matrix inverse; the targets are standardised."""
    ranks = RNG.uniform(-1, 1, (6, 2))
    beliefs = RankBeliefs(linear=0.7, local=0.4, length=0.3, noise=0.2)
    distance = np.array([[((one - other) ** 2).mean() for other in ranks] for one in ranks])
    kernel = 0.7 * ranks @ ranks.T / 2 + 0.4 * np.exp(-distance / (2 * 0.3**2))
    chosen = np.array([4, 1])
    mean, deviation = _posterior(ranks, chosen, np.array([0.0, 1.0]), beliefs)
    gain = kernel[:, chosen] @ np.linalg.inv(kernel[np.ix_(chosen, chosen)] + 0.2 * np.eye(2))
    np.testing.assert_allclose(mean, gain @ np.array([-1.0, 1.0]))
    np.testing.assert_allclose(deviation**2, np.diag(kernel - gain @ kernel[chosen]))


def test_an_architecture_with_a_failed_metric_is_not_asked() -> None:
    metrics = METRICS[:5].copy()
    metrics[2, 0] = np.nan
    found = rank_search(metrics, float, 9)
    assert sorted(found.queried) == [0, 1, 3, 4]


def test_equal_values_are_no_trouble() -> None:
    assert sorted(rank_search(np.eye(3), lambda _: 1.0, 10).queried) == [0, 1, 2]


def test_what_is_refused() -> None:
    with pytest.raises(InvalidOption, match="budget is 0"):
        search(VALUE, 0)
    with pytest.raises(InvalidOption, match="expected a row an architecture"):
        rank_search(np.ones((0, 2)), float, 3)
    with pytest.raises(EvaluationError, match="is nan, expected a finite number"):
        rank_search(METRICS, lambda _: float("nan"), 3)


@pytest.mark.parametrize("seed", range(6))
def test_with_one_good_metric_of_three_it_is_as_good_as_the_best_of_them(seed: int, data_dir: Path) -> None:
    """At most half a percent below the best of twenty by the best single metric, which nobody told it."""
    accuracy, rng = load_nasbench201("cifar10", data_dir).column("valid_accuracy"), np.random.default_rng(seed)
    values = accuracy[rng.choice(len(accuracy), 1000, replace=False)]
    metrics = rng.standard_normal((1000, 3))
    metrics[:, seed % 3] += values
    found = rank_search(metrics, lambda place: float(values[place]), 20, BELIEFS)
    best = max(values[np.argsort(-column)[:20]].max() for column in metrics.T)
    assert found.best_value > 0.995 * best
