"""A small process that ends evaluations when the process that began them is gone, be it by SIGKILL.

`python -P reaper.py FOLDER...`, run as a script with the folders where modules are: standard input tells `+session` and
`-session`, one a line; when it closes, the sessions that are left are ended.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Note the sessions until standard input closes; then end them."""
    from bo.executors.process_tree import end

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what ends the campaign must not end what tidies up behind it
    sessions: set[int] = set()
    for line in sys.stdin:
        note, session = line[0], int(line[1:])
        (sessions.add if note == "+" else sessions.discard)(session)
    for session in sessions:
        end(session)


if __name__ == "__main__":
    sys.path[:] = sys.argv[1:]
    main()
