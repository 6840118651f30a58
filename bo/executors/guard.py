"""Guard: a process that outlives this one for a moment, and ends the evaluations that this one leaves behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress

from bo.executors import reaper


class Guard:
    """The process of `bo.executors.reaper`, told of each session; nothing outlives this process then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", reaper.__file__, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def notice(self, note: str, session: int) -> None:
        assert self._process.stdin is not None
        with self._lock, suppress(OSError):  # without it evaluations go on; only a kill would leave some behind
            self._process.stdin.write(f"{note}{session}\n".encode())
            self._process.stdin.flush()

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
