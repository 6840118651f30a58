"""Scores: known values of known predictions, and calibration of draws from the predictions themselves."""

import math

import pytest
import torch

from predictors.prediction import Prediction
from predictors.scale import Scale
from predictors.scores import score
from predictors.slot_predictor import Warp

LINE = Scale(1, Warp(0.0, math.inf, 0.0, 1.0))


def _prediction(mean: torch.Tensor, deviation: float) -> Prediction:
    return Prediction(LINE, mean.double(), torch.full((len(mean),), deviation**2, dtype=torch.float64))


def test_draws_from_the_predictions_are_inside_as_often_as_they_say() -> None:
    rng = torch.Generator().manual_seed(0)
    mean = torch.randn(20_000, generator=rng, dtype=torch.float64)
    found = score(_prediction(mean, 0.5), mean + 0.5 * torch.randn(20_000, generator=rng, dtype=torch.float64))
    assert (found.inside50, found.inside80, found.inside95) == pytest.approx((0.5, 0.8, 0.95), abs=0.01)
    assert found.rmse == pytest.approx(0.5, abs=0.01)
    assert found.nll == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 0.25), abs=0.02)


def test_ranks_and_regret_of_a_reversed_order() -> None:
    labels = torch.arange(30, dtype=torch.float64)
    right, wrong = score(_prediction(labels, 1.0), labels), score(_prediction(-labels, 1.0), labels)
    assert (right.kendall, right.spearman, right.regret) == (1.0, 1.0, 0.0)
    assert (wrong.kendall, wrong.spearman, wrong.regret) == (-1.0, -1.0, 20.0)


def test_predictions_that_do_not_vary_have_no_rank() -> None:
    found = score(_prediction(torch.zeros(5), 1.0), torch.arange(5, dtype=torch.float64))
    assert math.isnan(found.kendall)
    assert math.isnan(found.spearman)
