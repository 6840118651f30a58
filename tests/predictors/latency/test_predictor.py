"""LatencyPredictor: costs that add up are found, its posterior is that of the textbook, mistakes are told."""

import pytest
import torch
from torch import Tensor

from graphs.errors import InvalidOption
from predictors.latency.predictor import LatencyPredictor, fit_latency

SIZES = (3, 2)


def rows(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, sum(SIZES), generator=torch.Generator().manual_seed(seed)).double()


def cost(seen: Tensor) -> Tensor:
    return 20 + seen @ torch.tensor([1.0, 2.0, 0.5, 0.0, 0.0]).double()


@pytest.fixture(scope="module")
def predictor() -> LatencyPredictor:
    return fit_latency(SIZES, rows(40), cost(rows(40)))


def test_costs_that_add_up_are_found(predictor: LatencyPredictor) -> None:
    mean, deviation = predictor.predict(rows(100, 1))
    assert (mean - cost(rows(100, 1))).abs().max() < 0.3
    assert bool((deviation > 0).all())
    assert predictor.noise < 0.1


def test_the_posterior_is_that_of_a_gaussian_process() -> None:
    asked, seen = rows(7, 1), rows(40)
    noisy = cost(seen) + torch.randn(40, generator=torch.Generator().manual_seed(2))
    predictor = fit_latency(SIZES, seen, noisy)
    kernel, latent = predictor.model.covar_module, predictor.warp(noisy)
    with torch.no_grad():
        noise = (predictor.noise / predictor.warp.std) ** 2
        inverse = torch.linalg.inv(kernel.forward(seen, seen) + noise * torch.eye(40))
        cross = kernel.forward(asked, seen)
        mean = predictor.warp.inverse(cross @ inverse @ latent)
        variance = (kernel.forward(asked, asked) - cross @ inverse @ cross.T).diagonal()
    found, deviation = predictor.predict(asked)
    torch.testing.assert_close(found, mean, rtol=1e-3, atol=1e-3)
    expected = (predictor.inflation * variance).sqrt() * predictor.warp.std
    torch.testing.assert_close(deviation, expected, rtol=0.05, atol=1e-3)


def test_intervals_hold_what_they_say() -> None:
    rng = torch.Generator().manual_seed(2)
    noisy = cost(rows(100)) + 0.5 * torch.randn(100, generator=rng)
    predictor = fit_latency(SIZES, rows(100), noisy)
    assert 0.35 < predictor.noise < 0.65
    mean, deviation = predictor.predict(rows(1000, 1))
    assert 0.7 < float(((mean - cost(rows(1000, 1))).abs() < 1.2816 * deviation).double().mean()) <= 1


def test_the_same_measurements_give_the_same_predictor(predictor: LatencyPredictor) -> None:
    again = fit_latency(SIZES, rows(40), cost(rows(40)))
    for one, other in zip(predictor.predict(rows(5, 1)), again.predict(rows(5, 1)), strict=True):
        assert torch.equal(one, other)


def test_equal_latencies_and_no_rows(predictor: LatencyPredictor) -> None:
    mean, _ = fit_latency(SIZES, rows(5), torch.full((5,), 3.0)).predict(rows(3, 1))
    torch.testing.assert_close(mean, torch.full((3,), 3.0).double(), atol=0.2, rtol=0)
    assert predictor.predict(rows(0))[0].shape == (0,)


def test_what_is_refused(predictor: LatencyPredictor) -> None:
    with pytest.raises(InvalidOption, match="1 measurements; expected 2 to"):
        fit_latency(SIZES, rows(1), torch.ones(1))
    with pytest.raises(InvalidOption, match="expected 3 rows of 5 features"):
        fit_latency(SIZES, rows(4), torch.ones(3))
    with pytest.raises(InvalidOption, match="the latency of row 1 is nan"):
        fit_latency(SIZES, rows(2), torch.tensor([1.0, torch.nan]))
    with pytest.raises(InvalidOption, match="expected rows of 5 features, got 4"):
        predictor.predict(torch.zeros(2, 4))
