"""The Executor protocol: it evaluates candidates, several at a time, and says how each came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bo.outcome import Failed, Measured, Outcome
from graphs.archgraph import ArchGraph


@dataclass(frozen=True)
class Answer:
    """How the evaluation that was submitted as `key` came out."""

    key: int
    outcome: Outcome


@runtime_checkable
class Executor(Protocol):
    """Evaluates candidates; `archgen.testing.ExecutorContract` checks what it must hold."""

    capacity: int
    """Evaluations at once."""

    def submit(self, key: int, graph: ArchGraph, fidelity: float | None = None) -> None:
        """Begin an evaluation; at most `capacity` of them run. Whatever becomes of it is answered by `wait`.

        Args:
            fidelity: how well to measure, such as epochs, for an evaluator that offers it.
        """

    def wait(self, seconds: float) -> list[Answer]:
        """The evaluations that ended since the last call; waits for the first one, at most this long."""

    def close(self) -> None:
        """End what still runs, with all of its processes; it is not answered any more. May be called twice."""


@runtime_checkable
class Program(Protocol):
    """What evaluates a graph in a process of its own."""

    def begin(self, graph: ArchGraph, folder: Path, fidelity: float | None = None) -> list[str]:
        """Write what the process needs into an empty folder; its command line."""

    def answer(self, folder: Path) -> Measured | Failed:
        """What came out, once the process has ended well; its standard output is the file `stdout` in the folder."""
