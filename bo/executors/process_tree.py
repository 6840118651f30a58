"""The processes of one evaluation: those in its session and their descendants, their memory, and their end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import psutil


def members(leader: int) -> list[int]:
    """The live processes of the session that `leader` began, whether or not it lives, and descendants of them."""
    found = {pid for pid in psutil.pids() if _session(pid) == leader}
    for pid in list(found):
        with suppress(psutil.Error):
            found.update(child.pid for child in psutil.Process(pid).children(recursive=True))
    return sorted(pid for pid in found if _alive(pid))


def memory(leader: int, limit: int) -> int:
    """Bytes of memory of the session's processes.

    Pages that several of them share count once, which takes long to find out and is done only where it may matter,
    when the plain sum is above `limit`.
    """
    processes = [pid for pid in psutil.pids() if _session(pid) == leader]
    plain = sum(_resident(pid) for pid in processes)
    return plain if plain <= limit else sum(_proportional(pid) for pid in processes)


def end(leader: int) -> None:
    """SIGKILL to all of them until none is left, for they may be starting others meanwhile."""
    for attempt in range(100):
        alive = members(leader)
        if not alive:
            return
        for pid in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(min(0.001 * 2**attempt, 0.05))


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:  # it ended, or is somebody else's
        return -1


def _alive(pid: int) -> bool:
    """Whether it runs; one that ended and waits to be noticed by its parent does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _proportional(pid: int) -> int:
    """Its own pages and its share of those shared; macOS does not tell, so there all count."""
    try:
        info = psutil.Process(pid).memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(info, "pss", 0) or info.rss)
