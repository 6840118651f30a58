"""WarmExecutor: a function in processes that stay between candidates, for evaluations that take seconds.

A process that is started for each candidate takes longer to import its libraries than a small network to train. One
that stays may be left in a bad state by a candidate; so one that raised is replaced as well as one that died.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle

from bo.evaluators.function import Function
from bo.executors.executor import Answer
from bo.outcome import Failed, Measured, Outcome, raised
from graphs.archgraph import ArchGraph

_GRACE = 5.0
"""Seconds in which a process must end that was told to."""


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    key: int | None = None
    until: float = field(default=math.inf)


class WarmExecutor:
    """As many processes as workers, each of which evaluates one candidate after another.

    Args:
        function: the evaluator.
        workers: processes.
        seconds: that one evaluation may take, or None. It counts from the moment the candidate is handed over, which
            for a new process includes its start.
    """

    def __init__(self, function: Function, workers: int = 1, seconds: float | None = None) -> None:
        self.capacity, self._function, self._seconds = workers, function, math.inf if seconds is None else seconds
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._answers: list[Answer] = []

    def submit(self, key: int, graph: ArchGraph, fidelity: float | None = None) -> None:
        idle = [one for one in self._workers if one.key is None]
        worker = idle[0] if idle else self._start()
        worker.key, worker.until = key, time.monotonic() + self._seconds
        keywords = {} if fidelity is None else {"fidelity": fidelity}
        try:
            worker.pipe.send_bytes(cloudpickle.dumps((graph, keywords)))
        except OSError:  # it died while it was idle
            self._workers.remove(worker)
            self.submit(key, graph, fidelity)

    def wait(self, seconds: float) -> list[Answer]:
        busy = [one for one in self._workers if one.key is not None]
        left = min([seconds, *(max(0.0, one.until - time.monotonic()) for one in busy)])
        ready = set(wait([one.pipe for one in busy], timeout=left)) if busy else set()
        if not busy and seconds:
            time.sleep(seconds)
        found = []
        for worker in busy:
            assert worker.key is not None
            if worker.pipe in ready:
                found.append(Answer(worker.key, self._read(worker)))
            elif time.monotonic() >= worker.until:
                self._end(worker)
                found.append(Answer(worker.key, Failed("timeout", f"took more than {self._seconds:g} s")))
            else:
                continue
            worker.key, worker.until = None, math.inf
        return found

    def close(self) -> None:
        for worker in list(self._workers):
            self._end(worker)

    def _start(self) -> _Worker:
        here, there = self._context.Pipe()
        process = self._context.Process(target=serve, args=(there, self._function.pickled), daemon=True)
        process.start()
        there.close()
        self._workers.append(worker := _Worker(process, here))
        return worker

    def _read(self, worker: _Worker) -> Outcome:
        try:
            outcome: Outcome = cloudpickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            self._end(worker)
            code = worker.process.exitcode
            killed = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
            return Failed("out_of_memory" if code == -9 else "crash", f"the process of the evaluation {killed}")
        if isinstance(outcome, Failed):
            self._end(worker)
        return outcome

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.kill()
        worker.process.join(_GRACE)


def serve(pipe: Connection, pickled: bytes) -> None:
    """The loop of a worker's process, which ends with its parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        function: Any = cloudpickle.loads(pickled)
    except Exception as error:  # unpickling runs the user's imports; each candidate is told of it
        told = error

        def function(*_: Any, **__: Any) -> Any:
            raise told

    while True:
        try:
            graph, keywords = cloudpickle.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            returned = function(graph, **keywords)
        except Exception as error:  # whatever it is, the campaign is to know
            outcome: Outcome = raised(error)
        else:
            outcome = _read(returned)
        pipe.send_bytes(cloudpickle.dumps(outcome))


def _read(returned: Any) -> Outcome:
    try:
        return Measured({str(name): float(value) for name, value in returned.items()})
    except (AttributeError, TypeError, ValueError, OverflowError, RuntimeError):
        return Failed("bad_output", f"expected metrics by name, each a number, got {returned!r:.500}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
