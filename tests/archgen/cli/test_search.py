"""`archgen search`: its answer, going on, refusals that harm nothing, broken tables and disks."""

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgen.campaign_folder import read_campaign
from bo.lock import hold
from bo.store_schema import SCHEMA
from graphs.errors import TableError
from graphs.graph_json import graph_from_dict
from graphs.tables.nas_bench_graph import TASKS, load_nas_bench_graph

Run = Callable[..., Any]
Snapshot = Callable[[Path], dict[str, str]]
Rows = Callable[[Path], list[dict[str, Any]]]
CORA = ("search", "nas-bench-graph", "--task", "cora", "--strategy", "evolution", "--wandb", "disabled")

INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from archgen.cli.main import run
run()
"""
"""A test run in the background of a shell passes its children an ignored Ctrl-C; a user's terminal does not."""


def search(run: Run, folder: Path, budget: int = 12, *options: object, **kwargs: Any) -> Any:
    return run(*CORA, "--budget", budget, "--dir", folder, *options, **kwargs)


def assert_refused(found: Any, *told: str) -> None:
    """Exit code 2 and one line on standard error that holds each of `told`."""
    assert found.code == 2, found
    lines = [line for line in found.err.splitlines() if not line.startswith("going on after")]
    assert len(lines) == 1, found.err
    assert lines[0].startswith("archgen: ")
    assert all(part in lines[0] for part in told), lines[0]


def test_the_answer_for_machines(archgen: Run, tmp_path: Path) -> None:
    table = load_nas_bench_graph("cora")
    found = search(archgen, tmp_path, 12, "--seed", 3, "--json")
    assert found.code == 0
    assert len(found.out.splitlines()) == 1
    answer = found.json
    graph = table.space.parse(answer["best"]["arch"])
    assert graph_from_dict(answer["best"]["graph"]) == (graph, "nas-bench-graph")
    assert answer["best"]["metrics"] == table(graph)
    assert (answer["queries"], answer["valid"], answer["seed"]) == (12, 12, 3)
    assert Path(answer["report"]).read_text().startswith("<!")
    status = archgen("status", tmp_path, "--json").json
    assert {name: answer[name] for name in status} == status


def test_the_answer_for_people(archgen: Run, tmp_path: Path) -> None:
    found = search(archgen, tmp_path)
    assert found.code == 0
    assert "best: " in found.out
    assert "queries 12, valid 12, seed 0" in found.out
    assert f"report: {tmp_path / 'report.html'}" in found.out
    assert "query 10/12: best valid_accuracy" in found.err


def test_several_objectives_and_bounds(archgen: Run, tmp_path: Path) -> None:
    goals = ("--maximize", "accuracy", "--minimize", "params", "--subject-to", "latency<=5ms", "--batch", 4)
    found = search(archgen, tmp_path, 18, *goals, "--strategy", "wl-gp", "--json")
    assert found.code == 0, found.err
    campaign = read_campaign(tmp_path)
    assert [(one.metric, one.maximize) for one in campaign.config.objectives] == [
        ("valid_accuracy", True),
        ("params", False),
    ]
    feasible = [trial for trial in campaign.history.done if trial.metrics["latency"] <= 5]
    best = max(feasible, key=lambda trial: trial.metrics["valid_accuracy"])
    assert found.json["best"]["arch"] == best.arch
    assert search(archgen, tmp_path, 18, *goals, "--strategy", "wl-gp", "--json").json["queries"] == 18
    assert_refused(search(archgen, tmp_path, 18, "--strategy", "wl-gp"), "holds another campaign", "constraints")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--minimize", "params", "--maximize", "accuracy"], ["'evolution' improves one objective", "wl-gp"]),
        (["--subject-to", "latency<=1us"], ["no architecture of nas-bench-graph on cora has latency<=0.001"]),
        (["--subject-to", "latency"], ["expected a name, <= or >="]),
        (["--acquisition", "ucb"], ["'evolution' has no option 'acquisition'"]),
        (["--strategy", "wl-gp", "--acquisition", "log_ei"], ["Did you mean 'log-ei'"]),
        (["--strategy", "wl-gp", "--acquisition", "log-nehvi"], ["'log-nehvi' is for several objectives"]),
    ],
)
def test_goals_that_cannot_be_had_are_refused(
    archgen: Run, tmp_path: Path, options: list[object], told: list[str]
) -> None:
    assert_refused(search(archgen, tmp_path / "none", 12, *options), *told)
    assert list(tmp_path.iterdir()) == []


def test_seeds_differ_and_repeat(archgen: Run, tmp_path: Path, rows: Rows) -> None:
    for name, seed in ("a", 1), ("b", 1), ("c", 2):
        search(archgen, tmp_path / name, 8, "--seed", seed)
    assert rows(tmp_path / "a") == rows(tmp_path / "b") != rows(tmp_path / "c")


def test_the_same_command_goes_on_and_a_larger_budget_prolongs(archgen: Run, tmp_path: Path, rows: Rows) -> None:
    search(archgen, tmp_path / "whole", 60)
    for budget in (20, 55, 60):
        found = search(archgen, tmp_path / "pieces", budget)
        assert found.code == 0
    assert "going on after 55 queries" in found.err
    assert rows(tmp_path / "pieces") == rows(tmp_path / "whole")


def test_a_finished_search_answers_again_within_a_second_and_changes_nothing(
    spawn: Run, tmp_path: Path, snapshot: Snapshot, fastest: Callable[..., float]
) -> None:
    first = search(spawn, tmp_path, 12, "--json")
    before = snapshot(tmp_path)

    def again() -> None:
        found = search(spawn, tmp_path, 12, "--json")
        assert found.code == 0
        assert {**found.json, "seconds": 0} == {**first.json, "seconds": 0}

    assert fastest(again) < 1.0
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--budget", 0], ["budget 0: expected at least 1 query"]),
        (["--budget", -3], ["budget -3: expected at least 1 query"]),
        (["--budget", 26_207], ["has only 26206 distinct networks; ask for at most that many"]),
        (["--budget", 59_041, "--distinct", "description"], ["has only 59040 descriptions"]),
        (["--task", "coral"], ["unknown task", "'coral'. Did you mean 'cora'?"]),
        (["--strategy", "evolutoin"], ["unknown strategy 'evolutoin'. Did you mean 'evolution'?"]),
        (["--maximize", "acuracy"], ["unknown metric 'acuracy'. Did you mean", "accuracy"]),
        (["--batch", 0], ["batch 0", "at least 1"]),
        (["--threads", 0], ["threads 0", "at least 1"]),
        (["--generator-steps", 10], ["strategy 'evolution' has no option 'generator_steps'"]),
        (["--strategy", "archgen", "--generator-steps", 0], ["generator_steps 0"]),
        (["--distinct", "netwrk"], ["'--distinct'", "network"]),
        (["--budge", 3], ["No such option: --budge. Did you mean --budget"]),
    ],
)
def test_a_mistake_writes_nothing(archgen: Run, tmp_path: Path, change: list[object], told: list[str]) -> None:
    assert_refused(search(archgen, tmp_path / "new", 5, *change), *told)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_space_writes_nothing(archgen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(archgen("search", "nasbench-201", "--task", "cora"), "'nasbench-201'. Did you mean 'nasbench201'?")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [None, "nowhere"])
def test_a_missing_table_says_where_it_is_looked_for(
    archgen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARCHGEN_DATA", raising=False)
    if folder is not None:
        monkeypatch.setenv("ARCHGEN_DATA", str(tmp_path / folder))
    found = archgen("search", "nasbench201", "--task", "cifar10", "--wandb", "disabled")
    assert_refused(found, "set ARCHGEN_DATA to the folder that holds nasbench201/")
    assert list(tmp_path.iterdir()) == []


class TestRefusedDirectory:
    """A directory that holds something else is left as it is, to the byte."""

    def refuse(
        self, archgen: Run, snapshot: Snapshot, folder: Path, *told: str, options: tuple[object, ...] = ()
    ) -> None:
        before = snapshot(folder)
        for as_json in ([], ["--json"]):
            found = search(archgen, folder, 12, *options, *as_json)
            assert_refused(found, str(folder), *told)
        assert found.json["exit_code"] == 2
        assert snapshot(folder) == before

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (("--seed", 1), "seed 0 there, 1 asked"),
            (("--task", "arxiv"), "task cora there, arxiv asked"),
            (("--strategy", "random"), "strategy evolution there, random asked"),
            (("--maximize", "test_accuracy"), "test_accuracy"),
            (("--batch", 2), "batch 1 there, 2 asked"),
        ],
    )
    def test_another_campaign(
        self, archgen: Run, snapshot: Snapshot, tmp_path: Path, options: tuple[object, ...], told: str
    ) -> None:
        search(archgen, tmp_path, 3)
        self.refuse(archgen, snapshot, tmp_path, told, "choose another --dir", options=options)

    def test_a_newer_store(self, archgen: Run, snapshot: Snapshot, tmp_path: Path) -> None:
        search(archgen, tmp_path, 3)
        db = sqlite3.connect(tmp_path / "campaign.sqlite")
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(SCHEMA + 1),))
        db.commit()
        db.close()
        self.refuse(archgen, snapshot, tmp_path, "newer archgen", "upgrade")

    @pytest.mark.parametrize("content", [b"my notes " * 99, b"SQLite format 3\0 and then nonsense" * 40])
    def test_a_file_that_is_no_store(self, archgen: Run, snapshot: Snapshot, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "campaign.lock").touch()
        (tmp_path / "campaign.sqlite").write_bytes(content)
        self.refuse(archgen, snapshot, tmp_path, "choose another directory")

    def test_a_truncated_store(self, archgen: Run, snapshot: Snapshot, tmp_path: Path) -> None:
        search(archgen, tmp_path, 12)
        store = tmp_path / "campaign.sqlite"
        store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])
        self.refuse(archgen, snapshot, tmp_path, "restore the file or choose another directory")

    def test_another_programs_database(self, archgen: Run, snapshot: Snapshot, tmp_path: Path) -> None:
        (tmp_path / "campaign.lock").touch()
        db = sqlite3.connect(tmp_path / "campaign.sqlite")
        db.execute("CREATE TABLE photos (name)")
        db.close()
        self.refuse(archgen, snapshot, tmp_path, "no archgen campaign; choose another directory")

    def test_a_file_in_its_place(self, archgen: Run, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        assert_refused(search(archgen, tmp_path / "file"), "cannot write here (File exists)", "--dir")
        assert (tmp_path / "file").read_text() == "mine"


def test_two_searches_on_one_directory(archgen: Run, tmp_path: Path, rows: Rows) -> None:
    search(archgen, tmp_path, 5)
    before = rows(tmp_path)
    with hold(tmp_path):
        assert_refused(search(archgen, tmp_path, 9), f"process {os.getpid()} works on this campaign")
        assert archgen("status", tmp_path, "--json").json["queries"] == 5
    assert rows(tmp_path) == before
    assert search(archgen, tmp_path, 9).code == 0


# Tables


class Malicious:
    """Unpickled without care, it runs a command."""

    def __init__(self, marker: Path) -> None:
        self.command = f"touch {marker}"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def published(task: str) -> bytes:
    from importlib.util import find_spec

    origin = getattr(find_spec("nas_bench_graph"), "origin", None)
    assert origin is not None
    return (Path(origin).parent / "light" / f"{task}.bench").read_bytes()


def bad_tables(marker: Path) -> dict[str, bytes]:
    whole = published("cora")
    return {
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"<html>404 not found</html>",
        "malicious": pickle.dumps({1: Malicious(marker)}),
        "malicious, old protocol": pickle.dumps([Malicious(marker)], protocol=0),
        "malicious after the table": whole[:-1] + pickle.dumps(Malicious(marker))[2:],
        "another dict": pickle.dumps({"a": 1}),
        "no dict": pickle.dumps([1, 2, 3]),
        "too few rows": pickle.dumps({1: {"valid_perf": 0.5, "perf": 0.5, "para": 1.0, "latency": 1.0}}),
    }


@pytest.mark.parametrize("kind", list(bad_tables(Path("unused"))))
def test_a_bad_table_is_refused_and_runs_nothing(tmp_path: Path, kind: str) -> None:
    marker = tmp_path / "harmed"
    (tmp_path / "cora.bench").write_bytes(bad_tables(marker)[kind])
    with pytest.raises(TableError, match="reinstall") as found:
        load_nas_bench_graph("cora", folder=tmp_path)
    assert str(tmp_path / "cora.bench") in str(found.value)
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["truncated", "malicious", None])
def test_a_bad_table_in_the_installed_package(spawn: Run, tmp_path: Path, kind: str | None) -> None:
    marker, folder = tmp_path / "harmed", tmp_path / "fake" / "nas_bench_graph"
    (folder / "light").mkdir(parents=True)
    (folder / "__init__.py").write_text(f"open({str(marker)!r}, 'w')\n")
    if kind is not None:
        (folder / "light" / "cora.bench").write_bytes(bad_tables(marker)[kind])
    found = search(spawn, tmp_path / "campaign", env={"PYTHONPATH": str(tmp_path / "fake")})
    assert_refused(found, str(folder / "light" / "cora.bench"), "reinstall the package")
    assert not marker.exists(), "neither the table nor the package may run"
    assert not (tmp_path / "campaign").exists()
    assert "cora" in TASKS


# Disks


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    spawn: Run, tmp_path: Path, rows: Rows, small_disk: Callable[[int], Any]
) -> None:
    search(spawn, tmp_path / "whole", 60)
    with small_disk(2_000_000) as disk:
        ballast, folder = disk / "ballast", disk / "campaign"
        search(spawn, folder, 5)
        told = set()
        for room in (0, 8, 60):  # KiB: where the disk ends moves through lock, log, store and report
            _fill(ballast, room)
            found = search(spawn, folder, 60)
            if found.code:
                lines = found.err.splitlines()
                assert found.code == 2, found
                assert lines[-1].startswith("archgen: ")
                assert "make room" in lines[-1] or "free" in lines[-1]
                assert not any("Traceback" in line for line in lines)
                told.add(lines[-1])
        assert told
        ballast.unlink()
        assert search(spawn, folder, 60).code == 0
        assert rows(folder) == rows(tmp_path / "whole")
        assert (folder / "report.html").read_text().rstrip().endswith("</html>")


def _fill(ballast: Path, room: int) -> None:
    """Leave `room` KiB on the disk of `ballast`."""
    ballast.unlink(missing_ok=True)
    free = os.statvfs(ballast.parent)
    with ballast.open("wb") as file:
        file.write(b"x" * max(0, free.f_bavail * free.f_frsize - room * 1024))


LIMITED = """
import resource, sys
from archgen.cli.main import run
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
run(sys.argv[2:])
"""


def test_a_file_that_may_not_grow_is_like_a_full_disk(spawn: Run, tmp_path: Path, rows: Rows) -> None:
    search(spawn, tmp_path / "whole", 40)
    folder, codes = tmp_path / "campaign", []
    for limit in (0, 100, 30_000):
        arguments = [*CORA, "--budget", "40", "--dir", str(folder)]
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(limit), *arguments], capture_output=True, text=True, check=False
        )
        codes.append(done.returncode)
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines()[-1].startswith("archgen: "), done.stderr
        assert "Traceback" not in done.stderr
    assert search(spawn, folder, 40).code == 0
    assert rows(folder) == rows(tmp_path / "whole")


def test_a_read_only_disk_can_be_looked_at_and_is_not_written(
    spawn: Run, small_disk: Callable[[int], Any], snapshot: Snapshot
) -> None:
    with small_disk(5_000_000) as disk:
        folder = disk / "campaign"
        search(spawn, folder, 5)
        before = snapshot(folder)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert_refused(search(spawn, folder, 9), "cannot write here (Read-only file system)", "--dir")
        assert_refused(search(spawn, disk / "new", 9), "cannot write here (Read-only file system)", "--dir")
        found = spawn("status", folder, "--json")
        assert found.code == 0, found.err
        assert found.json["queries"] == 5
        assert spawn("pareto", folder, "--json").code == 0
        assert_refused(spawn("report", folder), "cannot write the report (Read-only file system)")
        assert snapshot(folder) == before
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert search(spawn, folder, 9).code == 0


# Interrupts


def test_ctrl_c_is_one_line_and_the_same_command_goes_on(tmp_path: Path, spawn: Run, rows: Rows) -> None:
    search(spawn, tmp_path / "whole", 200)
    command = [sys.executable, "-c", INTERRUPTIBLE]
    arguments = [*CORA, "--budget", "200", "--dir", str(tmp_path / "pieces"), "--json"]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "query 10/200" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "archgen: interrupted; run the same command to go on"
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["exit_code"] == 130
    assert len(rows(tmp_path / "pieces")) < len(rows(tmp_path / "whole"))
    assert search(spawn, tmp_path / "pieces", 200).code == 0
    assert rows(tmp_path / "pieces") == rows(tmp_path / "whole")


@pytest.mark.slow
def test_ctrl_c_while_the_generator_is_trained(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTIBLE]
    arguments = ["--strategy", "archgen", "--budget", "12", "--dir", str(tmp_path)]
    with subprocess.Popen([*command, *CORA, *arguments], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "training the generator" not in (line := process.stderr.readline()):
            assert line, "ended without training"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "archgen: interrupted; run the same command to go on"
    assert "Traceback" not in err
    assert not list(tmp_path.glob("generator*")), "half a training is not kept"
