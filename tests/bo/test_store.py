"""The store against kills at each of its statements, foreign files, and its own round trip."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bo.records import CampaignConfig, Objective, Proposal, Trial
from bo.store import Store
from bo.store_schema import SCHEMA
from graphs.condition import Condition
from graphs.errors import StoreError
from graphs.space import SearchSpace

CONFIG = CampaignConfig(
    "chain",
    "toy",
    "archgen",
    Objective("loss", maximize=False),
    7,
    3,
    2,
    "description",
    {"generator_steps": 9},
    (Objective("accuracy"),),
    (Condition("latency", "<=", 5.0),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "campaign.sqlite"


def trial(space: SearchSpace, number: int, step: int = 0, **changes: object) -> Trial:
    graph = list(space.enumerate())[number]
    proposal = Proposal(graph, "mutation", 3, 0.1 + 0.2, 1e-300, -1234.5)
    return Trial(number, step, proposal, space.format(graph), f"id{number}", **changes)  # type: ignore[arg-type]


def test_wal_mode_lets_others_read_while_a_step_is_written(path: Path, chain: SearchSpace) -> None:
    with closing(Store(path, create=True)) as store, closing(Store(path)) as reader:
        store.add_step([trial(chain, 0)], "chain", {}, {}, 0.0)
        assert path.read_bytes()[18:20] == b"\x02\x02", "the file's own mark of WAL mode"
        with store._transaction() as db:
            db.exec_driver_sql("UPDATE trials SET status = 'done'")
            assert reader.trials()[0].status == "pending"
        assert reader.trials()[0].status == "done"


# Sessions of a campaign, each in a fork that SIGKILLs itself before its n-th statement, for every n, and then each
# session once more on what the killed one left.
SESSIONS = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import sqlalchemy as sa
from bo.records import CampaignConfig, Objective, Proposal, Trial
from bo.store import Store
from graphs.spaces.nas_bench_graph import NasBenchGraph

space = NasBenchGraph()
graphs = [space.parse(f"0012|gat|gcn|{op}|fc") for op in ("gat", "gcn", "gin", "cheb")]
config = CampaignConfig("nas-bench-graph", "cora", "random", Objective("acc"))

def session(path):
    store = Store(path, create=True)
    if store.read_config() is None:
        store.write_config(config, {"best": 1.0})
    for step in range(len(store.steps()), 2):
        pair = range(2 * step, 2 * step + 2)
        trials = [Trial(n, step, Proposal(graphs[n], "random"), str(n), str(n)) for n in pair]
        store.add_step(trials, space.name, {"state": step}, {}, 0.0)
    for trial in store.trials():
        if trial.status == "pending":
            store.tell(replace(trial, status="done", metrics={"acc": 1.0}))

def killed(path, statements):
    if not (child := os.fork()):
        def count(*_):
            nonlocal statements
            statements -= 1
            if statements < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
        sa.event.listen(sa.engine.Engine, "commit", count)
        session(path)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

folder, at = Path(sys.argv[1]), 0
while killed(folder / f"{at}.left", at):
    for suffix in ("", "-wal", "-shm"):
        left = folder / f"{at}.left{suffix}"
        if left.exists():
            (folder / f"{at}.finished{suffix}").write_bytes(left.read_bytes())
    assert not killed(folder / f"{at}.finished", 10_000)
    at += 1
print(at)
"""


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        kept = db.execute(
            "SELECT number, step, identity, graph, status, metrics FROM trials ORDER BY number"
        ).fetchall()
        return kept + db.execute("SELECT step, random_state FROM steps ORDER BY step").fetchall()


def test_a_kill_before_any_statement_loses_no_step_and_halves_none(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SESSIONS, tmp_path], capture_output=True, text=True, check=True)
    statements = int(done.stdout)
    assert statements > 40, "creation, two steps and four tellings"
    whole = rows(tmp_path / f"{statements}.left")
    assert len(whole) == 6
    for at in range(statements):
        with closing(sqlite3.connect(tmp_path / f"{at}.left")) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            assert tables in (set(), {"meta", "steps", "trials"}), "the tables come together"
            if tables:
                assert db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall() == [(str(SCHEMA),)]
                sizes = db.execute("SELECT count(*) FROM trials GROUP BY step").fetchall()
                assert sizes == [(2,)] * db.execute("SELECT count(*) FROM steps").fetchone()[0], "no half of a step"
        assert rows(tmp_path / f"{at}.finished") == whole


def foreign(path: Path, statement: str) -> bytes:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)
    return path.read_bytes()


@pytest.mark.parametrize("create", [False, True])
class TestRefused:
    """Each file is refused with advice and left as it is, to the byte."""

    def refuse(self, path: Path, create: bool, match: str) -> None:
        before = path.read_bytes()
        with pytest.raises(StoreError, match=match):
            Store(path, create=create)
        assert path.read_bytes() == before
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    def test_no_database(self, path: Path, create: bool) -> None:
        path.write_bytes(b"these are my notes, not a database " * 99)
        self.refuse(path, create, "not readable as a campaign .*restore the file or choose another directory")

    @pytest.mark.parametrize("kept", [20, 60, 150, 4096, 5000])
    def test_a_truncated_store(self, path: Path, create: bool, kept: int) -> None:
        with closing(Store(path, create=True)) as store:
            store.write_config(CONFIG, {})
        path.write_bytes(path.read_bytes()[:kept])
        self.refuse(path, create, "choose another directory")

    @pytest.mark.parametrize(
        "statement", ["CREATE TABLE photos (name)", "CREATE TABLE meta (a)", "CREATE TABLE meta (key, value)"]
    )
    def test_another_programs_database(self, path: Path, create: bool, statement: str) -> None:
        foreign(path, statement)
        self.refuse(path, create, "choose another directory")

    def test_a_newer_store(self, path: Path, create: bool) -> None:
        with closing(Store(path, create=True)) as store:
            store.write_config(CONFIG, {})
            store.write_meta({"schema": SCHEMA + 1})
        self.refuse(path, create, f"newer archgen .schema {SCHEMA + 1}, this one reads {SCHEMA}.; upgrade")


def test_a_missing_store_is_only_made_on_demand(path: Path) -> None:
    with pytest.raises(StoreError, match=r"no campaign here .*archgen search --dir"):
        Store(path)
    assert not path.exists()


def test_an_empty_file_is_a_store_not_yet_begun(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match="no archgen campaign"):
        Store(path)
    Store(path, create=True).close()
    Store(path).close()


def test_another_program_that_holds_the_database_is_named_as_the_trouble(path: Path) -> None:
    with closing(Store(path, create=True)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 10")
        with pytest.raises(StoreError, match="another program keeps it locked"):
            store.write_meta({"a": 1})


def test_any_directory_name_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "a?b=c#d%20e ü'&immutable=1"
    folder.mkdir()
    with closing(Store(folder / "campaign.sqlite", create=True)) as store:
        store.write_meta({"a": [1, "ü"]})
    with closing(Store(folder / "campaign.sqlite")) as store:
        assert store.read_meta("a") == [1, "ü"]
    assert json.dumps(sorted(file.name for file in folder.iterdir())) == '["campaign.sqlite"]'
