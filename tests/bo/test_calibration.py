"""Calibration of predictions against definitions."""

import math

import numpy as np
import pytest
from scipy import stats

from bo.calibration import HALF_WIDTHS, Calibration, calibration
from bo.records import History, Objective, Proposal, Trial
from graphs.archgraph import INPUT, OUTPUT, ArchGraph

GRAPH = ArchGraph((INPUT, OUTPUT), ((0, 1),))


def trial(number: int, mean: float | None, std: float | None, value: float | None) -> Trial:
    proposal, metrics = Proposal(GRAPH, "random", mean=mean, std=std), {} if value is None else {"x": value}
    return Trial(number, 0, proposal, "a", str(number), "failed" if value is None else "done", metrics)


def test_half_widths_are_the_normal_distributions() -> None:
    for percent, half in HALF_WIDTHS.items():
        assert half == pytest.approx(stats.norm.interval(percent / 100)[1])


def test_only_predicted_and_evaluated_trials_count() -> None:
    trials = [
        trial(0, None, None, 1.0),
        trial(1, 1.0, 2.0, 4.0),
        trial(2, 1.0, math.nan, 4.0),
        trial(3, 1.0, 1.0, None),
    ]
    found = calibration(History(tuple(trials), Objective("x")))
    assert [one.number for one in found.trials] == [1]
    assert found.mean_abs_z() == 1.5
    assert (found.inside(80), found.inside(95)) == (0, 1)


def test_a_calibrated_model_finds_its_own_percentages() -> None:
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 2, size=20_000)
    found = Calibration((), np.zeros(20_000), std, rng.normal(size=20_000) * std)
    for percent in HALF_WIDTHS:
        assert found.inside(percent) / 20_000 == pytest.approx(percent / 100, abs=0.01)
    assert found.mean_abs_z() == pytest.approx(math.sqrt(2 / math.pi), abs=0.01)


def test_nothing_predicted() -> None:
    found = calibration(History((), Objective("x")))
    assert (found.inside(95), math.isnan(found.mean_abs_z())) == (0, True)


def test_equal_predictions_have_no_rank() -> None:
    found = Calibration((), np.ones(3), np.ones(3), np.arange(3.0))
    assert all(math.isnan(value) for value in found.rank_correlations())
