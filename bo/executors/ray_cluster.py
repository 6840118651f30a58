"""RayExecutor: candidates on the machines of a Ray cluster, each in a process of its own there."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from bo.executors.executor import Answer, Program
from bo.executors.guard import Guard
from bo.executors.limits import NO_LIMITS, Limits
from bo.executors.process import evaluate
from bo.outcome import Lost, Outcome, raised
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption


class RayExecutor:
    """One Ray task an evaluation. A worker or a node that dies gives its candidate back, as `Lost`.

    The cluster's machines need archgen, and the evaluator's modules and files, at the same places as here.

    Args:
        program: evaluates.
        workers: evaluations at once.
        limits: for each of them.
        address: the cluster; one that `ray start` began on this machine, else a new local one, unless given.
        cpus: CPUs that each evaluation takes in Ray's own accounts.

    Raises:
        InvalidOption: Ray is not installed, or there is no such cluster.
    """

    def __init__(
        self,
        program: Program,
        workers: int = 1,
        limits: Limits = NO_LIMITS,
        address: str | None = None,
        cpus: float = 1,
    ) -> None:
        self.capacity = workers
        self._ray = ray = _import()
        self._owner = not ray.is_initialized()
        if self._owner:
            _begin(ray, address)
        self._program, self._limits = ray.put(program), ray.put(limits)
        self._task = ray.remote(num_cpus=cpus, max_retries=0)(_evaluate)
        self._keys: dict[Any, int] = {}

    def submit(self, key: int, graph: ArchGraph, fidelity: float | None = None) -> None:
        self._keys[self._task.remote(self._program, self._limits, graph, fidelity)] = key

    def wait(self, seconds: float) -> list[Answer]:
        if not self._keys:
            return []
        ready, _ = self._ray.wait(list(self._keys), num_returns=len(self._keys), timeout=0)
        if not ready:
            ready, _ = self._ray.wait(list(self._keys), num_returns=1, timeout=seconds)
        return [Answer(self._keys.pop(one), self._outcome(one)) for one in ready]

    def close(self) -> None:
        for one in self._keys:
            self._ray.cancel(one, force=True)
        self._keys = {}
        if self._owner:
            self._owner = False
            self._ray.shutdown()

    def _outcome(self, reference: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # raised by the task itself, such as a missing module
            return raised(error.cause if isinstance(error.cause, Exception) else error)
        except self._ray.exceptions.RayError as error:
            return Lost(f"{type(error).__name__}: {str(error).splitlines()[0]}")
        return outcome


def _evaluate(program: Program, limits: Limits, graph: ArchGraph, fidelity: float | None) -> Outcome:
    """The task: as on one machine; when Ray kills its worker, the evaluation ends with it."""
    try:
        return evaluate(program, graph, limits, threading.Event(), _guard().notice, fidelity)
    except OSError as error:
        return Lost(f"{type(error).__name__}: {error}")


@cache
def _guard() -> Guard:
    """One for all tasks that a Ray worker runs, as it takes longer to start than some of them take."""
    return Guard()


def _import() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InvalidOption("--executor ray needs Ray; install it with: pip install 'archgen[ray]'") from error
    return ray


def _begin(ray: Any, address: str | None) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        told = " ".join(str(error).split())[:300]
        raise InvalidOption(
            f"no Ray cluster at {address or 'auto'} ({told}); start one with: ray start --head"
        ) from error
