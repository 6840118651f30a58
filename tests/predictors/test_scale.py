"""Scale: a rising map with its inverse and slope, for either end; and predictions through it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from predictors.prediction import Prediction
from predictors.scale import Scale
from predictors.slot_predictor import Warp

LABELS = torch.tensor([1.0, 2.0, 4.0, 4.5], dtype=torch.float64)


def _scale(sign, gap: float) -> Scale:
    return Scale(sign, Warp.fit(sign * LABELS, gap))


SCALES = [_scale(sign, gap) for sign in (1, -1) for gap in (0.3, 5.0, math.inf)]


@pytest.mark.parametrize("scale", SCALES)
def test_it_rises_and_comes_back(scale: Scale) -> None:
    latent = scale(LABELS)
    assert bool((latent.diff() > 0).all())
    torch.testing.assert_close(scale.inverse(latent), LABELS)
    torch.testing.assert_close(latent.mean(), torch.tensor(0.0).double(), atol=1e-9, rtol=0)


@pytest.mark.parametrize("scale", SCALES)
def test_the_slope_is_the_derivative(scale: Scale) -> None:
    at = LABELS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(scale(at).sum(), at)
    torch.testing.assert_close(scale.log_slope(LABELS), slope.log())


@pytest.mark.parametrize("scale", SCALES)
def test_moments_are_those_of_draws(scale: Scale) -> None:
    rng = torch.Generator().manual_seed(0)
    draws = scale.inverse(0.2 + 0.5 * torch.randn(400_000, generator=rng, dtype=torch.float64))
    mean, deviation = scale.moments(torch.tensor([0.2]).double(), torch.tensor([0.25]).double())
    assert float(mean[0]) == pytest.approx(float(draws.mean()), rel=0.01)
    assert float(deviation[0]) == pytest.approx(float(draws.std()), rel=0.02)


@pytest.mark.parametrize("scale", SCALES)
@given(mean=st.floats(-1.5, 1.5), deviation=st.floats(0.05, 1.0), label=st.floats(1.0, 4.5))
def test_the_density_of_labels_integrates_to_what_quantiles_say(scale, mean, deviation, label) -> None:
    found = Prediction(scale, torch.tensor([mean]).double(), torch.tensor([deviation**2]).double())
    lower, upper = found.interval(0.8)
    assert float(lower[0]) < float(found.quantile(0.5)[0]) < float(upper[0])
    at = torch.tensor([label]).double()
    below = norm.cdf(float(found.errors(at)[0]))
    nudged = norm.cdf(float(found.errors(at + 1e-6)[0]))
    density = math.exp(-float(found.surprise(at)[0]))
    assert density == pytest.approx((nudged - below) / 1e-6, rel=1e-3, abs=1e-6)


def test_a_label_beyond_the_scale_is_infinitely_surprising() -> None:
    scale = _scale(1, 0.3)
    found = Prediction(scale, torch.zeros(1).double(), torch.ones(1).double())
    assert float(found.surprise(torch.tensor([5.0]).double())[0]) == math.inf
