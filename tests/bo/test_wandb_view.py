"""The W&B view against the store, read back from real offline runs."""

import json
import logging
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bo.campaign import Campaign
from bo.records import CampaignConfig, History, Objective, Proposal, Trial
from bo.store import Store
from bo.strategies.random_search import RandomSearch
from bo.wandb_view import WandbView, rebuild
from graphs.archgraph import ArchGraph
from graphs.errors import StoreError
from graphs.spaces.nas_bench_graph import NasBenchGraph

SPACE = NasBenchGraph()
REFERENCE = {"best": 4.0, "mean": 9.0}
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _nothing_in_the_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path_factory.mktemp("staged")))  # where wandb stages artifacts


class Predicted:
    """Random search that also predicts, as a model-based strategy does."""

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        drawn, _ = RandomSearch(SPACE, SPACE.canonical).propose(history, count, rng)
        return [Proposal(p.graph, "model" if i else "random", None, 5.0, 0.5) for i, p in enumerate(drawn)], {}


def evaluate(graph: ArchGraph) -> dict[str, float]:
    """A made-up loss; about a third of the graphs fail."""
    total = sum(SPACE.format(graph).encode())
    if total % 3 == 0:
        raise RuntimeError("out of memory")
    return {"loss": len(graph.edges) + total / 1e4, "size": float(len(graph))}


def campaign(folder: Path, maximize: bool = False, batch: int = 2) -> Campaign:
    config = CampaignConfig(SPACE.name, "toy", "random", Objective("loss", maximize), seed=3, batch=batch)
    return Campaign(SPACE, config, Store(folder / "campaign.sqlite", create=True), Predicted(), REFERENCE)


def search(folder: Path, queries: int, maximize: bool = False, killed_at: int = -1) -> tuple[Campaign, WandbView]:
    made = campaign(folder, maximize)
    view = WandbView.open(made.store, folder, "offline")

    def watch(trial: Trial) -> None:
        view.log(made.history, trial, made.reference)
        if trial.number == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    made.run(evaluate, queries, watch)
    return made, view


def run_folder(folder: Path) -> Path:
    (found,) = (folder / "wandb").glob("offline-run-*")
    return found


def read_records(folder: Path) -> Iterator[Any]:
    """The records of a run: LevelDB's log format after a header of 7 bytes. (wandb 0.31 ships no reader in Python.)"""
    from wandb.proto.wandb_internal_pb2 import Record

    log = run_folder(folder) / "logs" / "debug-internal.log"
    deadline = time.monotonic() + 10  # the service closes the file a little after finish() has returned
    while "stream: all finished" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    (path,) = run_folder(folder).glob("*.wandb")
    data, at, parts = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The logged rows, without W&B's own keys except `_step`."""
    rows = []
    for record in read_records(folder):
        if record.HasField("history"):
            row = {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
            rows.append({key: value for key, value in row.items() if key == "_step" or key[0] != "_"})
    return rows


def read_summary(folder: Path) -> dict[str, Any]:
    summary = {}
    for record in read_records(folder):
        if record.HasField("summary"):
            summary |= {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.summary.update}
    return summary


def expected_rows(folder: Path, maximize: bool = False) -> list[dict[str, Any]]:
    """The rows that the store's table amounts to, computed without any code of the view."""
    with sqlite3.connect(folder / "campaign.sqlite") as db:
        columns = "number, origin, mean, std, status, metrics"
        table = db.execute(f"select {columns} from trials where status != 'pending' order by number").fetchall()
    rows = []
    for k, (number, _, mean, std, status, text) in enumerate(table):
        metrics, so_far = json.loads(text), table[: k + 1]
        row = {"_step": number + 1, "query": number + 1, "status": status, "predicted/mean": mean, "predicted/std": std}
        row["failed"] = sum(other[4] == "failed" for other in so_far)
        for name in {other[1] for other in so_far}:
            row[f"origin/{name}"] = sum(other[1] == name for other in so_far)
        row |= {f"metrics/{name}": value for name, value in metrics.items()}
        losses = [json.loads(other[5])["loss"] for other in so_far if other[4] == "done"]
        if losses:
            row["best_so_far"] = max(losses) if maximize else min(losses)
            row["regret"] = 4.0 - max(losses) if maximize else min(losses) - 4.0
        if status == "done":
            row["objective"] = metrics["loss"]
            row["predicted/abs_z"] = abs(metrics["loss"] - mean) / std
        rows.append(row)
    return rows


def services(pid: int) -> list[int]:
    """W&B's services that process `pid` started and that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"wandb-core") and str(pid).encode() in words:
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("maximize", [False, True])
def test_live_rows_match_the_store(tmp_path: Path, maximize: bool) -> None:
    made, view = search(tmp_path, 12, maximize)
    assert Path(view.location) == run_folder(tmp_path)
    view.finish(SPACE, made.history, made.reference)
    rows = read_rows(tmp_path)
    assert rows == expected_rows(tmp_path, maximize)
    assert [row["_step"] for row in rows] == list(range(1, 13))
    assert {row["status"] for row in rows} == {"done", "failed"}


def test_summary_and_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made, view = search(tmp_path, 9)
    report = tmp_path / "report.html"
    report.write_text("<p>Found.</p>")
    view.finish(SPACE, made.history, made.reference, report)
    summary, best = read_summary(tmp_path), made.best()
    assert best is not None
    value = best.metrics["loss"]
    assert (summary["best/arch"], summary["best/loss"], summary["queries"]) == (best.arch, value, 9)
    assert summary["valid_share"] == len(made.history.done) / 9
    assert summary["regret"] == value - 4.0
    assert summary["relative_improvement"] == pytest.approx(100 * (9.0 - value) / 9.0)
    files = run_folder(tmp_path) / "files"
    table = json.loads((files / summary["trials"]["path"]).read_text())
    assert table["columns"] == ["number", "arch", "origin", "status", "loss", "size"]
    assert table["data"] == [
        [t.number, t.arch, t.proposal.origin, t.status, t.metrics.get("loss"), t.metrics.get("size")]
        for t in made.history.trials
    ]
    assert "Found." in (files / summary["report"]["path"]).read_text()
    assert "input" in (files / summary["best/network"]["path"]).read_text()
    assert Store(run_folder(tmp_path) / "campaign.sqlite").trials() == made.store.trials()
    artifacts = [record.artifact for record in read_records(tmp_path) if record.HasField("artifact")]
    kept = {artifact.type: [entry.path for entry in artifact.manifest.contents] for artifact in artifacts}
    assert kept["campaign"] == ["campaign.sqlite"]
    assert capfd.readouterr() == ("", "")


def test_configuration_and_name(tmp_path: Path) -> None:
    search(tmp_path, 1)[1].finish(SPACE, campaign(tmp_path).history, REFERENCE)
    (run,) = (record.run for record in read_records(tmp_path) if record.HasField("run"))
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert (run.display_name, run.project) == ("nas-bench-graph-toy-random-s3", "archgen")
    assert config["objective"] == {"metric": "loss", "maximize": False}
    assert (config["seed"], config["batch"], config["strategy"]) == (3, 2, "random")
    assert run_folder(tmp_path).name.endswith(run.run_id)
    assert len(run.run_id) == 16


def test_killed_process_leaves_one_whole_run(tmp_path: Path) -> None:
    code = (
        f"import runpy, pathlib; runpy.run_path({__file__!r})['search'](pathlib.Path({str(tmp_path)!r}), 20, False, 6)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    assert child.wait(60) == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while services(child.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert services(child.pid) == []
    before = run_folder(tmp_path)
    made, view = search(tmp_path, 11)
    assert made.spent == 11
    view.finish(SPACE, made.history, made.reference)
    assert read_rows(tmp_path) == expected_rows(tmp_path)
    assert run_folder(tmp_path).name.split("-")[-1] == before.name.split("-")[-1]


def test_rebuild_equals_live(tmp_path: Path) -> None:
    made, view = search(tmp_path, 8)
    view.finish(SPACE, made.history, made.reference)
    rows, summary = read_rows(tmp_path), read_summary(tmp_path)
    assert rebuild(SPACE, made.store, tmp_path, "offline") == str(run_folder(tmp_path))
    assert read_rows(tmp_path) == rows == expected_rows(tmp_path)
    again = read_summary(tmp_path)
    assert again["trials"]["sha256"] == summary["trials"]["sha256"]
    assert {k: v for k, v in again.items() if k[0] != "_" and k != "trials"} == {
        k: v for k, v in summary.items() if k[0] != "_" and k != "trials"
    }


def test_trials_told_out_of_order_wait_for_earlier_ones(tmp_path: Path) -> None:
    made = campaign(tmp_path, batch=4)
    view = WandbView.open(made.store, tmp_path, "offline")
    asked = made.ask()
    for trial in (asked[2], asked[0], asked[3]):
        view.log(made.history, made.tell(trial, {"loss": 5.0 + trial.number}), made.reference)
    view.log(made.history, made.history.trials[0], made.reference)  # told twice, written once
    view.finish(SPACE, made.history, made.reference)
    assert [row["query"] for row in read_rows(tmp_path)] == [1]
    view = WandbView.open(made.store, tmp_path, "offline")
    view.log(made.history, made.fail(asked[1], "killed"), made.reference)
    view.finish(SPACE, made.history, made.reference)
    assert read_rows(tmp_path) == expected_rows(tmp_path)


def test_no_trials_and_only_failures(tmp_path: Path) -> None:
    made = campaign(tmp_path)
    rebuild(SPACE, made.store, tmp_path, "offline")
    assert read_rows(tmp_path) == []
    for trial in made.ask():
        made.fail(trial, "killed")
    rebuild(SPACE, made.store, tmp_path, "offline")
    assert read_rows(tmp_path) == expected_rows(tmp_path)
    assert read_summary(tmp_path)["valid_share"] == 0


def test_two_campaigns_and_a_run_of_the_users_own(tmp_path: Path) -> None:
    import wandb

    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    with wandb.init(dir=tmp_path, mode="offline", settings=wandb.Settings(silent=True, console="off")) as own:
        views = [search(folder, 3) for folder in (tmp_path / "b", tmp_path / "c")]
        assert wandb.run is own
        for made, view in views:
            view.finish(SPACE, made.history, made.reference)
        own.log({"x": 1})
    assert read_rows(tmp_path / "b") == expected_rows(tmp_path / "b")
    assert read_rows(tmp_path / "c") == expected_rows(tmp_path / "c")
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 1


def test_disabled_writes_nothing_and_imports_no_wandb(tmp_path: Path) -> None:
    code = (
        f"import runpy, sys, pathlib; t = runpy.run_path({__file__!r}); folder = pathlib.Path({str(tmp_path)!r})\n"
        "made = t['campaign'](folder); view = t['WandbView'].open(made.store, folder, 'disabled')\n"
        "made.run(t['evaluate'], 3, lambda trial: view.log(made.history, trial, made.reference))\n"
        "view.finish(t['SPACE'], made.history, made.reference)\n"
        "assert view.location == '' and 'wandb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    assert not (tmp_path / "wandb").exists()


@pytest.mark.parametrize("broken", ["file", "read-only"])
def test_unusable_folder_warns_once(tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture) -> None:
    made = campaign(tmp_path)
    if broken == "file":
        (tmp_path / "wandb").write_text("")
    elif os.geteuid() == 0:
        pytest.skip("nothing is read-only for root")
    else:
        (tmp_path / "wandb").mkdir(mode=0o500)
    with caplog.at_level(logging.WARNING, "archgen.wandb"):
        view = WandbView.open(made.store, tmp_path, "offline")
        made.run(evaluate, 3, lambda trial: view.log(made.history, trial, made.reference))
        view.finish(SPACE, made.history, made.reference)
    assert (made.spent, view.location, len(caplog.records)) == (3, "", 1)
    assert "archgen wandb DIR" in caplog.text


def test_service_killed_warns_once(tmp_path: Path) -> None:
    code = (
        f"import runpy, sys, pathlib, logging, os, time; t = runpy.run_path({__file__!r})\n"
        f"logging.basicConfig(); folder = pathlib.Path({str(tmp_path)!r}); made, view = t['search'](folder, 2)\n"
        "[os.kill(pid, 9) for pid in t['services'](os.getpid())]; time.sleep(0.3)\n"
        "made.run(t['evaluate'], 6, lambda trial: view.log(made.history, trial, made.reference))\n"
        "view.finish(t['SPACE'], made.history, made.reference)\n"
        "assert (view.location, made.spent) == ('', 6)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert done.stderr.startswith("WARNING:archgen.wandb:W&B failed to log")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("key", [None, "short"])
def test_online_without_a_login_asks_nothing(tmp_path: Path, key: str | None) -> None:
    code = (
        f"import runpy, pathlib; t = runpy.run_path({__file__!r}); folder = pathlib.Path({str(tmp_path)!r})\n"
        "from graphs.errors import InvalidOption\n"
        "try: t['WandbView'].open(t['campaign'](folder).store, folder, 'online')\n"
        "except InvalidOption as error: print(error)"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    clean |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")} | ({"WANDB_API_KEY": key} if key else {})
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=clean, capture_output=True, text=True, timeout=60
    )
    assert "run `wandb login`, or use --wandb offline" in done.stdout, done.stderr
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_online_without_a_network_warns_once(tmp_path: Path) -> None:
    code = (
        f"import runpy, pathlib, logging; t = runpy.run_path({__file__!r}); folder = pathlib.Path({str(tmp_path)!r})\n"
        "import bo.wandb_view; bo.wandb_view._INIT_TIMEOUT = 2.0; logging.basicConfig(); made = t['campaign'](folder)\n"
        "view = t['WandbView'].open(made.store, folder, 'online')\n"
        "made.run(t['evaluate'], 3, lambda trial: view.log(made.history, trial, made.reference))\n"
        "assert (view.location, made.spent) == ('', 3)"
    )
    env = os.environ | {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=env, check=True, capture_output=True, text=True
    )
    assert done.stderr.count("archgen.wandb") == 1
    assert done.stderr.startswith("WARNING:archgen.wandb:W&B failed to start")


def test_store_without_a_campaign(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no campaign yet"):
        WandbView.open(Store(tmp_path / "campaign.sqlite", create=True), tmp_path, "offline")
