"""`archgen search` with an evaluator of the user's own, on workers, shared by processes, and in PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgen.campaign_folder import read_campaign
from archgen.testing.executor import gone

Run = Callable[..., Any]
TRAIN = """
import json, os, sys, time
graph = json.load(open(sys.argv[1]))
layers = [node["op"] for node in graph["ops"][1:-1]]
with open("begun", "a") as file:
    print(os.getpid(), file=file)
time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
if layers[0] == "gin":
    sys.exit("cannot train this")
if layers[0] == "gat":
    time.sleep(600)
accuracy = float("nan") if layers[0] == "cheb" else len(set(layers)) / 10
print(json.dumps({"accuracy": accuracy, "size": len(graph["edges"]), "cost": 2.5}))
"""


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """The command, to be run in `tmp_path`, without strategy, budget and directory."""
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.chdir(tmp_path)
    command = f"{sys.executable} train.py {{graph}}"
    options = ("--maximize", "accuracy", "--strategy", "random", "--wandb", "disabled", "--timeout", 1)
    return ("search", "nas-bench-graph", "--evaluate", command, *options)


def test_every_way_to_fail_is_kept_and_none_ends_the_search(
    archgen: Run, train: tuple[object, ...], tmp_path: Path
) -> None:
    done = archgen(*train, "--minimize", "size", "--workers", 4, "--budget", 80, "--dir", "own", "--json")
    assert done.code == 0, done.err
    assert done.json["queries"] == 80
    assert done.json["task"] == "own"
    trials = read_campaign(tmp_path / "own").history.trials
    expected = {"gin": "crash", "gat": "timeout", "cheb": "not_finite"}
    for trial in trials:
        assert trial.failure == expected.get(trial.graph.ops[1].name), trial
        assert trial.cost == (None if trial.failure else 2.5)
    assert len(Counter(trial.failure for trial in trials)) == 4
    crashed = next(trial for trial in trials if trial.failure == "crash")
    assert crashed.error == "exit code 1: cannot train this"
    assert archgen("status", "own", "--json").json["queries"] == 80


def test_a_function_of_a_module(archgen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_training.py").write_text("def train(graph):\n    return {'accuracy': len(graph.edges)}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    options = ("--maximize", "accuracy", "--strategy", "evolution", "--wandb", "disabled", "--dir", "own")
    done = archgen("search", "nasbench201", "--evaluate", "own_training:train", *options, "--budget", 4, "--json")
    assert done.code == 0, done.err
    assert all(trial.status == "done" for trial in read_campaign(tmp_path / "own").history.trials)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--evaluate", "python train.py {graph}"), "add --maximize METRIC or --minimize METRIC"),
        (("--evaluate", "python train.py", "--maximize", "a"), "does not say where the graph goes"),
        ((), "--task is missing; choose one of"),
        (("--task", "cora", "--workers", "2"), "add --evaluate or leave them out"),
        (("--task", "cora", "--store", "mysql://host/db"), "expected postgresql://user@host/database"),
        (("--task", "cora", "--store", "postgresql://me@127.0.0.1:9/db"), "check --store and that the server runs"),
    ],
)
def test_what_cannot_be_is_refused(
    archgen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], match: str, data_dir: Path
) -> None:
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    monkeypatch.chdir(tmp_path)
    done = archgen("search", "nas-bench-graph", "--strategy", "random", "--wandb", "disabled", "--dir", "own", *options)
    assert done.code == 2
    assert match in done.err


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "archgen", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, lines: int) -> None:
    until = time.monotonic() + 120
    while not path.exists() or path.read_text().count("\n") < lines:
        assert time.monotonic() < until, f"{path} has not {lines} lines"
        time.sleep(0.02)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_search_and_the_same_command_goes_on(
    train: tuple[object, ...], tmp_path: Path, end: signal.Signals
) -> None:
    slow = [*train[:3], f"{train[3]} 1.0", *train[4:]]
    arguments = (*slow, "--workers", 3, "--budget", 14, "--dir", "own")
    with start(*arguments) as process:
        wait_for(tmp_path / "begun", 6)
        process.send_signal(end)
        _, err = process.communicate()
    assert process.returncode == (130 if end == signal.SIGINT else -9)
    assert ("interrupted; run the same command to go on" in err) == (end == signal.SIGINT)
    assert all(gone(int(pid)) for pid in (tmp_path / "begun").read_text().split())
    with start(*arguments, "--json") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["queries"] == 14
    trials = read_campaign(tmp_path / "own").history.trials
    assert [trial.number for trial in trials] == list(range(14))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_share_a_campaign(
    request: pytest.FixtureRequest, train: tuple[object, ...], tmp_path: Path, kind: str
) -> None:
    """In PostgreSQL from folders of the same name on two machines, as it were."""
    store = ("--store", request.getfixturevalue("new_database")()) if kind == "postgresql" else ()
    folders = ("here/own", "there/own") if store else ("here/own", "here/own")
    common = (*train, *store, "--budget", 20, "--workers", 2)
    running = [start(*common, "--share", "--dir", folder) for folder in folders]
    wait_for(tmp_path / "begun", 1)
    with start(*common, "--dir", "elsewhere/own" if store else "here/own") as alone:
        _, err = alone.communicate()
    assert alone.returncode == 2
    assert "start all of its processes with --share" in err
    for process in running:
        _, err = process.communicate()
        assert process.returncode == 0, err
    campaigns = [read_campaign(tmp_path / folder) for folder in folders]
    for campaign in campaigns:
        assert campaign.spent == 20
        assert [trial.number for trial in campaign.history.trials] == list(range(20))
        assert (campaign.store.path.parent / "report.html").exists()
    begun = (tmp_path / "begun").read_text().split()
    assert len(begun) == 20, "none is evaluated twice"


def test_a_campaign_in_postgresql_is_found_by_its_folder(
    archgen: Run, train: tuple[object, ...], new_database: Callable[[], str]
) -> None:
    url = new_database()
    first = archgen(*train, "--store", url, "--budget", 3, "--dir", "own", "--json")
    assert first.code == 0, first.err
    assert not os.path.exists("own/campaign.sqlite")
    again = archgen(*train, "--budget", 5, "--dir", "own", "--json")
    assert again.json["queries"] == 5
    assert archgen("status", "own", "--json").json["queries"] == 5
    assert archgen("report", "own", "--out", "page.html").code == 0
    assert archgen(*train, "--store", url, "--seed", 9, "--budget", 3, "--dir", "own").code == 2
