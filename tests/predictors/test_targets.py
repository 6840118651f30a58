"""The gap transform: monotone, invertible, and safe on values without spread."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphs.errors import EvaluationError
from predictors.targets import GapTransform

VALUES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=30).map(np.array)


def unit(values: np.ndarray) -> float:
    """What rounding can do to values of this size."""
    return float(np.abs(values).max()) * 1e-12 + 1e-12


@given(VALUES)
def test_inverse_undoes_the_transform(values: np.ndarray) -> None:
    transform = GapTransform.fit(values)
    np.testing.assert_allclose(
        transform.inverse(transform(values)), values, rtol=0, atol=unit(values) + 1e-9 * np.ptp(values)
    )


@given(VALUES)
def test_order_is_kept(values: np.ndarray) -> None:
    transformed = GapTransform.fit(values)(np.sort(values))
    assert np.isfinite(transformed).all()
    assert (np.diff(transformed) >= 0).all()


@given(VALUES)
def test_training_targets_are_standardised(values: np.ndarray) -> None:
    assume(np.ptp(values) > 1e-6 * max(1.0, np.abs(values).max()))
    transformed = GapTransform.fit(values)(values)
    assert transformed.mean() == pytest.approx(0, abs=1e-6)
    assert transformed.std() == pytest.approx(1, abs=1e-6)


@given(st.floats(-1e6, 1e6), st.integers(1, 30))
def test_equal_values_become_zero(value: float, count: int) -> None:
    values = np.full(count, value)
    transform = GapTransform.fit(values)
    np.testing.assert_allclose(transform(values), 0, atol=1e-9)
    np.testing.assert_allclose(transform.inverse(np.zeros(3)), value, atol=unit(values))
    assert transform.std == 1
    assert transform(np.array([value - 0.5]))[0] < -0.1, "worse values must still be told apart"


@pytest.mark.parametrize("pair", [(0.0, 1.0), (93.1, 94.2), (-1e5, 1e5)])
def test_two_values_become_minus_one_and_one(pair: tuple[float, float]) -> None:
    transform = GapTransform.fit(np.array(pair))
    np.testing.assert_allclose(transform(np.array(pair)), [-1, 1])


@pytest.mark.parametrize("spread", [1e-12, 1e-9, 1e-3])
def test_tiny_spreads(spread: float) -> None:
    values = 0.5 + spread * np.array([0.0, 1.0, 2.0, 3.0, 10.0])
    transform = GapTransform.fit(values)
    transformed = transform(values)
    assert (np.diff(transformed) > 0).all()
    np.testing.assert_allclose(transform.inverse(transformed), values, rtol=0, atol=1e-3 * spread + 1e-15)


def test_one_outlier_among_equal_values() -> None:
    values = np.array([90.0] * 20 + [10.0])
    transformed = GapTransform.fit(values)(values)
    assert np.isfinite(transformed).all()
    assert transformed[-1] < transformed[0]


def test_equal_factors_of_the_gap_are_equal_steps() -> None:
    """Far from the top, halving the gap moves the target by the same amount whatever the gap."""
    transform = GapTransform(top=100.0, spread=1e-9)
    steps = np.diff(transform(100 - np.array([32.0, 16.0, 8.0, 4.0, 2.0])))
    np.testing.assert_allclose(steps, np.log(2), rtol=1e-6)


def test_values_beyond_the_domain_become_infinite() -> None:
    transform = GapTransform(top=1.0, spread=0.5)
    assert transform(np.array([1.5, 2.0])).tolist() == [np.inf, np.inf]
    assert np.isfinite(transform(np.array([1.4999]))).all()


def test_inverse_is_monotone_and_bounded_by_top_and_spread() -> None:
    transform = GapTransform.fit(np.random.default_rng(0).normal(90, 3, 50))
    values = transform.inverse(np.linspace(-6, 30, 200))
    assert (np.diff(values) >= 0).all()
    assert values.max() <= transform.top + transform.spread


@pytest.mark.parametrize("wrong", [[1.0, np.inf], [-np.inf, 1.0], [np.nan, 1.0], []])
def test_what_is_not_finite_is_refused(wrong: list[float]) -> None:
    with pytest.raises(EvaluationError, match="finite"):
        GapTransform.fit(np.array(wrong))
