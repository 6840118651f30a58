"""One process of a campaign that shares it with others, for `test_faults.py`, which kills it now and then.

`fault_campaign.py FOLDER URL BUDGET WORKERS RAY`: URL and RAY may be empty. A fifth of the evaluations crash in one way
or another, some hang until their time is up, and most take some milliseconds.
"""

import os
import sys
from pathlib import Path

from bo.campaign import Campaign
from bo.evaluators.command import Command
from bo.executors.executor import Executor
from bo.executors.limits import Limits
from bo.executors.local import LocalExecutor
from bo.executors.ray_cluster import RayExecutor
from bo.leases import Leases
from bo.records import CampaignConfig, Objective, Trial
from bo.runner import run
from bo.store_place import open_store
from bo.strategies.random_search import RandomSearch
from graphs.spaces.nas_bench_graph import NasBenchGraph

SCRIPT = """
echo $$ >> "$0"
case $(($(od -An -N4 -tu4 /dev/urandom) % 30)) in
    0|1|2) exit 3 ;;
    3|4|5) kill -SEGV $$ ;;
    6) echo '{"score": NaN}' ;;
    7) echo 'no metrics' ;;
    8) sleep 60 ;;
    *) sleep 0.05; echo "{\\"score\\": $$}" ;;
esac
"""
"""A shell, as it starts faster than anything else; it notes each evaluation that begins, with its process."""
SECONDS = 2.0
"""Without a heartbeat after which a worker counts as dead."""


class Logged(Leases):
    """Notes which candidates this process has ended."""

    def end(self, trial: Trial) -> bool:
        ended = super().end(trial)
        if ended:
            append(self.store.path.with_name("ended"), f"{trial.number} {os.getpid()}\n")
        return ended


def append(path: Path, line: str) -> None:
    """In one write, which no other process can come between."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)


def main(folder: Path, url: str, budget: int, workers: int, ray: str) -> None:
    """Work until the budget is spent."""
    space = NasBenchGraph()
    config = CampaignConfig(space.name, "none", "random", Objective("score"))
    store = open_store(folder, url or None, create=True)
    campaign = Campaign(space, config, store, RandomSearch(space, space.canonical))
    program, limits = Command(("sh", "-c", SCRIPT, str(folder / "begun"), "{graph}"), space.name), Limits(1.0)
    executor: Executor = RayExecutor(program, workers, limits, ray) if ray else LocalExecutor(program, workers, limits)
    run(campaign, executor, budget, Logged(store, SECONDS))
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
