"""LocalExecutor: candidates in processes of this machine, several at a time."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

from bo.executors.executor import Answer, Program
from bo.executors.guard import Guard
from bo.executors.limits import NO_LIMITS, Limits
from bo.executors.process import evaluate
from bo.outcome import raised
from graphs.archgraph import ArchGraph


class LocalExecutor:
    """A thread for each evaluation, which waits for its process and holds it to its limits.

    Args:
        program: evaluates.
        workers: evaluations at once.
        limits: for each of them.
    """

    def __init__(self, program: Program, workers: int = 1, limits: Limits = NO_LIMITS) -> None:
        self.capacity, self._program, self._limits = workers, program, limits
        self._answers: queue.SimpleQueue[Answer | OSError] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._guard = Guard()

    def submit(self, key: int, graph: ArchGraph, fidelity: float | None = None) -> None:
        thread = threading.Thread(target=self._evaluate, args=(key, graph, fidelity), daemon=True)
        self._threads = {one for one in self._threads if one.is_alive()} | {thread}
        thread.start()

    def wait(self, seconds: float) -> list[Answer]:
        found: list[Answer | OSError] = []
        with suppress(queue.Empty):
            found.append(self._answers.get(timeout=seconds))
            while True:
                found.append(self._answers.get_nowait())
        for one in found:
            if isinstance(one, OSError):
                raise one
        return [one for one in found if isinstance(one, Answer)]

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._guard.close()

    def _evaluate(self, key: int, graph: ArchGraph, fidelity: float | None) -> None:
        """An exception that `evaluate` did not foresee is an answer, too, for nobody else would give one."""
        try:
            outcome = evaluate(self._program, graph, self._limits, self._stop, self._guard.notice, fidelity)
            self._answers.put(Answer(key, outcome))
        except OSError as error:  # no room for its folder, no more processes: the machine's trouble, whoever is next
            self._answers.put(error)
        except Exception as error:
            self._answers.put(Answer(key, raised(error)))
