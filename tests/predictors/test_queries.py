"""Searches as generators: what answers them, in which order."""

from collections.abc import Generator

import pytest

from graphs.errors import EvaluationError
from predictors.queries import answer, sent


def doubling() -> Generator[int, float | None, str]:
    """Asks 1, then twice what it was sent."""
    value = sent((yield 1))
    sent((yield int(2 * value)))
    return "done"


def test_answers_are_kept_in_order_beside_what_the_search_returns() -> None:
    assert answer(doubling(), lambda place: place + 2.0) == ({1: 3.0, 6: 8.0}, "done")


def test_an_objective_that_is_not_finite_ends_the_search() -> None:
    with pytest.raises(EvaluationError, match="architecture 1 is inf"):
        answer(doubling(), lambda _: float("inf"))
