"""The Gaussian process on slot rows against a kernel written out, BoTorch, and functions it must learn."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from botorch.models.kernels import CategoricalKernel
from scipy.stats import kendalltau

from graphs.errors import InvalidOption
from predictors.additive import fit_additive
from predictors.slot_features import slot_features
from predictors.slot_gp import MOST_LABELS, SlotGP, fit_slot_gp
from predictors.slot_kernel import SlotKernel
from predictors.slot_predictor import SlotPredictor

SIZES = (3, 2, 3, 4)
ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))
TABLES = [torch.arange(size).double()[:, None] ** 1.5 for size in SIZES]
FULL = slot_features(SIZES, shared=[[(0, 1, 2)]], attributes=TABLES)


def rows_of(count: int, seed: int) -> torch.Tensor:
    return ROWS[torch.randint(len(ROWS), (count,), generator=torch.Generator().manual_seed(seed))]


def describe(rows: torch.Tensor) -> torch.Tensor:
    return torch.stack([rows.sum(1), (rows == 0).sum(1) ** 2], 1).double()


def tangled(rows: torch.Tensor) -> torch.Tensor:
    """What no sum over slots can say: whether the first and the last slot are both even or both odd."""
    return 90 - 4.0 * ((rows[:, 0] + rows[:, 3]) % 2).double() - 0.3 * rows[:, 2].double()


@pytest.fixture(scope="module", params=[False, True], ids=["sizes alone", "all"])
def fitted(request) -> tuple[SlotGP, torch.Tensor, torch.Tensor]:
    rows = rows_of(40, 1)
    targets = tangled(rows) + 0.1 * torch.randn(40, generator=torch.Generator().manual_seed(1)).double()
    gp = fit_slot_gp(FULL, rows, targets, describe=describe) if request.param else fit_slot_gp(SIZES, rows, targets)
    return gp, rows, targets


def kernel_by_hand(kernel: SlotKernel, left: torch.Tensor, right: torch.Tensor, reference: torch.Tensor) -> np.ndarray:
    """The covariance of rows, summed up slot by slot."""
    features, scales = kernel.features, kernel.positive("scales").detach()
    slots, values = kernel.positive("slots").detach(), kernel.positive("values").detach()
    at_left, at_right = features.singles(left), features.singles(right)
    found = torch.full((len(left), len(right)), 100.0).double()
    for scale, basis in zip(scales, features.terms.values(), strict=False):
        found += scale**2 * basis[at_left].sum(1) @ basis[at_right].sum(1).T
    distance = torch.zeros_like(found)
    for slot in range(len(SIZES)):
        a, b = at_left[:, None, slot], at_right[None, :, slot]
        weight = slots[slot] / len(SIZES)
        distance += weight * torch.where(a == b, 0, (values[features.kinds[a]] + values[features.kinds[b]]) / 2)
        for column, value in zip(features.attributes.T, values.flip(0), strict=False):
            distance += weight * value * (column[a] - column[b]) ** 2 / 2
    found += scales[len(features.terms)] ** 2 * torch.exp(-distance)
    if kernel.width:
        spread = describe(reference).std(0)
        gaps = ((describe(left)[:, None] - describe(right)) / spread).square().mean(2)
        found += scales[-1] ** 2 * torch.exp(-(kernel.positive("distance").detach() * gaps).sqrt())
    return found.numpy()


def test_posterior_is_textbook_regression(fitted) -> None:
    gp, rows, targets = fitted

    def matrix(left: torch.Tensor, right: torch.Tensor) -> np.ndarray:
        return kernel_by_hand(gp.model.covar_module, left, right, rows)

    seen, cross = matrix(rows, rows) + gp.noise**2 * np.eye(len(rows)), matrix(ROWS, rows)
    mean, variance = gp.latent(ROWS)
    np.testing.assert_allclose(mean, cross @ np.linalg.solve(seen, gp.warp(targets).numpy()), atol=1e-5)
    explained = np.einsum("ij,ji->i", cross, np.linalg.solve(seen, cross.T))
    np.testing.assert_allclose(variance, gp.inflation * (np.diag(matrix(ROWS, ROWS)) - explained), atol=1e-5)


def test_botorch_model_says_the_same(fitted) -> None:
    gp, _, _ = fitted
    posterior = gp.model.posterior(ROWS.double())
    mean, variance = gp.latent(ROWS)
    assert torch.allclose(posterior.mean[:, 0], mean, atol=1e-4)
    assert torch.allclose(posterior.variance[:, 0] * gp.inflation, variance, atol=1e-4)


def test_agreement_is_the_categorical_kernel() -> None:
    kernel = SlotKernel(slot_features(SIZES), None, ROWS)
    other = CategoricalKernel(ard_num_dims=len(SIZES)).double()
    with torch.no_grad():
        kernel.log_scales[0] = -20.0  # no additive part
        kernel.log_slots.copy_(torch.tensor([0.3, -0.5, 1.0, 0.0]))
        other.lengthscale = (-kernel.log_slots).exp()
        rows = ROWS.double()
        found = (kernel(rows).to_dense() - 100) / kernel.positive("scales")[-1] ** 2
        assert torch.allclose(found, other(rows).to_dense(), atol=1e-5)


def test_a_function_that_is_no_sum_over_slots_is_learned() -> None:
    rows = rows_of(60, 2)
    errors = [
        (fit(SIZES, rows, tangled(rows)).predict(ROWS)[0] - tangled(ROWS)).abs().mean()
        for fit in (fit_slot_gp, fit_additive)
    ]
    assert errors[0] < 0.3 * errors[1]


def test_draws_have_the_posterior_moments(fitted) -> None:
    """Up to the waves, which give the prior's stationary part only on average over draws."""
    gp, _, _ = fitted
    draws = torch.stack([gp.warp(gp.draw(seed)(ROWS)) for seed in range(100)])
    mean, variance = gp.latent(ROWS)
    assert ((draws.mean(0) - mean).abs() < 5 * (variance / 100).sqrt()).all()
    assert ((draws.var(0) / variance).log().abs() < 0.8).all(), "five deviations of a variance of 100 draws are 0.71"


def test_draws_are_functions_of_the_seed(fitted) -> None:
    gp, _, _ = fitted
    one, same, other = gp.draw(1), gp.draw(1), gp.draw(2)
    assert torch.equal(one(ROWS), same(ROWS))
    assert torch.allclose(one(ROWS), torch.cat([one(row[None]) for row in ROWS]), atol=1e-6)
    assert not torch.allclose(one(ROWS), other(ROWS))


def test_protocol_and_determinism(fitted) -> None:
    gp, rows, targets = fitted
    assert isinstance(gp, SlotPredictor)
    mean, deviation = gp.predict(ROWS)
    assert mean.dtype == deviation.dtype == torch.float64
    assert not mean.requires_grad
    assert (deviation > 0).all()
    single = [gp.predict(row[None])[0] for row in ROWS[:20]]
    assert torch.allclose(mean[:20], torch.cat(single), atol=1e-6)
    features, extra = (FULL, {"describe": describe}) if gp.model.covar_module.width else (SIZES, {})
    assert torch.equal(fit_slot_gp(features, rows, targets, **extra).predict(ROWS)[0], mean)
    assert gp.predict(ROWS[:0])[0].shape == (0,)


@pytest.mark.parametrize("targets", [[5.0, 5.0], [1.0, 2.0], [0.0, 0.0, 0.0, 1e-9]])
def test_few_or_equal_labels(targets: list[float]) -> None:
    labels = torch.tensor(targets, dtype=torch.float64)
    for found in fit_slot_gp(FULL, ROWS[: len(targets)], labels, describe=describe).predict(ROWS):
        assert found.isfinite().all()


@pytest.mark.parametrize(
    ("rows", "targets", "message"),
    [
        (ROWS[:3], torch.ones(2), "one target for each of 3 rows"),
        (ROWS[:1], torch.ones(1), "at least 2"),
        (ROWS[:2], torch.tensor([1.0, torch.inf]), "target of row 1 is inf"),
        (ROWS[:3].double().long() + 2, torch.ones(3), "row 0 has 2 in slot 1"),
        (ROWS[:1].repeat(MOST_LABELS + 1, 1), torch.ones(MOST_LABELS + 1), "3001 labels.*use fit_additive"),
    ],
)
def test_bad_labels_are_refused(rows: torch.Tensor, targets: torch.Tensor, message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        fit_slot_gp(SIZES, rows, targets)


def test_hidden_slots_are_refused(fitted) -> None:
    gp, _, _ = fitted
    for ask in (gp.predict, gp.draw(0)):
        with pytest.raises(InvalidOption, match="row 1 has 4 in slot 3"):
            ask(torch.tensor([[0, 0, 0, 0], [0, 0, 0, 4]]))


def test_cells_are_ranked(data_dir) -> None:
    """NAS-Bench-201 from 100 labels: knowing that operations mean the same on all edges helps, and so does the warp."""
    table = pd.read_csv(data_dir / "nasbench201" / "nasbench201.csv")
    operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    named = [[part.split("~")[0] for part in text.replace("+", "").split("|") if part] for text in table.arch]
    rows = torch.tensor([[operations.index(name) for name in cell] for cell in named])
    accuracy = torch.tensor(table.cifar10_test_acc_200ep.to_numpy())
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    seen, held = order[:100], order[100:3000]
    features = slot_features([5] * 6, shared=[[range(6)]])

    def tau(**options) -> float:
        gp = fit_slot_gp(features, rows[seen], accuracy[seen], **options)
        return kendalltau(gp.predict(rows[held])[0], accuracy[held]).statistic

    warped, flat = tau(), tau(warped=False)
    assert warped > 0.55
    assert warped > flat + 0.05
