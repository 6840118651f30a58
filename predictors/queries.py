"""Searches as generators that ask for the objective of one architecture after another, and a call that answers them."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TypeVar

from graphs.errors import EvaluationError

Objective = Callable[[int], float]
"""The number of an architecture, its row in the metrics, to what is maximised."""
R = TypeVar("R")


def answer(search: Generator[int, float | None, R], objective: Objective) -> tuple[dict[int, float], R]:
    """Every architecture that a search asks for with its objective, in order, and what the search returns.

    Raises:
        EvaluationError: the objective is not finite.
    """
    asked: dict[int, float] = {}
    value: float | None = None
    while True:
        try:
            place = search.send(value)
        except StopIteration as end:
            return asked, end.value
        value = asked[place] = float(objective(place))
        if not math.isfinite(value):
            raise EvaluationError(f"the objective of architecture {place} is {value}, expected a finite number")


def sent(value: float | None) -> float:
    """What a search was sent in answer to a query."""
    assert value is not None, "each query is answered before the next one"
    return value
