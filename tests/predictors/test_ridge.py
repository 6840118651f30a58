"""Ridge against the normal equations, leaving out against leaving out, and the figures of the measured subnets."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from graphs.errors import InvalidOption
from graphs.layout import layout_of
from graphs.spaces.ofa_mobilenetv3 import OfaMobileNetV3
from graphs.tables.ofa_mobilenetv3 import load_subnets
from predictors.ridge import fit_ridge

SIZES = (2, 3, 4)


def data(count: int, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(size, size=count) for size in SIZES], 1)
    return rows, rows @ np.array([1.0, -2.0, 0.5]) + 3 + noise * rng.standard_normal(count)


def test_it_solves_the_normal_equations() -> None:
    rows, targets = data(40)
    model = fit_ridge(SIZES, rows, targets, alphas=(0.7,))
    marks = np.concatenate([np.eye(size)[rows[:, slot]] for slot, size in enumerate(SIZES)], 1)
    centred = marks - marks.mean(0)
    effects = np.linalg.solve(centred.T @ centred + 0.7 * np.eye(9), centred.T @ (targets - targets.mean()))
    np.testing.assert_allclose(model.effects, effects, atol=1e-10)
    np.testing.assert_allclose(model(rows), targets.mean() + centred @ effects, atol=1e-10)


def test_the_penalty_has_the_least_error_of_leaving_out_one() -> None:
    rows, targets = data(25, noise=2.0)
    alphas = (0.01, 0.3, 3.0, 30.0)

    def left_out(alpha: float) -> float:
        errors = []
        for row in range(len(rows)):
            rest = np.arange(len(rows)) != row
            model = fit_ridge(SIZES, rows[rest], targets[rest], alphas=(alpha,))
            errors.append(float(model(rows[row : row + 1])[0]) - targets[row])
        return float(np.square(errors).mean())

    assert fit_ridge(SIZES, rows, targets, alphas).alpha == min(alphas, key=left_out)


def test_the_negative_of_targets_gives_the_negative() -> None:
    rows, targets = data(12)
    assert (fit_ridge(SIZES, rows, -targets)(rows) == -fit_ridge(SIZES, rows, targets)(rows)).all()


def test_one_row_is_too_few() -> None:
    rows, targets = data(1)
    with pytest.raises(InvalidOption, match="1 rows and 1 targets; expected at least 2"):
        fit_ridge(SIZES, rows, targets)


def test_ranks_of_subnets_as_measured_apart_from_this_code(data_dir: Path) -> None:
    subnets = load_subnets(data_dir)
    layout = layout_of(OfaMobileNetV3())
    rows, taus = layout.read(subnets.graphs).numpy(), []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(rows))
        model = fit_ridge(layout.sizes, rows[order[:100]], subnets.top1[order[:100]])
        taus.append(kendalltau(model(rows[order[100:]]), subnets.top1[order[100:]]).statistic)
    assert abs(float(np.mean(taus)) - 0.865) < 0.02
