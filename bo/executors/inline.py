"""InlineExecutor: candidates in this process, one after another, for what is looked up rather than trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bo.executors.executor import Answer
from bo.fidelity import call
from bo.outcome import Measured, Outcome, raised
from graphs.archgraph import ArchGraph


class InlineExecutor:
    """Calls a function as soon as it is given a candidate.

    Args:
        function: gives an architecture's metrics, at a fidelity where one is asked for as a keyword; its exceptions are
            failures of the candidate.
    """

    def __init__(self, function: Callable[..., Mapping[str, Any]]) -> None:
        self.capacity = 1
        self._function = function
        self._answers: list[Answer] = []

    def submit(self, key: int, graph: ArchGraph, fidelity: float | None = None) -> None:
        try:
            outcome: Outcome = Measured(call(self._function, graph, fidelity))
        except Exception as error:  # whatever a user's function raises must not end the campaign
            outcome = raised(error)
        self._answers.append(Answer(key, outcome))

    def wait(self, seconds: float) -> list[Answer]:
        found, self._answers = self._answers, []
        return found

    def close(self) -> None:
        self._answers = []
