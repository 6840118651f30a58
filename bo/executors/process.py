"""One evaluation in a process of its own, with limits of time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bo.executors.executor import Program
from bo.executors.limits import Limits
from bo.executors.process_tree import end, memory
from bo.outcome import Failed, Outcome, lacks_memory
from graphs.archgraph import ArchGraph

_FIRST_LOOK, _LONGEST_LOOK = 0.05, 0.25
"""Seconds between two looks at the memory: often at first, for what is short may also be greedy."""
_LINES, _CHARACTERS = 8, 1000
"""What is kept of an error's last lines."""


Notice = Callable[[str, int], None]
"""Called with "+" when the session of an evaluation begins and with "-" when it has ended."""


def evaluate(
    program: Program,
    graph: ArchGraph,
    limits: Limits,
    stop: threading.Event,
    notice: Notice = lambda *_: None,
    fidelity: float | None = None,
) -> Outcome:
    """Run a program on a graph; nothing of it is left running afterwards, and whatever it does is an outcome.

    Args:
        stop: ends it early; its outcome is then not of interest.
        notice: see `Notice`.
        fidelity: told to the program.
    """
    with tempfile.TemporaryDirectory(prefix="archgen-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = program.begin(graph, folder, fidelity)
        try:
            process = _start(command, folder)
        except (FileNotFoundError, PermissionError) as error:
            return Failed("crash", f"cannot be started: {error}")
        notice("+", process.pid)
        kills = _kernel_kills()
        try:
            broken = _watch(process, limits, stop)
        finally:
            end(process.pid)  # also what the process left behind when it ended by itself
            process.wait()
            notice("-", process.pid)
        if broken is not None:
            return broken
        said = _tail(folder / "stderr")
        if process.returncode != 0:
            return _died(process.returncode, said, _kernel_kills() > kills)
        outcome = program.answer(folder)
        return _with_said(outcome, said) if isinstance(outcome, Failed) else outcome


def _start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """The process in a session of its own, so that Ctrl-C does not reach it and a kill reaches all of it."""
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)


def _watch(process: subprocess.Popen[bytes], limits: Limits, stop: threading.Event) -> Failed | None:
    """Wait for its end; why it must not go on, where it must not."""
    started, pause = time.monotonic(), _FIRST_LOOK
    while True:
        left = pause
        if limits.seconds is not None:
            left = min(pause, started + limits.seconds - time.monotonic())
        try:
            process.wait(max(left, 0.001))
            return None
        except subprocess.TimeoutExpired:
            pass
        if stop.is_set():
            return Failed("error", "stopped with the campaign")
        if limits.seconds is not None and time.monotonic() - started >= limits.seconds:
            return Failed("timeout", f"took longer than {limits.seconds:g} s")
        if limits.memory is not None and (used := memory(process.pid, limits.memory)) > limits.memory:
            return Failed("out_of_memory", f"used {_size(used)}, more than {_size(limits.memory)}")
        pause = min(1.5 * pause, _LONGEST_LOOK)


def _died(code: int, said: str, kernel_killed: bool) -> Failed:
    """What an exit code other than 0 means; shells add 128 to the number of a signal."""
    number = -code if code < 0 else code - 128 if code > 128 else 0
    if number == signal.SIGKILL and kernel_killed:
        return _with_said(Failed("out_of_memory", "killed by the system, which ran out of memory"), said)
    if lacks_memory(said):
        return Failed("out_of_memory", said)
    try:
        how = f"killed by {signal.Signals(number).name}"
    except ValueError:
        how = f"exit code {code}"
    return _with_said(Failed("crash", how), said)


def _with_said(failure: Failed, said: str) -> Failed:
    return Failed(failure.failure, f"{failure.reason}: {said}") if said else failure


def _tail(path: Path) -> str:
    """The last lines of what may be gigabytes."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 4 * _CHARACTERS))
        lines = [line.rstrip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return "\n".join(lines[-_LINES:])[-_CHARACTERS:]


def _kernel_kills() -> int:
    """How many processes this machine's kernel has killed for want of memory; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
