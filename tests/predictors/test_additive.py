"""The additive predictor against textbook regression, enumeration, its own prior, and measured subnets."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, multivariate_normal

from graphs.errors import InvalidOption
from graphs.spaces.ofa_mobilenetv3 import DEPTHS, OfaMobileNetV3
from predictors.additive import AdditivePredictor, fit_additive
from predictors.slot_evidence import INTERCEPT, MOST_ROWS, surprise
from predictors.slot_features import SlotFeatures, slot_features
from predictors.slot_predictor import SlotPredictor, Warp
from predictors.targets import GapTransform

SIZES = (3, 2, 3, 4)
GROUPS = [(0, 2), (1, 3)]
ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))
TABLES = [torch.arange(size).double()[:, None] ** 1.5 for size in SIZES]
PLAIN = slot_features(SIZES)
FULL = slot_features(SIZES, groups=GROUPS, shared=[[range(4)]], costs=TABLES, attributes=TABLES)


def rows_of(count: int, seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return ROWS[torch.randint(len(ROWS), (count,), generator=rng)]


def worth(rows: torch.Tensor) -> torch.Tensor:
    """A made-up accuracy: sums over slots and pairs, saturating at 80."""
    return noisy(rows, 0.0)


def noisy(rows: torch.Tensor, noise: float = 0.05) -> torch.Tensor:
    added = rows.double() @ torch.tensor([0.3, 0.7, -0.2, 0.4]).double() + 0.5 * (rows[:, 0] * rows[:, 2] == 2)
    return 80 - 5 * torch.exp(-added - noise * torch.randn(len(rows), generator=torch.Generator().manual_seed(0)))


@pytest.fixture(
    scope="module",
    params=[(20, PLAIN), (20, FULL), (200, PLAIN), (200, FULL)],
    ids=["n20", "n20-full", "n200", "n200-full"],
)
def fitted(request) -> tuple[AdditivePredictor, torch.Tensor, torch.Tensor]:
    """Fewer and more labels than effects."""
    count, features = request.param
    rows = rows_of(count, 1)
    return fit_additive(features, rows, noisy(rows)), rows, noisy(rows)


def prior_by_hand(features: SlotFeatures, scales: dict, left: torch.Tensor, right: torch.Tensor) -> np.ndarray:
    """The covariance of the latent function, from rows as such; only the scaling of each term is taken over."""

    def unit(covariance):
        """Scaled so that the function's variance under uniform rows is 1 on average."""
        every = covariance(ROWS, ROWS)
        return covariance(left, right) / (every.diag().mean() - every.mean())

    def agree(slots):
        return lambda a, b: (a[:, None, slots] == b[None, :, slots]).all(2).double()

    def table(a, slot):
        return TABLES[slot][a[:, slot], 0]

    def total(a):
        return sum(table(a, slot) for slot in range(4))

    def counts(a):
        return torch.stack([(a == value).sum(1) for value in range(4)], 1).double()

    terms = {
        "slots": lambda a, b: sum(agree([slot])(a, b) for slot in range(4)),
        "attribute 0": lambda a, b: sum(torch.outer(table(a, slot), table(b, slot)) for slot in range(4)),
        "slots shared 0": lambda a, b: counts(a) @ counts(b).T,
        "attribute 0 shared 0": lambda a, b: torch.outer(total(a), total(b)),
        "cost 0": lambda a, b: torch.outer(total(a), total(b)),
        "pairs": lambda a, b: sum(agree(list(pair))(a, b) for pair in features.pairs),
    }
    return INTERCEPT**2 + sum(scale**2 * unit(terms[name]) for name, scale in scales.items()).numpy()


def test_posterior_is_textbook_regression(fitted) -> None:
    predictor, rows, targets = fitted
    features, scales = predictor.mean.features, predictor.scales
    seen = prior_by_hand(features, scales, rows, rows) + predictor.noise**2 * np.eye(len(rows))
    cross = prior_by_hand(features, scales, ROWS, rows)
    mean = cross @ np.linalg.solve(seen, predictor.warp(targets).numpy())
    every = prior_by_hand(features, scales, ROWS, ROWS)
    variance = np.diag(every - cross @ np.linalg.solve(seen, cross.T))
    found, spread = predictor.latent(ROWS)
    np.testing.assert_allclose(found, mean, atol=1e-6)
    np.testing.assert_allclose(spread, predictor.inflation * variance, atol=1e-7)


def test_parts_and_intercept_sum_to_the_row(fitted) -> None:
    predictor, _, _ = fitted
    for function in (predictor.mean, predictor.draw_effects(3)):
        parts = sum(function.part_score(group, ROWS[:, group]) for group in GROUPS)
        assert torch.allclose(function.intercept + parts, function(ROWS), atol=1e-9)
    if not predictor.mean.features.pairs:
        singles = sum(effect[ROWS[:, slot]] for slot, effect in enumerate(predictor.effects))
        assert torch.allclose(predictor.intercept + singles, predictor.latent(ROWS)[0], atol=1e-9)


def test_best_parts_make_the_best_row(fitted) -> None:
    """What a dynamic programme relies on, the warp included."""
    predictor, _, _ = fitted
    function, score = predictor.draw_effects(5), predictor.draw(5)
    best = torch.empty(len(SIZES), dtype=torch.int64)
    for group in GROUPS:
        choices = ROWS[:, group].unique(dim=0)
        best[list(group)] = choices[function.part_score(group, choices).argmax()]
    assert score(best[None]).item() == pytest.approx(score(ROWS).max().item())


def test_draws_have_the_posterior_moments(fitted) -> None:
    predictor, _, _ = fitted
    draws = torch.stack([predictor.draw_effects(seed)(ROWS) for seed in range(300)])
    mean, variance = predictor.latent(ROWS)
    assert ((draws.mean(0) - mean).abs() < 5 * (variance / 300).sqrt()).all()
    assert ((draws.var(0) / variance).log().abs() < 0.5).all(), "five deviations of a variance of 300 draws are 0.41"
    joint = np.corrcoef((draws - mean).T.numpy())
    assert np.abs(joint - np.eye(len(ROWS))).max() > 0.5, "one function, not independent values"


def test_draws_are_functions_of_the_seed(fitted) -> None:
    predictor, _, _ = fitted
    one, same, other = predictor.draw(1), predictor.draw(1), predictor.draw(2)
    assert torch.equal(one(ROWS), same(ROWS))
    assert torch.allclose(one(ROWS), torch.cat([one(row[None]) for row in ROWS]))
    assert not torch.allclose(one(ROWS), other(ROWS))


def test_protocol_and_determinism(fitted) -> None:
    predictor, rows, targets = fitted
    assert isinstance(predictor, SlotPredictor)
    mean, deviation = predictor.predict(ROWS)
    assert mean.dtype == deviation.dtype == torch.float64
    assert (deviation > 0).all()
    again = fit_additive(predictor.mean.features, rows, targets).predict(ROWS)
    assert torch.equal(mean, again[0])
    assert torch.equal(deviation, again[1])
    assert predictor.predict(ROWS[:0])[0].shape == (0,)


@settings(max_examples=5, deadline=None)
@given(st.floats(0.01, 100), st.floats(-100, 100))
def test_the_unit_does_not_matter(scale: float, shift: float) -> None:
    rows = rows_of(30, 2)
    mean, deviation = fit_additive(FULL, rows, noisy(rows)).predict(ROWS)
    other, spread = fit_additive(FULL, rows, noisy(rows) * scale + shift).predict(ROWS)
    assert torch.allclose((other - shift) / scale, mean, atol=2e-2)
    assert torch.allclose(spread / scale, deviation, rtol=0.05, atol=2e-3)


def test_a_warp_is_found_where_there_is_one() -> None:
    rows = rows_of(60, 3)
    errors = [
        (fit_additive(FULL, rows, noisy(rows), warped=warped).predict(ROWS)[0] - worth(ROWS)).abs().mean()
        for warped in (True, False)
    ]
    assert errors[0] < 0.6 * errors[1]


def test_unwarped_effects_are_in_the_unit_of_labels() -> None:
    effects = [torch.tensor([0.0, 1.0, 3.0]), torch.tensor([0.0, -2.0]), torch.zeros(3), torch.arange(4.0)]
    targets = sum(effect[ROWS[:, slot]] for slot, effect in enumerate(effects)).double()
    predictor = fit_additive(SIZES, ROWS, targets, warped=False)
    for effect, found in zip(effects, predictor.effects, strict=True):
        assert torch.allclose((found - found[0]) * predictor.warp.std, (effect - effect[0]).double(), atol=0.01)


@pytest.mark.slow
def test_many_labels_are_more_than_few() -> None:
    """Above `MOST_ROWS` the hyper-parameters come from some, the effects from all."""
    rows = rows_of(2 * MOST_ROWS, 4)
    errors = [
        (fit_additive(FULL, rows[:count], noisy(rows[:count])).predict(ROWS)[0] - worth(ROWS)).square().mean()
        for count in (MOST_ROWS // 10, 2 * MOST_ROWS)
    ]
    assert errors[1] < 0.4 * errors[0]


def test_intervals_hold_what_they_promise() -> None:
    """Random functions of 30 labels each: central 80 % intervals hold 80 % of the true values."""
    inside = []
    for seed in range(20):
        rng = torch.Generator().manual_seed(seed)
        weights = [torch.randn(size, generator=rng).double() for size in SIZES]
        truth = sum(weight[ROWS[:, slot]] for slot, weight in enumerate(weights))
        seen = torch.randint(len(ROWS), (30,), generator=rng)
        labels = truth[seen] + 0.5 * torch.randn(30, generator=rng).double()
        mean, deviation = fit_additive(SIZES, ROWS[seen], labels).predict(ROWS)
        inside.append(((truth - mean).abs() < 1.2816 * deviation).double().mean().item())
    assert 0.72 < np.mean(inside) < 0.9


def test_surprise_is_a_gaussian_density_with_its_derivative() -> None:
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(5, 5, generator=rng).double()
    targets = torch.randn(5, generator=rng).double()

    def of(root: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return surprise(root @ root.T + torch.eye(5, dtype=torch.float64), targets)

    covariance = (root @ root.T).numpy() + np.eye(5)
    density = multivariate_normal.logpdf(targets.numpy(), cov=covariance)
    assert of(root, targets).item() == pytest.approx(-density - 2.5 * math.log(2 * math.pi))
    assert torch.autograd.gradcheck(of, (root.requires_grad_(), targets.requires_grad_()))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20), st.floats(1e-3, 1e6))
def test_warp_is_the_gap_transform_with_a_chosen_gap(values: list[float], gap: float) -> None:
    targets = torch.tensor(values, dtype=torch.float64)
    if targets.max() - targets.min() < 1e-3:
        return
    warp = Warp.fit(targets, gap)
    known = GapTransform(warp.top, warp.gap, warp.mean, warp.std)
    np.testing.assert_allclose(warp(targets), known(targets.numpy()), atol=1e-9)
    np.testing.assert_allclose(warp.inverse(warp(targets)), targets, atol=1e-6)


@pytest.mark.parametrize("gap", [0.5, math.inf])
def test_moments_of_a_label(gap: float) -> None:
    warp = Warp.fit(torch.tensor([1.0, 2.0, 4.0]).double(), gap)
    latent = 0.3 + 0.7 * torch.randn(200_000, generator=torch.Generator().manual_seed(0)).double()
    mean, deviation = warp.moments(torch.tensor([0.3]).double(), torch.tensor([0.49]).double())
    assert mean.item() == pytest.approx(warp.inverse(latent).mean().item(), abs=0.02)
    assert deviation.item() == pytest.approx(warp.inverse(latent).std().item(), rel=0.02)


@pytest.mark.parametrize("targets", [[5.0, 5.0], [5.0, 5.0, 5.0, 5.0], [1.0, 2.0], [0.0, 1e-9], [1e9, -1e9]])
def test_few_or_equal_labels(targets: list[float]) -> None:
    labels = torch.tensor(targets, dtype=torch.float64)
    mean, deviation = fit_additive(FULL, ROWS[: len(targets)], labels).predict(ROWS)
    assert mean.isfinite().all()
    assert deviation.isfinite().all()
    assert (deviation > 0).all()


@pytest.mark.parametrize(
    ("rows", "targets", "message"),
    [
        (ROWS[:3], [1.0, 2.0], "one target for each of 3 rows"),
        (ROWS[:1], [1.0], "at least 2"),
        (ROWS[:3], [1.0, float("nan"), 2.0], "target of row 1 is nan"),
        (ROWS[:3], [1.0, 2.0, -float("inf")], "target of row 2 is -inf"),
        (ROWS[:3, :3], [1.0, 2.0, 3.0], "rows of 4 integer slot values"),
        (torch.tensor([[0, 0, 0, 0], [0, 2, 0, 0]]), [1.0, 2.0], "row 1 has 2 in slot 1, which takes 0 to 1"),
        (torch.tensor([[0, 0, -1, 0], [0, 1, 0, 0]]), [1.0, 2.0], "row 0 has -1 in slot 2"),
    ],
)
def test_bad_labels_are_refused(rows: torch.Tensor, targets: list[float], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        fit_additive(SIZES, rows, torch.tensor(targets))


def test_bad_rows_and_parts_are_refused() -> None:
    predictor = fit_additive(FULL, ROWS, worth(ROWS))
    hidden = torch.tensor([[0, 0, 0, 0], [3, 0, 0, 0]])
    for ask in (predictor.predict, predictor.draw(0)):
        with pytest.raises(InvalidOption, match="row 1 has 3 in slot 0"):
            ask(hidden)
    with pytest.raises(InvalidOption, match="slots 0 and 2 have pair effects"):
        predictor.part_score((0, 1), ROWS[:, :2])
    with pytest.raises(InvalidOption, match="distinct slots 0 to 3"):
        predictor.part_score((0, 4), ROWS[:, :2])
    with pytest.raises(InvalidOption, match="rows of 2 integer slot values"):
        predictor.part_score((0, 2), ROWS)


def test_measured_subnets_are_ranked_better_than_by_ridge_regression(data_dir) -> None:
    """From 100 labels, the rest of the table held out; ridge regression on the same one-hot kernels and expansions."""
    subnets = pd.read_csv(data_dir / "ofa_mobilenetv3" / "subnets.csv", dtype=str)
    digits = [[[int(d) for d in text] for text in subnets[name]] for name in ("depths", "kernels", "expansions")]
    depths, kernels, expansions = map(torch.tensor, digits)
    present = torch.arange(4).repeat(5) < depths.repeat_interleave(DEPTHS[-1], 1)
    choice = torch.where(present, (kernels - 3) // 2 * 3 + torch.tensor([0, 0, 0, 0, 1, 0, 2])[expansions], 9)
    top = torch.tensor(subnets.imagenet_top1.astype(float).to_numpy())
    hot = [present & (kernels == k) for k in (3, 5, 7)] + [present & (expansions == e) for e in (3, 4, 6)]
    layout = OfaMobileNetV3().layout()
    features = slot_features(layout.sizes, groups=layout.parts, shared=layout.alike, attributes=layout.attributes)
    x = torch.cat([*hot, *(depths == depth for depth in DEPTHS)], 1).double()
    for seed in range(2):
        order = torch.randperm(len(top), generator=torch.Generator().manual_seed(seed))
        seen, held = order[:100], order[100:]
        centred = x - x[seen].mean(0)
        gram = centred[seen].T @ centred[seen] + torch.eye(x.shape[1]).double()
        ridge = centred[held] @ torch.linalg.solve(gram, centred[seen].T @ (top[seen] - top[seen].mean()))
        predictor = fit_additive(features, choice[seen], top[seen])
        mean, _ = predictor.predict(choice[held])
        assert kendalltau(mean, top[held]).statistic > kendalltau(ridge, top[held]).statistic + 0.05
        assert (mean - top[held]).abs().mean() < 0.6 * (ridge + top[seen].mean() - top[held]).abs().mean()
        latent, variance = predictor.latent(choice[held])
        reach = 1.2816 * (variance + predictor.inflation * predictor.noise**2).sqrt()
        ends = [predictor.warp.inverse(latent + sign * reach) for sign in (-1, 1)]
        assert 0.65 < ((ends[0] < top[held]) & (top[held] < ends[1])).double().mean() < 0.95
