"""Functions as evaluators: every kind that pickles, in a process of its own."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgen.testing.executor import GRAPH
from bo.evaluators.function import Function, import_function
from bo.executors.limits import NO_LIMITS, Limits
from bo.executors.process import evaluate
from bo.outcome import Failed, Measured, Outcome
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption


def call(function: Callable[[ArchGraph], Any], limits: Limits = NO_LIMITS) -> Outcome:
    return evaluate(Function.of(function), GRAPH, limits, threading.Event())


def test_a_function_that_no_module_has_sees_the_graph_in_another_process() -> None:
    offset = 0.25
    found = call(lambda graph: {"nodes": len(graph) + offset, "pid": os.getpid()})
    assert isinstance(found, Measured)
    assert found.metrics["nodes"] == 2.25
    assert found.metrics["pid"] != os.getpid()


def test_what_it_prints_does_not_disturb() -> None:
    assert call(lambda _: print("no metrics") or {"score": 1}) == Measured({"score": 1.0})


def test_a_function_of_a_module_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_training.py").write_text("class Net:\n    @staticmethod\n    def train(g): return {'n': len(g)}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    program = import_function("my_training:Net.train")
    assert evaluate(program, GRAPH, NO_LIMITS, threading.Event()) == Measured({"n": 2.0})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("no_such_module:train", "ModuleNotFoundError"),
        ("os:no_such_function", "AttributeError"),
        ("os:sep", "is str, which cannot be called"),
    ],
)
def test_functions_that_are_not_there_are_refused(text: str, match: str) -> None:
    with pytest.raises(InvalidOption, match=f"{match}.*expected module:function"):
        import_function(text)


def test_what_cannot_be_pickled_is_refused() -> None:
    lock = threading.Lock()
    with pytest.raises(InvalidOption, match="cannot be sent to another process"):
        Function.of(lambda _: {"score": float(lock.locked())})


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("function", "failure", "reason"),
    [
        (lambda _: fail(ValueError("no")), "error", "ValueError: no"),
        (lambda _: fail(MemoryError()), "out_of_memory", "MemoryError"),
        (lambda _: fail(RuntimeError("CUDA out of memory. Tried")), "out_of_memory", "CUDA out of memory"),
        (lambda _: 0.5, "bad_output", "expected metrics by name, each a number, got 0.5"),
        (lambda _: {"score": "high"}, "bad_output", "expected metrics by name"),
        (lambda _: {"score": None}, "bad_output", "expected metrics by name"),
        (lambda _: sys.exit(0), "bad_output", "does the function call exit"),
        (lambda _: sys.exit(3), "crash", "exit code 3"),
        (lambda _: os.abort(), "crash", "killed by SIGABRT"),
        (lambda _: os._exit(137), "crash", "killed by SIGKILL"),
    ],
)
def test_each_failure_has_its_kind(function: Callable[[ArchGraph], Any], failure: str, reason: str) -> None:
    found = call(function)
    assert isinstance(found, Failed)
    assert found.failure == failure
    assert reason in found.reason


def test_the_kernels_kill_for_memory_is_told_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    kills = iter((4, 5))
    monkeypatch.setattr("bo.executors.process._kernel_kills", lambda: next(kills))
    found = call(lambda _: os.kill(os.getpid(), 9))
    assert isinstance(found, Failed)
    assert found.failure == "out_of_memory"
