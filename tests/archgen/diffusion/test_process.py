"""The noise process against its definition, and the bound against the law's own -log p."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from archgen.diffusion.process import EDGE_MASK, Masked, Slots, add_noise, hide, negative_elbo, varying_slots
from graphs.batch import encode

SIX_SIGMA = 6  # a two-sided normal deviate this large comes once in 500 million


def test_varying_slots_are_those_that_differ(tree_space) -> None:
    slots = varying_slots(encode(tree_space, tree_space.listed))
    assert slots.nodes.tolist() == [[False] * 2, *[[True, True]] * 3, [False] * 2]
    assert sorted(map(tuple, slots.edges.nonzero().tolist())) == [
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 3),
        (2, 4),
    ]
    assert slots.count == 13
    one = varying_slots(encode(tree_space, tree_space.listed[:1]))
    assert one.count == 0


@pytest.mark.parametrize("time", [0.05, 0.5, 0.9])
def test_slots_are_masked_with_probability_time(tree_space, repeated, slots_of, time: float) -> None:
    draws, slots = 20_000, slots_of(tree_space)
    clean = repeated(encode(tree_space, tree_space.listed[:1]), draws)
    masked = add_noise(clean, slots, torch.full((draws,), time), torch.tensor([4, 3]), torch.Generator().manual_seed(1))
    error = SIX_SIGMA * math.sqrt(time * (1 - time) / draws)
    assert (masked.hidden_nodes.double().mean(0)[slots.nodes] - time).abs().max() < error
    assert (masked.hidden_edges.double().mean(0)[slots.edges] - time).abs().max() < error
    hidden = torch.cat([masked.hidden_nodes[:, slots.nodes], masked.hidden_edges[:, slots.edges]], 1).double()
    correlation = np.corrcoef(hidden.T.numpy()) - np.eye(slots.count)
    assert np.abs(correlation).max() < SIX_SIGMA / math.sqrt(draws), "slots must be masked independently"


def test_time_is_each_graphs_own_and_one_masks_all(tree_space, slots_of) -> None:
    clean, slots = encode(tree_space, tree_space.listed[:2]), slots_of(tree_space)
    masked = add_noise(clean, slots, torch.tensor([1.0, 0.0]), torch.tensor([4, 3]), torch.Generator().manual_seed(2))
    assert torch.equal(masked.hidden_nodes, torch.stack([slots.nodes, torch.zeros_like(slots.nodes)]))
    assert torch.equal(masked.hidden_edges, torch.stack([slots.edges, torch.zeros_like(slots.edges)]))


def test_fixed_slots_keep_their_values_and_hidden_ones_take_the_mask_code(tree_space, repeated, slots_of) -> None:
    slots, mask_codes = slots_of(tree_space), torch.tensor([4, 3])
    clean = repeated(encode(tree_space, tree_space.listed[17:18]), 500)
    masked = add_noise(clean, slots, torch.rand(500), mask_codes, torch.Generator().manual_seed(3))
    assert not masked.hidden_nodes[:, ~slots.nodes].any()
    assert not masked.hidden_edges[:, ~slots.edges].any()
    assert torch.equal(masked.codes[~masked.hidden_nodes], clean.codes[~masked.hidden_nodes])
    assert torch.equal(masked.edges[~masked.hidden_edges], clean.adj.long()[~masked.hidden_edges])
    assert torch.equal(masked.codes == mask_codes, masked.hidden_nodes)
    assert torch.equal(masked.edges == EDGE_MASK, masked.hidden_edges)
    assert len(masked) == 500


def test_no_slot_hidden_costs_nothing(product_space, product_law, exact_denoiser) -> None:
    denoiser, clean = exact_denoiser(product_space, product_law), encode(product_space, product_space.listed)
    shown = hide(clean, torch.zeros_like(clean.codes).bool(), torch.zeros_like(clean.adj), denoiser.mask_codes)
    assert torch.equal(negative_elbo(*denoiser(shown), clean, shown, torch.ones(72)), torch.zeros(72).double())


@pytest.mark.parametrize("time", [0.1, 0.5, 1.0])
def test_bound_is_minus_log_p_at_every_time_where_slots_are_independent(
    product_space, product_law, exact_denoiser, all_masks, slots_of, repeated, time: float
) -> None:
    """The mean over all masks at a fixed time is -log p(x): a slot is hidden with probability t and counts 1 / t."""
    denoiser, slots = exact_denoiser(product_space, product_law), slots_of(product_space)
    for place in range(0, 72, 5):
        clean = encode(product_space, [product_space.listed[place]])
        masked = all_masks(clean, slots, denoiser.mask_codes)
        hidden = _hidden(masked)
        chance = time ** hidden.double() * (1 - time) ** (slots.count - hidden)
        times = torch.full((len(masked),), time, dtype=torch.float64)
        bound = negative_elbo(*denoiser(masked), repeated(clean, len(masked)), masked, times)
        assert float((chance * bound).sum()) == pytest.approx(-math.log(product_law[place]), abs=1e-5)


def test_bound_over_all_times_is_minus_log_p_for_any_law(
    tree_space, tree_law, exact_denoiser, all_masks, slots_of, repeated
) -> None:
    """With exact conditionals the bound is tight graph by graph (the chain rule, averaged over orders of the slots)."""
    denoiser, slots = exact_denoiser(tree_space, tree_law), slots_of(tree_space)
    for place in (0, 31, 80):
        clean = encode(tree_space, [tree_space.listed[place]])
        masked = all_masks(clean, slots, denoiser.mask_codes)
        bound = _integrated(denoiser(masked), repeated(clean, len(masked)), masked, slots)
        assert bound == pytest.approx(-math.log(tree_law[place]), abs=1e-5)


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_drawn_bound_is_the_entropy_for_the_exact_network_and_more_for_any_other(
    tree_space, tree_law, exact_denoiser, slots_of, sharpness: float
) -> None:
    """Monte Carlo over graphs, times and masks, as training draws them; fails by chance once in 500 million."""
    denoiser, draws, rng = exact_denoiser(tree_space, tree_law), 20_000, torch.Generator().manual_seed(4)
    rows = torch.multinomial(tree_law, draws, replacement=True, generator=rng)
    clean = encode(tree_space, tree_space.listed)[rows]
    time = ((torch.rand((), generator=rng) + torch.arange(draws) / draws) % 1).clamp(min=1e-3)
    masked = add_noise(clean, slots_of(tree_space), time, denoiser.mask_codes, rng)
    nodes, edges = denoiser(masked)
    exact = negative_elbo(nodes, edges, clean, masked, time)
    other = negative_elbo(sharpness * nodes, sharpness * edges, clean, masked, time)
    entropy = -float((tree_law * tree_law.log()).sum())
    assert _error(exact) < 0.25
    assert abs(float(exact.mean()) - entropy) < _error(exact) + 1e-3 * 13  # the times below 1e-3 that are left out
    assert float((other - exact).mean()) > _error(other - exact)


def _error(sample: Tensor) -> float:
    return SIX_SIGMA * float(sample.std()) / math.sqrt(len(sample))


def _hidden(masked: Masked) -> Tensor:
    return masked.hidden_nodes.sum((1, 2)) + masked.hidden_edges.sum((1, 2))


def _integrated(logits: tuple[Tensor, Tensor], clean, masked: Masked, slots: Slots) -> float:
    """The integral over t of the mean bound: a polynomial, so that Gauss-Legendre quadrature is exact."""
    ones = torch.ones(len(masked), dtype=torch.float64)
    cost, hidden, m = negative_elbo(*logits, clean, masked, ones), _hidden(masked), slots.count
    points, weights = np.polynomial.legendre.leggauss(m)
    total = 0.0
    for t, weight in zip((1 + points) / 2, weights / 2, strict=True):
        chance = t ** (hidden - 1.0).clamp(min=0) * (1 - t) ** (m - hidden).double()
        total += weight * float((chance * cost).sum())  # where nothing is hidden the cost is 0
    return total
