"""Processes of an evaluation: found wherever they hide, counted once, ended all."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from archgen.testing.executor import gone
from bo.executors.process_tree import end, members, memory

FAMILY = """
import subprocess, sys, time
quiet = {"stdout": subprocess.DEVNULL}
same = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **quiet)
own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True, **quiet)
print(same.pid, own.pid, flush=True)
time.sleep(600)
"""
SHARED = """
import mmap, os, time
kept = mmap.mmap(-1, 100 * 2**20)
kept[:] = b"x" * len(kept)
for _ in range(3):
    if os.fork() == 0:
        sum(kept[::4096])
        time.sleep(600)
time.sleep(0.5)
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def running(script: str) -> Iterator[tuple[int, list[str]]]:
    """A script in a session of its own, and the words that it printed first."""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.pid, process.stdout.readline().split()
        finally:
            end(process.pid)


def test_children_are_found_in_sessions_of_their_own_too() -> None:
    with running(FAMILY) as (leader, words):
        family = {leader, *map(int, words)}
        assert set(members(leader)) == family
        end(leader)
        assert members(leader) == []
        assert all(gone(pid) for pid in family)


def test_a_session_whose_leader_is_gone_is_ended() -> None:
    with running(FAMILY) as (leader, words):
        os.kill(leader, 9)
        time.sleep(0.1)
        assert int(words[0]) in members(leader)
        end(leader)
        assert gone(int(words[0]))
        psutil.Process(int(words[1])).kill()  # in a session of its own, and nobody's child any more


def test_pages_that_several_share_count_once() -> None:
    with running(SHARED) as (leader, words):
        assert words == ["ready"]
        assert memory(leader, 10**12) > 350 * 2**20, "the quick sum"
        assert 100 * 2**20 < memory(leader, 200 * 2**20) < 180 * 2**20, "and the exact one where the limit is near"


def test_nobody_has_no_memory() -> None:
    assert memory(2**22 + 1, 0) == 0
    assert members(2**22 + 1) == []
