"""Guidance against the exact tilted law, and what scores of every kind do to it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archgen.diffusion.guidance import Guide, choose, guided_rows, strength_for
from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError, InvalidOption
from graphs.layout import layout_of

INF = math.inf


def effective(beta: float, score: torch.Tensor) -> float:
    """Kish's effective sample size of the weights exp(beta * score)."""
    weight = (beta * (score - score.max())).exp().nan_to_num()
    return float(weight.sum() ** 2 / weight.square().sum())


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_strength_meets_the_effective_sample_size(share: float, unit: float) -> None:
    score = torch.randn(512, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * unit + 3
    beta = strength_for(score, share)
    assert effective(beta, score) == pytest.approx(share * 512, rel=1e-3)


def test_strength_of_equal_scores_is_zero() -> None:
    assert strength_for(torch.full((40,), -7.5, dtype=torch.float64), 0.2) == 0
    assert strength_for(torch.tensor([1.0], dtype=torch.float64), 0.2) == 0


def test_strength_scales_inversely_and_ignores_shifts() -> None:
    score = torch.rand(200, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    beta = strength_for(score, 0.3)
    assert strength_for(score * 1000 - 5, 0.3) * 1000 == pytest.approx(beta, rel=1e-6)


@pytest.mark.parametrize("outlier", [-1e3, -1e6, -1e100, -1e300, -INF])
def test_one_hopeless_candidate_does_not_switch_the_guidance_off(outlier: float) -> None:
    """Log expected improvement can be extremely negative for some graphs."""
    score = torch.randn(256, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    score[17] = outlier
    beta = strength_for(score, 0.2)
    assert math.isfinite(beta)
    assert effective(beta, score) == pytest.approx(0.2 * 256, rel=1e-3)


def test_ties_at_the_top_give_a_finite_strength_that_leaves_only_them() -> None:
    score = torch.tensor([2.0] * 6 + [1.0, 0.0, -INF, -1e9], dtype=torch.float64)
    beta = strength_for(score, 0.2)
    assert math.isfinite(beta)
    assert effective(beta, score) == pytest.approx(6, abs=1e-6)


@pytest.mark.parametrize("score", [[-INF] * 5, [-INF] * 4 + [1.0], [-INF] * 3 + [1.0, 1.0]])
def test_strength_where_nothing_can_be_compared_is_zero(score: list[float]) -> None:
    assert strength_for(torch.tensor(score, dtype=torch.float64), 0.2) == 0


NUMBERS = st.one_of(st.floats(-1e300, 1e300), st.sampled_from([-INF, -1e300, 0.0, 1e-300]))


@settings(max_examples=25, deadline=None)
@given(score=st.lists(NUMBERS, min_size=1, max_size=20), share=st.floats(0.01, 1))
def test_any_allowed_scores_give_a_finite_strength_and_a_choice(score: list[float], share: float) -> None:
    tensor = torch.tensor(score, dtype=torch.float64)
    beta = strength_for(tensor, share)
    assert math.isfinite(beta)
    assert beta >= 0
    guide = Guide(lambda _: np.array(score), None, candidates=len(score), share=share)
    row = int(choose(guide, [ArchGraph((), ())] * len(score), 1, torch.Generator())[0])
    assert score[row] > -INF or max(score) == -INF


def picks(space, score: list[float], strength: float | None, draws: int) -> torch.Tensor:
    """How often each candidate of equal runs was kept."""
    guide = Guide(lambda _: np.tile(score, draws), strength, candidates=len(score))
    rows = choose(guide, space.listed[:1] * (len(score) * draws), draws, torch.Generator().manual_seed(4))
    assert torch.equal(rows // len(score), torch.arange(draws)), "each run keeps one of its own"
    return torch.bincount(rows % len(score), minlength=len(score)).double() / draws


@pytest.mark.parametrize("strength", [0.0, 0.7, 3.0])
def test_choice_frequencies_are_the_softmax(tree_space, strength: float) -> None:
    """Each frequency within 6 sigma."""
    score, draws = [0.3, -1.0, 2.0, 0.0], 20_000
    expected = (strength * torch.tensor(score, dtype=torch.float64)).softmax(0)
    found = picks(tree_space, score, strength, draws)
    assert ((found - expected).abs() < 6 * (expected * (1 - expected) / draws).sqrt()).all()


@pytest.mark.parametrize("strength", [0.0, 2.0, None])
def test_minus_infinity_forbids_and_all_of_them_mean_chance(tree_space, strength: float | None) -> None:
    assert picks(tree_space, [-INF, 1.0, 1.0, -INF], strength, 2_000)[[0, 3]].sum() == 0
    chance = picks(tree_space, [-INF] * 4, strength, 20_000)
    assert ((chance - 0.25).abs() < 6 * math.sqrt(0.25 * 0.75 / 20_000)).all()


@pytest.mark.parametrize("wrong", [math.nan, INF])
def test_a_score_that_is_no_number_is_named(tree_space, wrong: float) -> None:
    guide = Guide(lambda _: np.array([0.0, -INF, wrong, 1.0]), candidates=4)
    with pytest.raises(EvaluationError, match=str(wrong)) as caught:
        choose(guide, tree_space.listed[:4], 1, torch.Generator())
    assert str(tree_space.listed[2]) in str(caught.value)


@pytest.mark.parametrize("score", [np.zeros(3), np.zeros((4, 1)), np.float64(0)])
def test_a_score_for_each_graph_is_required(tree_space, score) -> None:
    with pytest.raises(EvaluationError, match="4 graphs"):
        choose(Guide(lambda _: np.asarray(score), candidates=4), tree_space.listed[:4], 1, torch.Generator())


@pytest.mark.parametrize(
    "options", [{"candidates": 0}, {"share": 0.0}, {"share": 1.5}, {"strength": math.nan}, {"strength": INF}]
)
def test_impossible_guides_are_refused(options) -> None:
    with pytest.raises(InvalidOption):
        Guide(lambda graphs: np.zeros(len(graphs)), **options)


def guided(space, predict, guide: Guide, draws: int, steps: int, watch=None) -> list[ArchGraph]:
    layout, rng = predict.layout, torch.Generator().manual_seed(6)
    start = layout.start(layout.read(space.listed))[torch.multinomial(predict.law, draws, True, generator=rng)]
    return layout.write(guided_rows(layout, predict, start, steps, rng, guide, watch))


def scored(space, f: np.ndarray, strength: float | None = None, candidates: int = 8, compete: bool = False) -> Guide:
    """A guide by a score that is listed for every graph."""
    return Guide(
        lambda graphs: np.array([f[space.places[graph]] for graph in graphs]), strength, candidates, compete=compete
    )


@pytest.mark.parametrize("case", ["product", pytest.param("tree", marks=pytest.mark.slow)])
def test_guided_draws_reach_the_exact_tilted_law_and_its_mean_rises(
    case: str, request, law_of, exact, distance_to
) -> None:
    """Total variation to p(x) exp(beta f(x)) within 0.05 of what exact draws would have, at three strengths.

    That is for the toy product of independent slots. In the toy tree they depend on each other, and candidates drawn
    slot by slot stand for the joint law only approximately: draws then come three quarters of the way.
    """
    space = request.getfixturevalue(f"{case}_space")
    law = request.getfixturevalue("product_law") if case == "product" else law_of(space)
    draws, steps = (400, 2) if case == "product" else (600, 7)
    predict = exact(layout_of(space), law)
    f = torch.randn(space.size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    means = [float(law @ f)]
    for strength in (0.5, 1.0, 2.0):
        graphs = guided(space, predict, scored(space, f.numpy(), strength, 64), draws, steps)
        target = law * (strength * f).exp()
        target = target / target.sum()
        found, _ = distance_to(space, graphs, target)
        floor = float((target * (1 - target) / draws).sqrt().sum()) / math.sqrt(2 * math.pi)
        away = float((law - target).abs().sum()) / 2
        assert found < floor + (0.05 if case == "product" else away / 4), strength
        means.append(float(np.mean([f[space.places[graph]] for graph in graphs])))
    assert means == sorted(means)


def test_a_strength_of_zero_leaves_the_law(tree_space, law_of, exact, distance_to) -> None:
    law = law_of(tree_space)
    guide = scored(tree_space, np.random.default_rng(1).normal(size=81), 0.0, 2)
    graphs = guided(tree_space, exact(layout_of(tree_space), law), guide, 400, 7)
    found, limit = distance_to(tree_space, graphs, law)
    assert found < limit


def test_the_automatic_strength_raises_the_score_and_keeps_graphs_valid(toy, law_of, exact) -> None:
    f, predict = np.random.default_rng(1).normal(size=toy.size), exact(layout_of(toy), law_of(toy))
    mean = {}
    for strength in (0.0, None):
        graphs = guided(toy, predict, scored(toy, f, strength), 100, 3)
        mean[strength] = np.mean([f[toy.places[graph]] for graph in graphs])
    assert mean[None] > mean[0.0] + 0.5


def test_what_is_given_is_kept_and_the_start_is_left_as_it_was(growing_space, law_of, exact) -> None:
    """The score would have large graphs; the starts say how large each is."""
    layout = layout_of(growing_space)
    start = layout.start(layout.read(growing_space.listed))
    before, guide = start.clone(), Guide(lambda graphs: np.array([float(len(graph)) for graph in graphs]), 5.0)
    rng = torch.Generator().manual_seed(3)
    rows = guided_rows(layout, exact(layout, law_of(growing_space)), start, 3, rng, guide)
    assert torch.equal(start, before)
    assert torch.equal(layout.start(rows), start)


def test_competing_graphs_may_give_up_their_own_start(growing_space, law_of, exact) -> None:
    layout = layout_of(growing_space)
    start = layout.start(layout.read(growing_space.listed[:40]))
    guide = Guide(lambda graphs: np.array([float(len(graph)) for graph in graphs]), 9.0, compete=True)
    rows = guided_rows(layout, exact(layout, law_of(growing_space)), start, 4, torch.Generator(), guide)
    sizes = [len(graph) for graph in layout.write(rows)]
    assert sum(sizes) > sum(len(graph) for graph in growing_space.listed[:40])


def test_competing_graphs_bring_their_start_along(growing_space, law_of, exact) -> None:
    """A row that another one's candidate takes over goes on with what that one was given: no third size appears."""
    layout, predict = layout_of(growing_space), exact(layout_of(growing_space), law_of(growing_space))
    start = layout.start(layout.read([graph for graph in growing_space.listed if len(graph) > 3]))
    guide = scored(growing_space, np.random.default_rng(2).normal(size=84), candidates=3, compete=True)
    for seed in range(3):
        rows = guided_rows(layout, predict, start, 6, torch.Generator().manual_seed(seed), guide)
        assert {len(graph) for graph in layout.write(rows)} == {4, 5}


@pytest.mark.parametrize("compete", [False, True])
def test_watch_sees_the_graphs_of_every_step(toy, law_of, exact, compete: bool) -> None:
    seen: list[list[ArchGraph]] = []
    guide = scored(toy, np.arange(toy.size) / 10, None, 4, compete)
    predict = exact(layout_of(toy), law_of(toy))
    graphs = guided(toy, predict, guide, 10, 3, lambda kept: seen.append(list(kept)))
    assert [len(kept) for kept in seen] == [10] * 3
    assert seen[-1] == graphs
    for graph in (graph for kept in seen for graph in kept):
        toy.check(graph)


def compete(space, score: list[float], rows: int, seed: int, graphs=None, strength: float | None = None) -> list[int]:
    guide = Guide(lambda _: np.array(score), strength, candidates=len(score) // rows, compete=True)
    graphs = space.listed[: len(score)] if graphs is None else graphs
    return choose(guide, graphs, rows, torch.Generator().manual_seed(seed)).tolist()


def test_competing_candidates_are_drawn_without_replacement_by_their_weight(tree_space) -> None:
    """Against the law of successive draws: pairs of four candidates, each frequency within 6 sigma."""
    score, draws = [1.0, 0.0, -1.0, 0.5], 800
    weight = np.exp(score)
    found = np.zeros((4, 4))
    for seed in range(draws):
        first, second = compete(tree_space, score, 2, seed, strength=1.0)
        found[first, second] += 1 / draws
    for i, j in np.ndindex(4, 4):
        expected = 0.0 if i == j else weight[i] / weight.sum() * weight[j] / (weight.sum() - weight[i])
        assert abs(found[i, j] - expected) <= 6 * math.sqrt(expected * (1 - expected) / draws)


def test_competing_candidates_are_distinct_graphs_while_there_are_any(tree_space) -> None:
    a, b, c = tree_space.listed[:3]
    graphs, score = [a, a, a, b, c, a], [9.0, 9.0, 9.0, 0.0, -1.0, 9.0]
    for seed in range(30):
        kept = [graphs[place] for place in compete(tree_space, score, 3, seed, graphs)]
        assert set(kept) == {a, b, c}


@pytest.mark.parametrize("strength", [None, 0.0, 3.0])
@pytest.mark.parametrize("shift", [0.0, -1e9])
def test_competing_candidates_that_are_forbidden_come_last(tree_space, strength: float | None, shift: float) -> None:
    """Also behind repeated graphs, and where all others are equal, so that the strength is 0."""
    a, b = tree_space.listed[:2]
    for seed in range(30):
        assert set(compete(tree_space, [shift, -INF, shift, -INF], 2, seed, strength=strength)) == {0, 2}
        assert set(compete(tree_space, [shift, -INF, shift, -INF], 2, seed, [a, b, a, b], strength)) == {0, 2}
    assert len(set(compete(tree_space, [-INF] * 6, 3, 0, strength=strength))) == 3


def test_competition_keeps_its_order_far_from_zero(tree_space) -> None:
    """Log expected improvement lies anywhere; only differences count."""
    for seed in range(30):
        assert compete(tree_space, [-1e9, -1e9 + 50, -1e9 - 50, -1e9], 1, seed, strength=1.0) == [1]


def test_competing_guidance_gives_valid_graphs_with_higher_scores(tree_space, law_of, exact) -> None:
    f, predict = np.random.default_rng(1).normal(size=81), exact(layout_of(tree_space), law_of(tree_space))
    graphs, own = (guided(tree_space, predict, scored(tree_space, f, compete=c), 20, 6) for c in (True, False))
    for graph in graphs:
        tree_space.check(graph)
    assert np.mean([f[tree_space.places[graph]] for graph in graphs]) > f.mean() + 0.5
    assert len(set(graphs)) >= len(set(own))
