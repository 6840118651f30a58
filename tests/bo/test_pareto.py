"""Fronts and hypervolumes against their definitions, and against volumes known by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo.pareto import front, hypervolume, hypervolume_so_far, nadir, non_dominated, reference_point
from bo.records import History, Objective, Proposal, Trial
from graphs.condition import Condition
from graphs.space import SearchSpace

ROWS = st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), max_size=12)
BOTH = (Objective("score"), Objective("cost", maximize=False))


@pytest.fixture
def history(chain: SearchSpace) -> Callable[..., History]:
    """`history([(score, cost), ...])`, None for a failed trial."""
    graph = chain.sample(np.random.default_rng(0))

    def make(rows: list[tuple[float, float] | None], **config: Any) -> History:
        trials = [
            Trial(k, k, Proposal(graph, "random"), "", str(k), "failed", error="no")
            if row is None
            else Trial(k, k, Proposal(graph, "random"), "", str(k), "done", {"score": row[0], "cost": row[1]})
            for k, row in enumerate(rows)
        ]
        return History(tuple(trials), BOTH[0], BOTH[1:], **config)

    return make


@given(ROWS)
def test_a_row_is_kept_where_no_other_beats_it(rows: list[list[int]]) -> None:
    gains = np.array(rows, dtype=float).reshape(len(rows), 2)
    beaten = [any((a >= b).all() and (a > b).any() for a in gains) for b in gains]
    assert non_dominated(gains).tolist() == [not one for one in beaten]


@given(ROWS)
def test_hypervolume_counts_the_unit_squares_that_are_dominated(rows: list[list[int]]) -> None:
    """Gains are whole numbers, so the volume is a count of cells, here by brute force."""
    cells = [(x, y) for x in range(-2, 4) for y in range(-2, 4)]
    covered = sum(any(x <= a and y <= b for a, b in rows) for x, y in cells)
    assert hypervolume(np.array(rows, dtype=float).reshape(len(rows), 2), (-3.0, -3.0)) == pytest.approx(covered)


def test_front_and_curve_of_a_history(history: Callable[..., History]) -> None:
    run = history([(1.0, 1.0), None, (3.0, 3.0), (2.0, 3.0), (2.0, 2.0)])
    assert [trial.number for trial in front(run)] == [2, 4, 0]
    assert hypervolume_so_far(run, (0.0, -4.0)) == [3.0, 3.0, 5.0, 5.0, 6.0]


def test_what_breaks_a_bound_is_on_no_front(history: Callable[..., History]) -> None:
    run = history([(1.0, 1.0), (3.0, 3.0), (2.0, 2.0)], constraints=(Condition("cost", "<=", 2.0),))
    assert [trial.number for trial in front(run)] == [2, 0]
    assert run.best is run.trials[2]
    assert run.best_so_far() == [1.0, 1.0, 2.0]
    assert [run.violation(trial) for trial in run.trials] == [0.0, 0.5, 0.0]
    assert sorted(run.trials, key=run.merit) == [run.trials[1], run.trials[0], run.trials[2]]
    assert hypervolume_so_far(run, (0.0, -4.0)) == [3.0, 3.0, 5.0]


def test_the_reference_point_is_stated_or_the_worst_of_the_first_ten(history: Callable[..., History]) -> None:
    rows: list[tuple[float, float] | None] = [(float(k), float(k)) for k in range(9)]
    assert reference_point(history(rows), {}) is None
    assert reference_point(history([*rows, (-1.0, 2.0), (-9.0, 99.0)]), {}) == (-1.0, -8.0)
    stated = {"reference_point/score": 0.5, "reference_point/cost": 7.0}
    assert reference_point(history([]), stated) == (0.5, -7.0)


def test_the_nadir_is_a_tenth_beyond_the_worst_of_the_front() -> None:
    columns = {"score": np.array([0.0, 10.0, 5.0, np.nan]), "cost": np.array([1.0, 3.0, 9.0, 0.0])}
    assert nadir(columns, BOTH) == {"reference_point/score": -1.0, "reference_point/cost": pytest.approx(3.2)}


def test_a_front_of_one_point_is_measured_from_the_worst_of_the_table() -> None:
    columns = {"score": np.array([0.0, 10.0, 5.0]), "cost": np.array([4.0, 1.0, 9.0])}
    assert nadir(columns, BOTH) == {"reference_point/score": 0.0, "reference_point/cost": 9.0}


def test_the_front_of_nothing_feasible_is_empty() -> None:
    assert front(History((), Objective("a"), (Objective("b"),))) == []
