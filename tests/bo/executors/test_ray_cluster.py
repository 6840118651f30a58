"""The executor on a Ray cluster: the contract on a local one, and workers that die."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archgen.testing import ExecutorContract
from archgen.testing.executor import GRAPH, gone
from bo.evaluators.command import Command
from bo.executors.executor import Executor, Program
from bo.executors.limits import Limits
from bo.executors.ray_cluster import RayExecutor
from bo.outcome import Lost
from graphs.errors import InvalidOption

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A local Ray of more CPUs than there are, for what the tests run is small."""
    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


class TestRayExecutor(ExecutorContract):
    def executor(self, program: Program, workers: int, limits: Limits) -> Executor:
        return RayExecutor(program, workers, limits)


def test_a_worker_that_dies_gives_its_candidate_back(tmp_path: Path) -> None:
    script = """
import os, sys, time
with open(sys.argv[1] + "/new", "w") as file:
    print(os.getpid(), os.getppid(), file=file)
os.rename(sys.argv[1] + "/new", sys.argv[1] + "/pids")
time.sleep(600)
"""
    executor = RayExecutor(Command((sys.executable, "-c", script, str(tmp_path), "{graph}"), "chain"))
    executor.submit(3, GRAPH)
    until = time.monotonic() + 60
    while not (tmp_path / "pids").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    evaluation, worker = map(int, (tmp_path / "pids").read_text().split())
    time.sleep(2)  # until the worker has told its guard of the evaluation, too
    os.kill(worker, signal.SIGKILL)
    found, until = executor.wait(60.0), time.monotonic() + 60
    while not found and time.monotonic() < until:
        found = executor.wait(1.0)
    executor.close()
    assert [answer.key for answer in found] == [3]
    assert isinstance(found[0].outcome, Lost)
    assert gone(evaluation, 60.0), "the evaluation ends with the worker that watched it"


def test_without_ray_one_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InvalidOption, match=r"pip install 'archgen\[ray\]'"):
        RayExecutor(Command(("true", "{graph}"), "chain"))
