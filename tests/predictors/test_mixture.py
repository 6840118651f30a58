"""Mixture: weights go to what predicts; moments are those of the mixture; errors say how wide intervals should be."""

import pytest
import torch

from predictors.mixture import mixed, spread_factor, stack

RNG = torch.Generator().manual_seed(0)
TRUTH = torch.randn(300, generator=RNG, dtype=torch.float64)
GOOD = (TRUTH + 0.2 * torch.randn(300, generator=RNG, dtype=torch.float64), torch.full((300,), 0.04).double())
BLIND = (torch.zeros(300).double(), torch.ones(300).double())


def test_what_predicts_best_has_the_weight() -> None:
    assert stack({"blind": BLIND, "good": GOOD}, TRUTH) == {"good": 1.0}


def test_what_is_right_half_the_time_has_half_the_weight() -> None:
    half = torch.arange(300) < 150
    left = (torch.where(half, GOOD[0], 9.0), GOOD[1])
    right = (torch.where(half, 9.0, GOOD[0]), GOOD[1])
    found = stack({"left": left, "right": right}, TRUTH)
    assert found == pytest.approx({"left": 0.5, "right": 0.5}, abs=0.02)


def test_moments_of_a_mixture_are_those_of_its_draws() -> None:
    weights = {"a": 0.3, "b": 0.7}
    mean, variance = mixed(
        weights, {name: (torch.tensor([m]).double(), torch.tensor([v]).double()) for name, m, v in
                  (("a", -1.0, 0.5), ("b", 2.0, 0.1))}
    )  # fmt: skip
    assert float(mean[0]) == pytest.approx(0.3 * -1 + 0.7 * 2)
    assert float(variance[0]) == pytest.approx(0.3 * (0.5 + 1) + 0.7 * (0.1 + 4) - 1.1**2)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0])
def test_the_factor_is_the_ratio_of_deviations(true: float) -> None:
    errors = true * torch.randn(20_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert spread_factor(errors) == pytest.approx(true, rel=0.02)


def test_few_errors_say_little() -> None:
    errors = torch.tensor([3.0, -3.0, 3.0, -3.0]).double()
    assert 1 < spread_factor(errors) < spread_factor(errors.repeat(100))
