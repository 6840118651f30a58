"""The noise process against its definition, and the bound against the law's own -log p."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import new_denoiser
from archgen.diffusion.process import Noised, add_noise, negative_elbo
from graphs.layout import Layout, layout_of

SIX_SIGMA = 6  # a two-sided normal deviate this large comes once in 500 million


def noised(layout: Layout, rows: Tensor, seed: int) -> Noised:
    return add_noise(rows, layout.start(rows), layout.hidden, torch.Generator().manual_seed(seed))


def test_hidden_slots_hold_the_hidden_value_and_others_their_own(toy) -> None:
    layout = layout_of(toy)
    rows = layout.read(toy.listed).repeat(5, 1)
    found = noised(layout, rows, 1)
    assert torch.equal(found.values, torch.where(found.hidden, layout.hidden, rows))
    assert torch.equal(found.free, (layout.start(rows) == layout.hidden).sum(1))


def test_given_slots_are_never_hidden_and_every_other_one_is(growing_space) -> None:
    layout = layout_of(growing_space)
    rows = layout.read(growing_space.listed).repeat(20, 1)
    given = layout.start(rows) != layout.hidden
    found = noised(layout, rows, 2)
    assert given.any()
    assert not (found.hidden & given).any()
    assert (found.hidden.any(0) == (~given).any(0)).all()
    assert found.hidden.any(1).all(), "at least one slot of each row is hidden"


def test_every_number_of_hidden_slots_comes_equally_often(tree_space) -> None:
    """Exactly so where the batch is a multiple of the number of slots, for the numbers are spread over the batch."""
    layout = layout_of(tree_space)
    for seed in range(5):
        found = noised(layout, layout.read(tree_space.listed[:1]).repeat(700, 1), seed)
        counts = torch.bincount(found.hidden.sum(1), minlength=8).tolist()
        assert counts[0] == 0
        assert max(abs(count - 100) for count in counts[1:]) <= 1, counts


def test_numbers_are_spread_over_the_batch_in_random_order(tree_space) -> None:
    """A row's number must not follow from its place: over many batches each of 1 to 7 comes at each place."""
    layout = layout_of(tree_space)
    rows = layout.read(tree_space.listed[:7])
    found = torch.stack([noised(layout, rows, seed).hidden.sum(1) for seed in range(700)])
    for place in range(7):
        counts = torch.bincount(found[:, place], minlength=8)[1:].double()
        assert float((counts - 100).square().sum() / 100) < 41  # chi-square of 6 degrees: less than 1 in a million


def test_all_sets_of_one_size_are_equally_likely(tree_space) -> None:
    layout, draws = layout_of(tree_space), 20_000
    hidden = noised(layout, layout.read(tree_space.listed[:1]).repeat(draws, 1), 3).hidden
    for size in (1, 3, 6):
        sets = (hidden[hidden.sum(1) == size].long() * 2 ** torch.arange(7)).sum(1)
        counts = torch.bincount(sets, minlength=128).double()
        expected = len(sets) / math.comb(7, size)
        used = [sum(2**slot for slot in some) for some in itertools.combinations(range(7), size)]
        assert counts.sum() == counts[used].sum()
        z = (counts[used] - expected) / math.sqrt(expected * (1 - 1 / math.comb(7, size)))
        assert z.abs().max() < SIX_SIGMA


def test_the_seed_decides(tree_space) -> None:
    layout = layout_of(tree_space)
    rows = layout.read(tree_space.listed)
    state = torch.get_rng_state()
    first, again, other = (noised(layout, rows, seed).values for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def all_noise(layout: Layout, row: Tensor) -> tuple[Noised, Tensor]:
    """One row under every set of hidden slots that noise may choose, and the probability of each."""
    free = (layout.start(row[None])[0] == layout.hidden).nonzero()[:, 0]
    m = len(free)
    hidden = torch.zeros(2**m - 1, len(row), dtype=torch.bool)
    hidden[:, free] = (torch.arange(1, 2**m)[:, None] >> torch.arange(m)) % 2 == 1
    chance = torch.tensor([1 / (m * math.comb(m, size)) for size in hidden.sum(1).tolist()], dtype=torch.float64)
    values = torch.where(hidden, layout.hidden, row)
    return Noised(values, hidden, torch.full((len(hidden),), m)), chance


def test_bound_is_minus_log_p_for_any_law_where_the_conditionals_are_exact(toy, law_of, exact) -> None:
    """Graph by graph, over all sets of hidden slots: the chain rule, averaged over orders; given its start."""
    layout, law = layout_of(toy), law_of(toy)
    predict = exact(layout, law)
    rows = layout.read(toy.listed)
    starts = layout.start(rows)
    for place in range(0, toy.size, 9):
        noise, chance = all_noise(layout, rows[place])
        assert float(chance.sum()) == pytest.approx(1)
        bound = negative_elbo(predict(noise.values), rows[place].expand_as(noise.values), noise)
        given = law[(starts == starts[place]).all(1)].sum()
        assert float(chance @ bound) == pytest.approx(-math.log(law[place] / given), abs=1e-5)


@pytest.mark.parametrize("place", [0, 3])
def test_bound_of_any_network_is_the_mean_cost_over_all_orders(growing_space, product_space, place: int) -> None:
    """Against the orders themselves: 120 of the product's five slots, 720 of a one-layer graph's six open ones."""
    for space in (product_space, growing_space):
        layout = layout_of(space)
        row = layout.read(space.listed)[place]
        noise, chance = all_noise(layout, row)
        with torch.no_grad():
            logits = new_denoiser(layout, DenoiserConfig(8, 1, 2), 1)(noise.values).double() * 3
        loss = -logits.masked_fill(logits < -1e6, -torch.inf).log_softmax(-1)[:, torch.arange(len(row)), row]
        cost = {tuple(hidden.tolist()): loss[at] for at, hidden in enumerate(noise.hidden)}
        free = noise.hidden.any(0).nonzero()[:, 0].tolist()
        total, orders = 0.0, list(itertools.permutations(free))
        for order in orders:
            hidden = [slot in free for slot in range(len(row))]
            for slot in order:
                total += float(cost[tuple(hidden)][slot])
                hidden[slot] = False
        bound = negative_elbo(logits, row.expand_as(noise.values), noise)
        assert float(chance @ bound) == pytest.approx(total / len(orders), rel=1e-6)


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_drawn_bound_is_the_entropy_for_the_exact_network_and_more_for_any_other(
    tree_space, law_of, exact, sharpness: float
) -> None:
    """Monte Carlo over graphs and sets of slots, as training draws them; fails by chance once in 500 million."""
    layout, law = layout_of(tree_space), law_of(tree_space)
    predict, rng = exact(layout, law), torch.Generator().manual_seed(4)
    clean = layout.read(tree_space.listed)[torch.multinomial(law, 20_000, replacement=True, generator=rng)]
    noise = add_noise(clean, layout.start(clean), layout.hidden, rng)
    logits = predict(noise.values)
    bound, other = (negative_elbo(scale * logits, clean, noise) for scale in (1, sharpness))
    entropy = -float((law * law.log()).sum())
    assert _error(bound) < 0.25
    assert abs(float(bound.mean()) - entropy) < _error(bound)
    assert float((other - bound).mean()) > _error(other - bound)


def test_a_row_that_is_given_whole_costs_nothing(tree_space) -> None:
    layout = layout_of(tree_space)
    rows = layout.read(tree_space.listed)
    noise = add_noise(rows, rows, layout.hidden, torch.Generator())
    assert not noise.hidden.any()
    assert torch.equal(noise.values, rows)
    assert not negative_elbo(torch.randn(81, 7, 5), rows, noise).any()


def _error(sample: Tensor) -> float:
    return SIX_SIGMA * float(sample.std()) / math.sqrt(len(sample))
