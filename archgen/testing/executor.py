"""ExecutorContract: the tests that what evaluates candidates, several at a time, runs."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bo.evaluators.command import Command
from bo.executors.executor import Answer, Executor, Program
from bo.executors.limits import Limits
from bo.outcome import Failed, Measured, Outcome
from graphs.archgraph import INPUT, OUTPUT, ArchGraph

GRAPH = ArchGraph((INPUT, OUTPUT), ((0, 1),))
LIMITS = Limits(10.0, 300 * 2**20)
PATIENCE = 120.0
"""Seconds in which an answer must come."""


class ExecutorContract:
    """What every `bo.executors.executor.Executor` must hold:

    class TestMyCluster(ExecutorContract):
        def executor(self, program, workers, limits):
            return MyCluster(program, workers, limits)
    """

    def executor(self, program: Program, workers: int, limits: Limits) -> Executor:
        """An executor that the test closes; its evaluations run on this machine."""
        raise NotImplementedError(f"{type(self).__name__} must define executor()")

    def setup_method(self, method: object) -> None:
        self._open: list[Executor] = []

    def teardown_method(self, method: object) -> None:
        for executor in self._open:
            executor.close()

    def make(self, script: str, workers: int = 1, limits: Limits = LIMITS) -> Executor:
        """An executor whose evaluations run a Python script with the graph's file as its argument."""
        program = Command((sys.executable, "-c", script, "{graph}"), "contract")
        self._open.append(executor := self.executor(program, workers, limits))
        assert executor.capacity == workers
        return executor

    def answers(self, executor: Executor, count: int) -> list[Answer]:
        """The next answers."""
        found: list[Answer] = []
        until = time.monotonic() + PATIENCE
        while len(found) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} answers in {PATIENCE:g} s"
            found += executor.wait(0.5)
        return found

    def outcome(self, script: str, limits: Limits = LIMITS) -> Outcome:
        """How one evaluation of a script comes out."""
        executor = self.make(script, 1, limits)
        executor.submit(7, GRAPH)
        (answer,) = self.answers(executor, 1)
        assert answer.key == 7
        return answer.outcome

    def failure(self, script: str, limits: Limits = LIMITS) -> Failed:
        outcome = self.outcome(script, limits)
        assert isinstance(outcome, Failed), f"expected a failure, got {outcome}"
        return outcome

    def test_nothing_comes_of_nothing(self) -> None:
        started = time.monotonic()
        assert self.make("").wait(0.1) == []
        assert time.monotonic() - started < PATIENCE

    def test_every_evaluation_is_answered_once(self) -> None:
        executor = self.make("print('{\"score\": 0.1}')", 4)
        found: list[Answer] = []
        for first in range(0, 12, 4):
            for key in range(first, first + 4):
                executor.submit(key, GRAPH)
            found += self.answers(executor, 4)
        assert executor.wait(0.1) == []
        assert Counter(answer.key for answer in found) == Counter(range(12))
        assert [answer.outcome for answer in found] == [Measured({"score": 0.1})] * 12

    def test_workers_work_at_the_same_time(self, tmp_path: Path) -> None:
        """Each waits until it sees the others."""
        script = f"""
import os, pathlib, time
folder = pathlib.Path({str(tmp_path)!r})
(folder / str(os.getpid())).touch()
while len(list(folder.iterdir())) < 3:
    time.sleep(0.01)
print('{{"score": 1}}')
"""
        executor = self.make(script, 3, Limits(PATIENCE / 2))
        for key in range(3):
            executor.submit(key, GRAPH)
        assert [one.outcome for one in self.answers(executor, 3)] == [Measured({"score": 1})] * 3

    def test_the_graph_arrives(self) -> None:
        script = "import json, sys; print(json.dumps({'nodes': len(json.load(open(sys.argv[1]))['ops'])}))"
        assert self.outcome(script) == Measured({"nodes": 2})

    def test_an_exit_code_is_a_crash_with_the_last_words(self) -> None:
        found = self.failure("import sys; print('a\\n' * 999, 'no such file', file=sys.stderr); sys.exit(3)")
        assert found.failure == "crash"
        assert found.reason.startswith("exit code 3: ")
        assert found.reason.endswith("no such file")
        assert len(found.reason) < 1100

    def test_a_signal_is_a_crash(self) -> None:
        found = self.failure("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        assert (found.failure, found.reason) == ("crash", "killed by SIGSEGV")

    def test_an_endless_loop_ends_at_its_time(self) -> None:
        found = self.failure("while True: pass", Limits(0.5))
        assert (found.failure, found.reason) == ("timeout", "took longer than 0.5 s")

    def test_memory_of_a_child_counts(self) -> None:
        script = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; kept = b'x' * 200_000_000; time.sleep(60)"])
"""
        found = self.failure(script, Limits(60.0, 100 * 2**20))
        assert found.failure == "out_of_memory"
        assert "more than 100 MiB" in found.reason

    def test_an_exception_for_want_of_memory_is_known(self) -> None:
        found = self.failure("raise MemoryError('no room')")
        assert found.failure == "out_of_memory"

    @pytest.mark.parametrize("printed", ["", "done", "[1]", '"a"', '{"score": 1'])
    def test_what_is_no_object_is_bad_output(self, printed: str) -> None:
        found = self.failure(f"print('{{\"score\": 1}}'); print({printed!r}, 'x')")
        assert found.failure == "bad_output"
        assert "expected a JSON object of metrics as the last line printed" in found.reason

    @pytest.mark.parametrize("ends", ["pass", "time.sleep(60)", "sys.exit(1)"])
    def test_nothing_is_left_of_an_evaluation(self, tmp_path: Path, ends: str) -> None:
        """Neither when it ends by itself nor when it is ended."""
        script = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
{ends}
"""
        self.outcome(script, Limits(1.0))
        assert gone(int((tmp_path / "pid").read_text()))

    def test_nothing_is_left_after_close(self, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        script = f"""
import os, pathlib, time
pathlib.Path({str(tmp_path / "new")!r}).write_text(str(os.getpid()))
os.rename({str(tmp_path / "new")!r}, {str(path)!r})
time.sleep(600)
"""
        executor = self.make(script)
        executor.submit(0, GRAPH)
        until = time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        executor.close()
        executor.close()
        assert gone(int(path.read_text()))


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ends within some seconds, or has."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False
