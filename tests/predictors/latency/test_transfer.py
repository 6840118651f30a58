"""Transfer: a device that is like known ones is learned from ten measurements; references by a naive greedy search."""

import pytest
import torch
from torch import Tensor

from graphs.errors import InvalidOption
from predictors.latency.predictor import fit_latency
from predictors.latency.transfer import INTERCEPT, NOISE, choose_references, device_rows


@pytest.fixture(scope="module")
def known() -> Tensor:
    """Two kinds of devices: what costs the one little costs the other much."""
    rng = torch.Generator().manual_seed(0)
    one, other = 5 + torch.rand(2, 300, generator=rng).double()
    return torch.stack([one, 3 * one + other, other, one + 2 * other], 1)


def test_groups_of_rows(known: Tensor) -> None:
    features = torch.randn(300, 6).double()
    seen = device_rows(known, features.split((2, 4), 1))
    assert seen.sizes == (1, 4, 2, 4)
    assert seen.rows.shape == (300, 11)
    torch.testing.assert_close(seen.rows[:, 0].std(), torch.tensor(1.0).double())
    assert seen.rows[:, 1:5].sum(1).abs().max() < 1e-9  # deviations from the mean device
    torch.testing.assert_close(device_rows(known * torch.tensor([1.0, 10.0, 0.1, 7.0])).rows, device_rows(known).rows)


def test_ten_measurements_are_enough_for_a_mixture_of_known_devices(known: Tensor) -> None:
    latency = 0.2 * known[:, 0] + 1.5 * known[:, 2] + 4
    seen = device_rows(known)
    references = choose_references(seen.rows, 10)
    mean, _ = fit_latency(seen.sizes, seen.rows[references], latency[references]).predict(seen.rows)
    assert (mean / latency - 1).abs().max() < 0.02


def test_references_are_the_greedy_d_optimal_design(known: Tensor) -> None:
    rows = device_rows(known).rows[:40]
    inputs = torch.cat([torch.full((40, 1), INTERCEPT).double(), rows], 1)

    def information(chosen: list[int]) -> float:
        some = inputs[chosen]
        return float(torch.logdet(some @ some.T + NOISE**2 * torch.eye(len(chosen))))

    chosen: list[int] = []
    for _ in range(4):
        chosen.append(max((row for row in range(40) if row not in chosen), key=lambda row: information([*chosen, row])))
    assert choose_references(rows, 4).tolist() == chosen
    assert sorted(choose_references(rows, 40).tolist()) == list(range(40))


def test_what_is_refused(known: Tensor) -> None:
    with pytest.raises(InvalidOption, match="cannot choose 0 of 300"):
        choose_references(known, 0)
    with pytest.raises(InvalidOption, match="cannot choose 301 of 300"):
        choose_references(known, 301)
    for wrong in (known[:, :0], known[:1]):
        with pytest.raises(InvalidOption, match="on a known device"):
            device_rows(wrong)
    for wrong in (known.where(known < 6, torch.nan), -known):
        with pytest.raises(InvalidOption, match="positive mean"):
            device_rows(wrong)
