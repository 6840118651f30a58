"""Domination, fronts and crowding against their definitions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bo.pareto import non_dominated
from bo.strategies.dominance import crowding, dominates, fitness_order, front_ranks

gains_of = st.tuples(st.integers(1, 12), st.integers(1, 3)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(0, 4).map(float))
)


def beats(one: np.ndarray, other: np.ndarray, violation: float, others: float) -> bool:
    """Definition 1 of the paper, in its words."""
    if violation == 0 and others > 0:
        return True
    if violation > 0 and others > 0:
        return violation < others
    return violation == 0 and bool((one >= other).all() and (one > other).any())


@given(gains_of, st.data())
def test_domination_is_that_of_the_paper(gains: np.ndarray, data: st.DataObject) -> None:
    violations = data.draw(arrays(float, len(gains), elements=st.sampled_from([0.0, 0.5, 1.0])))
    found = dominates(gains, violations)
    for i, j in np.ndindex(*found.shape):
        assert found[i, j] == beats(gains[i], gains[j], violations[i], violations[j])


@given(gains_of)
def test_fronts_are_peeled_one_after_the_other(gains: np.ndarray) -> None:
    ranks = front_ranks(gains, np.zeros(len(gains)))
    left = np.arange(len(gains))
    for front in range(int(ranks.max()) + 1):
        best = non_dominated(gains[left])
        # rows that are equal do not beat each other, and `non_dominated` keeps all of them too
        assert set(np.flatnonzero(ranks == front)) == set(left[best])
        left = left[~best]
    assert not len(left)


def test_crowding_by_hand() -> None:
    gains = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0], [0.0, 0.0]])
    ranks = front_ranks(gains, np.zeros(5))
    assert ranks.tolist() == [0, 0, 0, 0, 1]
    assert crowding(gains, ranks).tolist() == [np.inf, 3 / 4 + 3 / 4, 3 / 4 + 3 / 4, np.inf, np.inf]


def test_the_fittest_are_feasible_then_of_a_low_front_then_lonely() -> None:
    gains = np.array([[9.0, 9.0], [0.0, 4.0], [1.0, 3.5], [2.0, 2.0], [4.0, 0.0], [0.0, 0.0]])
    order = fitness_order(gains, np.array([0.1, 0, 0, 0, 0, 0])).tolist()
    assert order[:2] == [1, 4]
    assert order[2:] == [3, 2, 5, 0]
