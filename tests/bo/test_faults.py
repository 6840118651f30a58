"""Crashes, hangs, and kills of evaluations, workers and campaign processes: every candidate ends exactly once."""

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from archgen.testing.executor import gone
from bo.executors.process_tree import end
from bo.lease_tables import LEASES
from bo.records import Trial
from bo.store import Store
from bo.store_place import open_store

SCRIPT = Path(__file__).with_name("fault_campaign.py")
AUDIT = {
    "sqlite": [
        "CREATE TABLE audit (trial INTEGER)",
        "CREATE TRIGGER audited AFTER UPDATE OF status ON trials BEGIN INSERT INTO audit VALUES (NEW.number); END",
    ],
    "postgresql": [
        "CREATE TABLE audit (trial INTEGER)",
        "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO audit VALUES (NEW.number); RETURN NEW; END $$",
        "CREATE TRIGGER audited AFTER UPDATE OF status ON trials FOR EACH ROW EXECUTE FUNCTION audit()",
    ],
}
"""The database itself notes each change of a trial's status."""


@dataclass
class Fleet:
    """Processes of one campaign, begun again whenever they are killed.

    Args:
        folder, url, ray: see `fault_campaign.py`.
        budget: queries in all.
        processes: of the campaign, each with four workers.
    """

    folder: Path
    url: str
    budget: int
    processes: int = 2
    ray: str = ""
    kills: Counter[str] = field(default_factory=Counter)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def start(self) -> subprocess.Popen[bytes]:
        arguments = [str(self.folder), self.url, str(self.budget), "4", self.ray]
        with (self.folder / "errors").open("ab") as errors:
            return subprocess.Popen([sys.executable, SCRIPT, *arguments], stderr=errors)

    def run(self, kills: int, seconds: float) -> None:
        """Until all processes end well; `kills` of them are killed meanwhile, evenly over the budget."""
        until = time.monotonic() + seconds
        kill_at = [self.budget * (k + 1) // (kills + 1) for k in range(kills)]
        self.running = [self.start() for _ in range(self.processes)]
        try:
            while any(process.poll() is None for process in self.running):
                assert time.monotonic() < until, f"not done in {seconds:g} s: {self.errors()}"
                time.sleep(0.05)
                self.check()
                if self.chance.random() < 0.1:
                    self.kill_evaluation()
                if kill_at and self.ended() >= kill_at[0]:
                    kill_at.pop(0)
                    self.kill_campaign()
        finally:
            for process in self.running:
                process.kill()
                process.wait()

    def check(self) -> None:
        for process in self.running:
            assert process.poll() in (None, 0), self.errors()

    def errors(self) -> str:
        return (self.folder / "errors").read_text()[-3000:]

    def ended(self) -> int:
        path = self.folder / "ended"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def kill_campaign(self) -> None:
        """SIGKILL one of the processes with all that it is doing, and begin it again."""
        at = self.chance.randrange(len(self.running))
        if self.running[at].poll() is None:
            self.running[at].kill()
            self.running[at].wait()
            self.kills["campaign"] += 1
            self.running[at] = self.start()

    def kill_evaluation(self) -> None:
        """SIGKILL an evaluation that runs, or on Ray the worker that watches it."""
        path = self.folder / "begun"
        for pid in map(int, path.read_text().split()[-8:] if path.exists() else ()):
            if self.is_ours(pid):
                with suppress(ProcessLookupError, psutil.Error):
                    os.kill(psutil.Process(pid).ppid() if self.ray else pid, signal.SIGKILL)
                    self.kills["worker"] += 1
                return

    def verify(self) -> list[Trial]:
        """Every candidate ended exactly once, nothing is lost, nothing is left running."""
        with closing(open_store(self.folder)) as store:
            trials = store.trials()
            with store.writing() as db:
                changes = Counter(db.scalars(sa.text("SELECT trial FROM audit")))
                assert db.scalar(sa.select(sa.func.count()).select_from(LEASES)) == 0
        assert [trial.number for trial in trials] == list(range(self.budget))
        assert len({trial.identity for trial in trials}) == self.budget
        assert {trial.status for trial in trials} <= {"done", "failed"}
        assert changes == Counter(range(self.budget)), "each ends once"
        told = Counter(int(line.split()[0]) for line in (self.folder / "ended").read_text().splitlines())
        assert set(told.values()) == {1}, "and one process ends it"
        begun = (self.folder / "begun").read_text().split()
        assert len(begun) >= self.budget - 1
        assert all(gone(int(pid)) or not self.is_ours(int(pid)) for pid in set(begun[-20:]))
        return trials

    def is_ours(self, pid: int) -> bool:
        with suppress(psutil.Error):
            return str(self.folder) in " ".join(psutil.Process(pid).cmdline())
        return False


def prepare(folder: Path, url: str) -> None:
    """The tables beforehand, with the database's own record of what happens to them."""
    with closing(open_store(folder, url or None, create=True)) as store:
        audit(store)


def audit(store: Store) -> None:
    with store.writing() as db:
        for statement in AUDIT[db.dialect.name]:
            db.exec_driver_sql(statement)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("new_database")() if request.param == "postgresql" else ""


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """A Ray cluster in a session of its own, with a folder and a token of its own, apart from any other one here."""
    ray = pytest.importorskip("ray")
    host = ray.util.get_node_ip_address()
    with closing(socket.socket()) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # a socket's path must be short
    (folder / "token").write_text(secrets.token_hex(32))
    variables = {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": folder / "token"}
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", "--num-cpus=8", f"--port={port}"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, str(value))  # for the cluster and for the processes that use it
        with (folder / "log").open("wb") as log:
            options = ["--include-dashboard=false"]
            process = subprocess.Popen([*command, *options], start_new_session=True, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 90
            while "Ray runtime started" not in (folder / "log").read_text():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, "Ray does not start"
                time.sleep(0.2)
            yield f"{host}:{port}"
        finally:
            end(process.pid)
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def failures(trials: list[Trial]) -> Counter[str]:
    return Counter(trial.failure or "none" for trial in trials)


def test_a_few_faults(tmp_path: Path, url: str) -> None:
    prepare(tmp_path, url)
    fleet = Fleet(tmp_path, url, 60)
    fleet.run(kills=2, seconds=120)
    fleet.verify()
    assert fleet.kills["campaign"] >= 1


@pytest.mark.slow
def test_a_thousand_evaluations(tmp_path: Path, url: str) -> None:
    """On eight workers in two processes."""
    prepare(tmp_path, url)
    fleet = Fleet(tmp_path, url, 1000)
    started = time.monotonic()
    fleet.run(kills=12, seconds=900)
    found = failures(fleet.verify())
    print(f"{time.monotonic() - started:.0f} s, {dict(found)}, kills {dict(fleet.kills)}")
    assert fleet.kills["campaign"] >= 8
    assert fleet.kills["worker"] >= 5
    assert found["crash"] > 120
    assert found["timeout"] > 5
    assert found["none"] > 500


@pytest.mark.slow
def test_on_ray(tmp_path: Path, ray_address: str, new_database: Callable[[], str]) -> None:
    """On eight workers of a local cluster, for two processes; workers of Ray are killed rather than evaluations."""
    prepare(tmp_path, url := new_database())
    fleet = Fleet(tmp_path, url, 1000, ray=ray_address)
    started = time.monotonic()
    fleet.run(kills=10, seconds=900)
    found = failures(fleet.verify())
    print(f"{time.monotonic() - started:.0f} s, {dict(found)}, kills {dict(fleet.kills)}")
    assert fleet.kills["campaign"] >= 6
    assert fleet.kills["worker"] >= 5
    assert found["none"] > 500
