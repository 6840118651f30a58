"""Dropout: its levels are exact, its mean is 1."""

import pytest
import torch

from gnn_search.dropping import LEVELS, drop_mask, dropout


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.5, 0.6, 0.8, 0.999])
def test_mean_variance_and_levels(share: float) -> None:
    torch.manual_seed(0)
    mask = drop_mask(torch.Size((1000, 1003)), share)
    rounded = min(round(share * LEVELS), LEVELS - 1) / LEVELS
    assert mask.unique().tolist() == [0.0, pytest.approx(1 / (1 - rounded))]
    spread = (rounded / (1 - rounded)) ** 0.5  # the standard deviation of one entry
    assert mask.mean().item() == pytest.approx(1.0, abs=5 * spread / 1000)
    assert mask.var().item() == pytest.approx(spread**2, rel=0.05)
    assert (mask == 0).float().mean().item() == pytest.approx(rounded, abs=3e-3)


def test_every_byte_is_equally_likely() -> None:
    """A share of one level drops one entry of 256."""
    torch.manual_seed(0)
    dropped = (drop_mask(torch.Size((10**6,)), 1 / LEVELS) == 0).float().mean().item()
    assert dropped == pytest.approx(1 / LEVELS, rel=0.1)


def test_entries_are_independent_of_their_neighbours() -> None:
    torch.manual_seed(0)
    mask = drop_mask(torch.Size((10**6,)), 0.5)
    for lag in (1, 2, 4, 8, 64):
        assert torch.corrcoef(torch.stack([mask[:-lag], mask[lag:]]))[0, 1].abs().item() < 5e-3


def test_nothing_is_dropped_outside_training_or_at_share_0() -> None:
    x = torch.randn(3, 4)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x
    assert (drop_mask(torch.Size((0, 4)), 0.5)).shape == (0, 4)


def test_the_gradient_passes_where_the_value_did() -> None:
    x = torch.ones(50, 50, requires_grad=True)
    found = dropout(x, 0.5, training=True)
    found.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, found.detach())
