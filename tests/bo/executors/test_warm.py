"""Processes that stay between candidates: answers, faults of every kind, and what is left when the parent dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archgen.testing.executor import GRAPH, gone
from bo.evaluators.function import Evaluate, Function
from bo.executors.executor import Answer, Executor
from bo.executors.warm import WarmExecutor
from bo.outcome import Failed, Measured

PATIENCE = 120.0
Make = Callable[..., WarmExecutor]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[WarmExecutor] = []

    def start(evaluate: Evaluate, workers: int = 1, seconds: float | None = None) -> WarmExecutor:
        made.append(executor := WarmExecutor(Function.of(evaluate), workers, seconds))
        return executor

    yield start
    for executor in made:
        executor.close()


def answers(executor: Executor, count: int) -> list[Answer]:
    found: list[Answer] = []
    until = time.monotonic() + PATIENCE
    while len(found) < count:
        assert time.monotonic() < until
        found += executor.wait(0.5)
    return found


def test_it_is_an_executor_that_answers_each_candidate_once_in_processes_that_stay(make: Make) -> None:
    def process(_graph: object, fidelity: float = 0.0) -> dict[str, float]:
        import os

        return {"pid": os.getpid(), "fidelity": fidelity}

    executor = make(process, 2)
    assert isinstance(executor, Executor)
    assert executor.capacity == 2
    found: list[Answer] = []
    for first in (0, 2, 4):
        executor.submit(first, GRAPH)
        executor.submit(first + 1, GRAPH, 3.0)
        found += answers(executor, 2)
    assert sorted(answer.key for answer in found) == list(range(6))
    told = {answer.key: answer.outcome.metrics for answer in found if isinstance(answer.outcome, Measured)}
    assert [told[key]["fidelity"] for key in range(6)] == [0.0, 3.0] * 3
    assert len({metrics["pid"] for metrics in told.values()}) <= 2
    assert os.getpid() not in {metrics["pid"] for metrics in told.values()}


def _raise(_graph: object) -> dict[str, float]:
    raise ValueError("no such layer")


def _not_finite(_graph: object) -> dict[str, float]:
    from graphs.errors import NotFinite

    raise NotFinite("diverged")


def _die(_graph: object) -> dict[str, float]:
    import os

    os._exit(3)


def _killed(_graph: object) -> dict[str, float]:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _words(_graph: object) -> dict[str, float]:
    return {"accuracy": "high"}  # type: ignore[dict-item]


def _nothing(_graph: object) -> dict[str, float]:
    return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("evaluate", "failure"),
    [
        (_raise, "error"),
        (_not_finite, "not_finite"),
        (_die, "crash"),
        (_killed, "out_of_memory"),
        (_words, "bad_output"),
        (_nothing, "bad_output"),
    ],
)
def test_a_fault_is_a_typed_failure_and_the_next_candidate_is_evaluated(
    make: Make, evaluate: Evaluate, failure: str
) -> None:
    def sometimes(graph: object, fidelity: float = 0.0) -> dict[str, float]:
        return evaluate(graph) if fidelity else {"score": 1.0}  # type: ignore[return-value,arg-type]

    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        executor = make(sometimes)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    executor.submit(0, GRAPH, 1.0)
    (answer,) = answers(executor, 1)
    assert isinstance(answer.outcome, Failed)
    assert answer.outcome.failure == failure
    executor.submit(1, GRAPH)
    (answer,) = answers(executor, 1)
    assert answer == Answer(1, Measured({"score": 1.0}))


def test_a_loop_without_end_is_ended(make: Make) -> None:
    def loop(_graph: object, fidelity: float = 0.0) -> dict[str, float]:
        import time

        while fidelity:
            time.sleep(0.1)
        return {"score": 1.0}

    executor = make(loop, 1, seconds=20.0)
    executor.submit(0, GRAPH)
    assert answers(executor, 1) == [Answer(0, Measured({"score": 1.0}))]
    executor = make(loop, 1, seconds=3.0)
    executor.submit(1, GRAPH, 1.0)
    (answer,) = answers(executor, 1)
    assert isinstance(answer.outcome, Failed)
    assert answer.outcome.failure == "timeout"


def test_a_process_that_died_while_it_was_idle_is_replaced(make: Make) -> None:
    def process(_graph: object) -> dict[str, float]:
        import os

        return {"pid": os.getpid()}

    executor = make(process)
    executor.submit(0, GRAPH)
    (answer,) = answers(executor, 1)
    assert isinstance(answer.outcome, Measured)
    pid = int(answer.outcome.metrics["pid"])
    os.kill(pid, signal.SIGKILL)
    while not gone(pid):
        time.sleep(0.05)
    executor.submit(1, GRAPH)
    (answer,) = answers(executor, 1)
    assert isinstance(answer.outcome, Measured)
    assert answer.outcome.metrics["pid"] != pid


CAMPAIGN = """
import sys, time
from archgen.testing.executor import GRAPH
from bo.evaluators.function import Function
from bo.executors.warm import WarmExecutor

def sleep(graph, where=sys.argv[1]):
    import os, time
    print(os.getpid(), file=open(where + "/" + str(os.getpid()), "w"))
    time.sleep(600)

if __name__ == "__main__":
    executor = WarmExecutor(Function.of(sleep), 2)
    for key in range(2):
        executor.submit(key, GRAPH)
    time.sleep(600)
"""


def test_nothing_outlives_a_campaign_that_is_killed(tmp_path: Path) -> None:
    script, notes = tmp_path / "campaign.py", tmp_path / "notes"
    script.write_text(CAMPAIGN)
    notes.mkdir()
    with subprocess.Popen([sys.executable, script, notes]) as campaign:
        until, pids = time.monotonic() + PATIENCE, list[int]()
        while len(pids) < 2 and time.monotonic() < until:
            time.sleep(0.05)
            pids = [int(text) for path in notes.iterdir() if (text := path.read_text())]
        campaign.kill()
    assert len(pids) == 2
    while not all(map(gone, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert all(map(gone, pids))
