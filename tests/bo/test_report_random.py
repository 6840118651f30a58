"""The band of random search against all of its outcomes, listed."""

from itertools import combinations

import numpy as np
import pytest

from bo.records import CampaignConfig, Objective
from bo.report_random import largest_below, random_band
from graphs.condition import Condition

VALUES = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0])
COST = np.array([1.0, 9.0, 2.0, 3.0, 8.0, 1.0, 7.0])


def config(maximize: bool = True, bounds: tuple[Condition, ...] = ()) -> CampaignConfig:
    return CampaignConfig("space", "task", "random", Objective("value", maximize), constraints=bounds)


def by_hand(values: np.ndarray, draws: int, up: bool) -> list[float]:
    """The worst value that a tenth, half and nine tenths of all outcomes do not surpass."""
    best = sorted((max if up else min)(chosen) for chosen in combinations(values, draws))
    best = best if up else best[::-1]
    return [best[int(np.ceil(share * len(best) - 1e-9)) - 1] for share in (0.1, 0.5, 0.9)]


@pytest.mark.parametrize("up", [True, False])
def test_quantiles_of_all_outcomes(up: bool) -> None:
    band = random_band(config(up), {"value": VALUES}, 7)
    assert band is not None
    assert band.queries.tolist() == [1, 2, 3, 4, 5, 6, 7]
    for k, draws in enumerate(band.queries):
        assert [band.worse[k], band.median[k], band.better[k]] == by_hand(VALUES, int(draws), up)


def test_rows_that_break_a_constraint_do_not_count() -> None:
    bound = Condition("cost", "<=", 3.0)
    band = random_band(config(bounds=(bound,)), {"value": VALUES, "cost": COST}, 4)
    assert band is not None
    allowed = np.where(bound.holds(COST), VALUES, -np.inf)
    for k, draws in enumerate(band.queries):
        expected = [value if np.isfinite(value) else np.nan for value in by_hand(allowed, int(draws), True)]
        np.testing.assert_array_equal([band.worse[k], band.median[k], band.better[k]], expected)
    assert np.isnan(band.worse[0])


def test_a_large_table_against_a_simulation() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=20_000)
    band = random_band(config(), {"value": values}, 300)
    assert band is not None
    assert len(band.queries) <= 80
    assert (band.queries[0], band.queries[-1], band.rows) == (1, 300, 20_000)
    drawn = np.array([rng.choice(values, 300, replace=False).max() for _ in range(1_500)])
    got = np.array([band.worse[-1], band.median[-1], band.better[-1]])
    np.testing.assert_allclose(got, np.quantile(drawn, [0.1, 0.5, 0.9]), atol=0.1)
    below = largest_below(20_000, 300)
    assert below[-1] == 1.0
    assert (np.diff(below) >= 0).all()


def test_no_band_without_the_metrics() -> None:
    assert random_band(config(), {"other": VALUES}, 3) is None
    assert random_band(config(bounds=(Condition("cost", "<=", 1.0),)), {"value": VALUES}, 3) is None
