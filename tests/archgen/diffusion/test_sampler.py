"""The sampler: always valid, repeatable, and true to the law of its predictions."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import new_denoiser
from archgen.diffusion.sampler import (
    Fills,
    categorical,
    fill_in_turn,
    reveal,
    reveal_weighted,
    sample_rows,
    sample_weighted,
    schedule,
)
from graphs.layout import Layout, layout_of
from graphs.spaces.free_dag import FreeDag
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

SIZE = DenoiserConfig(width=16, layers=1, heads=2)
SIX_SIGMA = 6  # a two-sided normal deviate this large comes once in 500 million


def starts(layout: Layout, space, law: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Starts as often as a law's graphs have them."""
    rows = layout.read(space.listed)
    return layout.start(rows[torch.multinomial(law, count, replacement=True, generator=rng)])


def draw(space, predict, law, count: int, steps: int, seed: int = 0):
    layout, rng = layout_of(space), torch.Generator().manual_seed(seed)
    return layout.write(sample_rows(layout, predict, starts(layout, space, law, count, rng), steps, rng))


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("space", [NasBenchGraph(), NasBench201()], ids=lambda space: space.name)
def test_thousands_of_graphs_of_an_untrained_denoiser_are_valid(space, steps: int) -> None:
    """Validity must not depend on what the network says, so its weights are blown up too."""
    layout = layout_of(space)
    for gain in (1.0, 30.0):
        denoiser = new_denoiser(layout, SIZE, 1).eval()
        for parameter in denoiser.parameters():
            parameter.data *= gain
        rows = sample_rows(layout, denoiser, layout.hidden.repeat(500, 1), steps, torch.Generator().manual_seed(0))
        for graph in set(layout.write(rows)):
            space.check(graph)


def test_a_network_that_insists_on_what_is_forbidden_is_overruled() -> None:
    """All four layers of NAS-Bench-Graph may not be skip, whatever the logits."""
    space = NasBenchGraph()
    layout = layout_of(space)
    skip = layout.read([space.parse("0012|skip|skip|skip|gcn")])[0, 1]

    def insist(values: Tensor) -> Tensor:
        logits = torch.zeros(len(values), len(layout), 9)
        logits[:, 1:, skip] = 100.0
        return logits

    for steps in (1, 3, 5):
        rows = sample_rows(layout, insist, layout.hidden.repeat(500, 1), steps, torch.Generator().manual_seed(steps))
        assert ((rows[:, 1:] == skip).sum(1) == 3).all()
        layout.write(rows)
        free = sample_rows(layout, insist, layout.hidden.repeat(500, 1), steps, torch.Generator(), constrained=False)
        assert (free[:, 1:] == skip).all(), "unconstrained draws show what the network says"


@pytest.mark.parametrize("steps", [1, 4])
def test_every_number_of_steps_works_and_repeats_with_the_seed(toy, law_of, steps: int) -> None:
    denoiser, law = new_denoiser(layout_of(toy), SIZE, 2).eval(), law_of(toy)
    graphs = draw(toy, denoiser, law, 30, steps, seed=steps)
    assert draw(toy, denoiser, law, 30, steps, seed=steps) == graphs
    assert draw(toy, denoiser, law, 30, steps, seed=99) != graphs
    for graph in graphs:
        toy.check(graph)


def test_what_is_known_at_the_start_is_kept(toy) -> None:
    layout, rng = layout_of(toy), torch.Generator().manual_seed(1)
    denoiser, rows = new_denoiser(layout, SIZE, 2).eval(), layout.read(toy.listed)
    start = torch.where(torch.rand(rows.shape, generator=rng) < 0.5, rows, layout.hidden)
    kept = start.clone()
    for steps in (1, 3, 20):
        drawn = sample_rows(layout, denoiser, start, steps, rng)
        assert torch.equal(start, kept), "the caller's rows are left as they were"
        assert torch.equal(drawn[start != layout.hidden], start[start != layout.hidden])
        layout.write(drawn)
    assert torch.equal(sample_rows(layout, denoiser, rows, 3, rng), rows), "nothing is hidden, so nothing is drawn"


def test_only_states_on_the_way_are_asked_for(tree_space) -> None:
    """Each step predicts from rows that hide something, and ever less of it."""
    layout = layout_of(tree_space)
    denoiser, seen = new_denoiser(layout, SIZE, 2).eval(), []

    def watched(values: Tensor) -> Tensor:
        seen.append((values == layout.hidden).sum(1))
        return denoiser(values)

    sample_rows(layout, watched, layout.hidden.repeat(30, 1), 7, torch.Generator())
    assert [set(hidden.tolist()) for hidden in seen] == [{k} for k in range(7, 0, -1)]


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_independent_slots_are_drawn_exactly_in_any_number_of_steps(
    product_space, product_law, exact, distance_to, steps: int
) -> None:
    predict = exact(layout_of(product_space), product_law)
    graphs = draw(product_space, predict, product_law, 5_000, steps)
    found, limit = distance_to(product_space, graphs, product_law)
    assert found < limit


def test_any_law_is_reached_when_slots_are_shown_one_at_a_time(toy, law_of, exact, distance_to) -> None:
    layout, law = layout_of(toy), law_of(toy)
    graphs = draw(toy, exact(layout, law), law, 3_000, len(layout))
    found, limit = distance_to(toy, graphs, law)
    assert found < limit


def test_more_steps_come_closer_to_a_law_of_dependent_slots(tree_space, law_of, exact, distance_to) -> None:
    law = law_of(tree_space)
    predict = exact(layout_of(tree_space), law)
    found = [distance_to(tree_space, draw(tree_space, predict, law, 2_000, n), law)[0] for n in (1, 3, 7)]
    assert found[0] > found[1] + 0.02 > found[2] + 0.04


def some_hidden(layout: Layout, count: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, len(layout), generator=rng) < torch.rand(count, 1, generator=rng)


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_schedule_shows_equally_many_slots_at_each_step(tree_space, steps: int) -> None:
    layout, rng = layout_of(tree_space), torch.Generator().manual_seed(steps)
    hidden = some_hidden(layout, 500, steps)
    turn = schedule(layout, hidden, steps, rng)
    assert torch.equal(turn == -1, ~hidden)
    for row, open_slots in zip(turn.tolist(), hidden.sum(1).tolist(), strict=True):
        counts = [row.count(step) for step in range(steps)]
        used = [count for count in counts if count]
        assert sum(counts) == open_slots
        assert len(used) == min(open_slots, steps), "as many steps as there are slots, at most"
        assert counts == used + [0] * (steps - len(used)), "a row does not wait for its first slot"
        assert not used or max(used) - min(used) <= 1


def test_a_schedule_is_a_random_order(tree_space) -> None:
    """Each of 7 slots comes at each of 7 steps equally often, and at pairs of steps with any other slot."""
    layout, draws = layout_of(tree_space), 21_000
    turn = schedule(layout, torch.ones(draws, 7, dtype=torch.bool), 7, torch.Generator().manual_seed(1))
    for slot, other in itertools.combinations(range(7), 2):
        counts = torch.zeros(7, 7).index_put_((turn[:, slot], turn[:, other]), torch.ones(draws), accumulate=True)
        assert not counts.diagonal().any()
        expected = draws / 42
        assert ((counts[~torch.eye(7).bool()] - expected).abs() < SIX_SIGMA * math.sqrt(expected)).all()


@pytest.mark.parametrize("steps", range(1, 12))
def test_coupled_slots_share_no_step_where_there_are_enough(growing_space, steps: int) -> None:
    """Whether rows hide everything, something different each, or no more than there are steps."""
    layout = layout_of(growing_space)
    (group,) = layout.coupled
    for hidden in (
        torch.ones(300, len(layout), dtype=torch.bool),
        some_hidden(layout, 300, steps),
        torch.arange(len(layout)).expand(20, -1) >= len(layout) - steps,
    ):
        turn = schedule(layout, hidden, steps, torch.Generator().manual_seed(steps))
        assert torch.equal(turn == -1, ~hidden)
        assert int(turn.max()) < steps
        shared = max(int((turn[:, list(group)] == step).sum(1).max()) for step in range(steps))
        assert (shared <= 1) == (steps >= len(group) or bool((hidden.sum(1) <= steps).all()))


@pytest.mark.parametrize("steps", [5, 6, 7, 8])
def test_coupled_slots_leave_the_steps_about_equally_full(growing_space, steps: int) -> None:
    """On average over rows; a single row may have a step more or less full than it would be without them."""
    layout = layout_of(growing_space)
    hidden = torch.ones(4_000, len(layout), dtype=torch.bool)
    turn = schedule(layout, hidden, steps, torch.Generator().manual_seed(2))
    mean = torch.stack([(turn == step).double().sum(1).mean() for step in range(steps)])
    assert (mean - len(layout) / steps).abs().max() < 0.75


def test_reveal_shows_what_it_should_with_allowed_values(toy) -> None:
    """Random logits of any size on rows that some graph agrees with; the rest of the row stays as it was."""
    layout, rng = layout_of(toy), torch.Generator().manual_seed(3)
    rows = layout.read(toy.listed).repeat(3, 1)
    for spread in (1.0, 50.0):
        hidden = some_hidden(layout, len(rows), 4)
        state = torch.where(hidden, layout.hidden, rows)
        shown = hidden & (torch.rand(rows.shape, generator=rng) < 0.7)
        logits = torch.randn(*rows.shape, max(layout.sizes), generator=rng) * spread
        logits.masked_fill_(torch.arange(max(layout.sizes)) >= layout.hidden[:, None], -1e9)
        before = state.clone()
        found = reveal(layout, state, logits, shown, rng)
        assert torch.equal(state, before)
        assert torch.equal(found[~shown], state[~shown])
        assert (found < layout.hidden)[shown].all()
        layout.write(reveal(layout, found, logits, found == layout.hidden, rng))


@pytest.mark.parametrize("absent", [0.0, 1.0])
@pytest.mark.parametrize(("nodes", "edges"), [(3, None), (7, None), (12, None), (3, 2), (6, 5), (9, 9), (9, 12)])
def test_a_layout_that_fills_several_slots_at_once_fills_them_as_one_after_another(
    nodes: int, edges: int | None, absent: float
) -> None:
    """The same values are allowed at each place and the same drawn, also where most edges would rather be absent."""
    space = FreeDag("small", nodes, edges, ("a", "b"))
    layout, rng, numbers = layout_of(space), torch.Generator().manual_seed(0), np.random.default_rng(0)
    assert isinstance(layout, Fills)
    full = layout.read([space.sample(numbers) for _ in range(120)])
    operations = torch.arange(len(layout)) < layout.nodes - 2  # hidden also where their edges say that there is none
    hidden = some_hidden(layout, len(full), 1) & (operations | (layout.start(full) == layout.hidden))
    shown = hidden & (torch.rand(full.shape, generator=rng) < 0.7)
    slots, rows = shown.T.nonzero(as_tuple=True)
    wishes = torch.rand(len(slots), max(layout.sizes), generator=rng)
    wishes[:, 0] += absent
    found = []
    for fill in (layout.fill, partial(fill_in_turn, layout)):
        values, may = torch.where(hidden, layout.hidden, full), torch.zeros(wishes.shape, dtype=torch.bool)

        def draw(some: Tensor, allowed: Tensor, values: Tensor = values, may: Tensor = may) -> Tensor:
            may[some, : allowed.shape[1]] = allowed
            wish = wishes[some, : allowed.shape[1]].masked_fill(~allowed, -1.0)
            drawn = values[rows[some], slots[some]] = wish.argmax(1)
            return drawn

        fill(values, rows, slots, draw)
        found.append((values, may))
    (values, may), (expected, expected_may) = found
    assert torch.equal(may, expected_may)
    assert torch.equal(values, expected)
    assert (values < layout.hidden)[shown].all()
    edge = slots >= layout.nodes - 2
    assert not may[edge, :2].all(), "nothing was ever ruled out, so the order would not matter"


def test_reveal_without_constraints_draws_each_slot_by_itself(tree_space) -> None:
    layout, draws = layout_of(tree_space), 20_000
    logits = torch.randn(7, 5, generator=torch.Generator().manual_seed(4))
    logits = logits.masked_fill(torch.arange(5) >= layout.hidden[:, None], -1e9)
    hidden = torch.ones(draws, 7, dtype=torch.bool)
    rng = torch.Generator().manual_seed(5)
    found = reveal(layout, layout.hidden.repeat(draws, 1), logits.expand(draws, -1, -1), hidden, rng, False)
    p = logits.double().softmax(1)
    share = torch.nn.functional.one_hot(found, 5).double().mean(0)
    assert ((share - p).abs() <= SIX_SIGMA * (p * (1 - p) / draws).sqrt()).all()
    assert not layout.valid(found).all(), "this law has invalid rows, or the test shows nothing"


def test_reveal_draws_a_restricted_slot_from_what_is_left_of_its_law(tree_space) -> None:
    """The operation of a node whose `bits` are known: `fc` has none, so only `conv` agrees with 4."""
    layout, draws = layout_of(tree_space), 20_000
    op, bits = layout.node_slots.index((2, 0)) + 1, layout.node_slots.index((2, 1)) + 1
    state = layout.hidden.repeat(draws, 1)
    state[: draws // 2, op], state[draws // 2 :, bits] = 2, 1
    logits = torch.zeros(draws, 7, 5)
    logits[:, bits, :3] = torch.tensor([5.0, 0.0, 1.0])
    shown = torch.zeros(draws, 7, dtype=torch.bool)
    shown[: draws // 2, bits] = shown[draws // 2 :, op] = True
    found = reveal(layout, state, logits, shown, torch.Generator().manual_seed(6))
    assert (found[draws // 2 :, op] == 2).all()
    share = torch.bincount(found[: draws // 2, bits], minlength=3) / (draws / 2)
    p = 1 / (1 + math.e)
    assert share[0] == 0
    assert abs(float(share[1]) - p) < SIX_SIGMA * math.sqrt(p * (1 - p) / (draws / 2))


def test_path_weights_turn_draws_of_one_law_into_those_of_another(tree_space, law_of, exact) -> None:
    """One slot a step: a path's weight is then p(graph) / q(graph), whatever the order."""
    layout, p = layout_of(tree_space), law_of(tree_space)
    q = (p * torch.linspace(0.2, 3, 81).double())[torch.randperm(81, generator=torch.Generator().manual_seed(7))]
    q = q / q.sum()
    start, rng = layout.hidden.repeat(500, 1), torch.Generator().manual_seed(8)
    rows, log_weight = sample_weighted(layout, exact(layout, q), exact(layout, p), start, 7, rng)
    places = torch.tensor([tree_space.places[graph] for graph in layout.write(rows)])
    torch.testing.assert_close(log_weight, (p.log() - q.log())[places], rtol=1e-6, atol=1e-6)
    plain = sample_rows(layout, exact(layout, q), start, 7, torch.Generator().manual_seed(8))
    assert torch.equal(plain, rows), "weights do not change what is drawn"


def test_path_weights_of_several_slots_a_step_average_to_one(tree_space, law_of, exact) -> None:
    """Also where the layout forbids values, after which both laws are made to sum to one again."""
    layout, rng = layout_of(tree_space), torch.Generator().manual_seed(9)
    target, law = new_denoiser(layout, SIZE, 1).eval(), law_of(tree_space)
    for steps in (1, 3):
        start = layout.hidden.repeat(6_000, 1)
        _, log_weight = sample_weighted(layout, exact(layout, 0.5 * law + 0.5 / 81), target, start, steps, rng)
        weight = log_weight.exp()
        assert abs(float(weight.mean()) - 1) < SIX_SIGMA * float(weight.std()) / math.sqrt(len(weight))
        assert float(weight.std()) > 0.01


def test_equal_logits_weigh_nothing_and_none_gives_no_weights(toy) -> None:
    layout, rng = layout_of(toy), torch.Generator().manual_seed(10)
    rows = layout.read(toy.listed)
    logits = torch.randn(*rows.shape, max(layout.sizes), generator=rng)
    logits.masked_fill_(torch.arange(max(layout.sizes)) >= layout.hidden[:, None], -1e9)
    start = layout.start(rows)
    for target in (logits, None):
        _, ratio = reveal_weighted(layout, start, logits, target, start == layout.hidden, rng)
        assert ratio.dtype == torch.float64
        assert not ratio.any()


def test_categorical_frequencies_are_the_softmax() -> None:
    logits, draws = torch.tensor([0.3, -1.0, -torch.inf, 2.0, 0.0, -torch.inf]), 60_000
    found = categorical(logits.expand(draws, -1), torch.Generator().manual_seed(11))
    p = logits.double().softmax(0)
    share = torch.bincount(found, minlength=6).double() / draws
    assert ((share - p).abs() <= SIX_SIGMA * (p * (1 - p) / draws).sqrt()).all()
    assert share[2] == share[5] == 0


def test_categorical_draws_rows_independently_from_their_own_laws() -> None:
    logits = torch.tensor([[0.0, 0.0], [1.0, -1.0]]).repeat(20_000, 1)
    found = categorical(logits, torch.Generator().manual_seed(12)).view(-1, 2).double()
    expected = torch.tensor([0.5, 1 / (1 + math.exp(2))]).double()
    assert ((found.mean(0) - expected).abs() < SIX_SIGMA * 0.5 / math.sqrt(20_000)).all()
    assert abs(float(torch.corrcoef(found.T)[0, 1])) < SIX_SIGMA / math.sqrt(20_000)


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
def test_categorical_bears_logits_of_any_size(offset: float) -> None:
    rng = torch.Generator().manual_seed(13)
    sure = torch.tensor([-1e9, offset, -torch.inf, offset - 200]).expand(1000, -1)
    assert (categorical(sure, rng) == 1).all()
    assert categorical(torch.empty(0, 3), rng).tolist() == []
    assert categorical(torch.full((4, 1), offset), rng).tolist() == [0] * 4
