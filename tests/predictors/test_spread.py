"""Spread: noise and factor are found again from errors that were made with them."""

import pytest
import torch

from predictors.spread import PSEUDO, Spread, fit_spread


@pytest.mark.parametrize(("noise", "factor"), [(0.1, 1.0), (0.3, 4.0), (0.05, 2.0)])
def test_what_errors_were_made_with_is_found(noise: float, factor: float) -> None:
    rng = torch.Generator().manual_seed(0)
    between = torch.rand(3000, generator=rng, dtype=torch.float64).square()
    truth = Spread(noise, factor, float(between.mean()))
    errors = torch.randn(3000, generator=rng, dtype=torch.float64) * (noise + truth.of(between, 5)).sqrt()
    found = fit_spread(errors.square(), between, 5)
    total = found.noise + found.of(between, 5)
    assert abs(float((errors.square() / total).mean()) - 1) < 0.1
    assert found.noise == pytest.approx(noise, rel=0.5)
    assert found.factor == pytest.approx(factor, rel=0.35)


def test_few_labels_stay_near_the_prior() -> None:
    found = fit_spread(torch.zeros(1).double(), torch.zeros(1).double(), 2)
    assert 0.05 * PSEUDO / 3 <= found.noise <= 1
    assert 0.3 < found.factor < 3


def test_covariance_has_the_variances_on_its_diagonal() -> None:
    outputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    spread = Spread(0.1, 2.0, 0.5)
    covariance = spread.covariance(torch.cov(outputs.T), 4)
    torch.testing.assert_close(covariance.diagonal(), spread.of(outputs.var(0), 4))
    assert (torch.linalg.eigvalsh(covariance) > 0).all()
