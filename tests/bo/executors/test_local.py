"""The executor of one machine: the contract, its guard, and trouble that is not the candidate's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archgen.testing import ExecutorContract
from archgen.testing.executor import GRAPH, gone
from bo.evaluators.command import Command
from bo.executors.executor import Executor, Program
from bo.executors.limits import Limits
from bo.executors.local import LocalExecutor


class TestLocalExecutor(ExecutorContract):
    def executor(self, program: Program, workers: int, limits: Limits) -> Executor:
        return LocalExecutor(program, workers, limits)


CAMPAIGN = """
import sys, time
from archgen.testing.executor import GRAPH
from bo.evaluators.command import Command
from bo.executors.local import LocalExecutor

SLEEPER = '''
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, file=open(sys.argv[1] + "/" + str(os.getpid()), "w"))
time.sleep(600)
'''
executor = LocalExecutor(Command((sys.executable, "-c", SLEEPER, sys.argv[1], "{graph}"), "chain"), 2)
for key in range(2):
    executor.submit(key, GRAPH)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_evaluations_and_their_children_end_with_a_campaign_that_is_killed(tmp_path: Path, end: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", CAMPAIGN, tmp_path]) as campaign:
        until, pids = time.monotonic() + 60, []
        while len(pids) < 4 and time.monotonic() < until:
            time.sleep(0.05)
            pids = [int(pid) for path in tmp_path.iterdir() for pid in path.read_text().split()]
        campaign.send_signal(end)
    assert len(pids) == 4
    assert all(gone(pid) for pid in pids)


def test_a_full_disk_is_no_candidates_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = LocalExecutor(Command((sys.executable, "-c", "", "{graph}"), "chain"))
    monkeypatch.setattr("tempfile.mkdtemp", lambda *_, **__: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
    executor.submit(0, GRAPH)
    with pytest.raises(OSError, match="No space left"):
        executor.wait(10.0)
    executor.close()
