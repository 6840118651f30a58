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
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest import approx  # noqa: PT013
from scipy import stats

from bo import pareto
from bo.campaign import Campaign
from bo.records import CampaignConfig, History, Objective, Proposal, Trial
from bo.store import Store
from bo.strategies.random_search import RandomSearch
from bo.wandb_media import DRAWN
from bo.wandb_view import WandbView, rebuild
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
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
        notes = {"pool": {"random": 7, "model": 9}, "generated": 20, "generated_distinct": 15, "fit_seconds": 0.25}
        return [Proposal(p.graph, "model" if i else "random", None, 5.0, 0.5) for i, p in enumerate(drawn)], notes


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


def search_fully(folder: Path, queries: int, watch: bool = True) -> tuple[Store, History, WandbView]:
    """A campaign of two objectives and bounds; trials end as done, stopped and failed, with costs and without."""
    size = Objective("size", maximize=False)
    bounds = (Condition("size", "<=", 6.5), Condition("loss", "<=", 8.0))
    loss = Objective("loss", maximize=False)
    config = CampaignConfig(SPACE.name, "toy", "random", loss, 3, 4, others=(size,), constraints=bounds)
    store = Store(folder / "campaign.sqlite", create=True)
    made = Campaign(SPACE, config, store, Predicted(), REFERENCE)
    view = WandbView.open(store, folder, "offline" if watch else "disabled")
    kinds = ("crash", None, "timeout", "not_finite")
    while made.spent < queries:
        for trial in made.ask(min(4, queries - made.spent)):
            k = trial.number
            cost = k / 7 if k % 4 else None
            try:
                ended = replace(trial, status="done", metrics=evaluate(trial.graph), cost=cost)
                if k % 8 == 7:
                    ended = replace(ended, status="stopped", metrics={"loss_after_1": 9.5})
            except RuntimeError as error:
                ended = replace(trial, status="failed", error=str(error), failure=kinds[k % 4], cost=cost)
            store.tell(ended)
            history = History(tuple(store.trials()), loss, (size,), bounds)
            view.log(history, ended, REFERENCE)
        made = Campaign(SPACE, config, store, Predicted())
    return store, made.history, view


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
    """The rows that the store's tables amount to, computed without any code of the view."""
    with sqlite3.connect(folder / "campaign.sqlite") as db:
        columns = "number, step, origin, arch, mean, std, status, metrics, failure, cost"
        rows = db.execute(f"select {columns} from trials where status != 'pending' order by number").fetchall()
        seconds = dict(db.execute("select step, seconds from steps").fetchall())
        config = json.loads(db.execute("select value from meta where key = 'config'").fetchone()[0])
    table = [dict(zip(columns.split(", "), row, strict=True)) for row in rows]
    for one in table:
        one["metrics"] = json.loads(one["metrics"])
    return [expected_row(table[: k + 1], seconds, config, maximize) for k in range(len(table))]


def expected_row(table: list[dict[str, Any]], seconds: dict[int, float], config: Any, up: bool) -> dict[str, Any]:
    now = table[-1]
    done = [one for one in table if one["status"] == "done"]
    row = {"_step": now["number"] + 1, "query": now["number"] + 1, "status": now["status"]}
    row |= {f"predicted/{name}": now[name] for name in ("mean", "std") if now[name] is not None}
    row |= {f"metrics/{name}": value for name, value in now["metrics"].items()}
    if len(table) == 1 or table[-2]["step"] != now["step"]:
        row |= {"proposing/seconds": seconds[now["step"]], "proposing/fit_seconds": 0.25, "pool/random": 7}
        row |= {"pool/model": 9, "proposing/generated": 20, "proposing/generated_distinct": 15}
        row |= {"generator/distinct_share": 0.75}
    failed = [one["failure"] or "untyped" for one in table if one["status"] == "failed"]
    row |= {"failed": len(failed), "valid_share": (len(table) - len(failed)) / len(table)}
    row |= {f"failures/{kind}": count for kind, count in Counter(failed).items()}
    row |= {f"origin/{origin}": count for origin, count in Counter(one["origin"] for one in table).items()}
    if stopped := sum(one["status"] == "stopped" for one in table):
        row["stopped"] = stopped
    costs = [one["cost"] for one in table if one["cost"] is not None]
    row |= {"cost_spent": approx(sum(costs))} if costs else {}
    row |= {"cost": now["cost"]} if now["cost"] is not None else {}
    if z := [abs(one["metrics"]["loss"] - one["mean"]) / one["std"] for one in done if one["std"]]:
        row |= {"calibration/mean_abs_z": approx(sum(z) / len(z))}
        row |= {"predicted/abs_z": z[-1]} if now is done[-1] and now["std"] else {}
        for percent in (50, 80, 95):
            inside = sum(stats.norm.cdf(value) - stats.norm.cdf(-value) <= percent / 100 for value in z)
            row[f"calibration/inside_{percent}"] = approx(inside / len(z))
    if now["status"] == "done":
        row["objective"] = now["metrics"]["loss"]
    return row | expected_bounds(done, now, config) | expected_best(done, now, config, up)


def keeps(one: dict[str, Any], bound: dict[str, Any]) -> bool:
    value = one["metrics"][bound["name"]]
    return value <= bound["value"] if bound["operator"] == "<=" else value >= bound["value"]


def expected_bounds(done: list[dict[str, Any]], now: dict[str, Any], config: Any) -> dict[str, Any]:
    bounds, row = config["constraints"], {}
    if not bounds or not done:
        return {}
    row["feasible_share"] = sum(all(keeps(one, bound) for bound in bounds) for one in done) / len(done)
    for bound in bounds:
        text = f"{bound['name']}{bound['operator']}{bound['value']:g}"
        row[f"satisfied/{text}"] = sum(keeps(one, bound) for one in done) / len(done)
    if now["status"] == "done":
        missed = [
            abs(now["metrics"][bound["name"]] - bound["value"]) / bound["value"]
            for bound in bounds
            if not keeps(now, bound)
        ]
        row["violation"] = approx(sum(missed))
    return row


def expected_best(done: list[dict[str, Any]], now: dict[str, Any], config: Any, up: bool) -> dict[str, Any]:
    row, others = {}, config["others"]
    if now["status"] == "done":
        row |= {f"objective/{one['metric']}": now["metrics"][one["metric"]] for one in others}
    good = [one for one in done if all(keeps(one, bound) for bound in config["constraints"])]
    if not good:
        return row
    incumbents = good[:1]
    for one in good:
        if (one["metrics"]["loss"] - incumbents[-1]["metrics"]["loss"]) * (1 if up else -1) > 0:
            incumbents.append(one)
    best = incumbents[-1]["metrics"]["loss"]
    row |= {"best_so_far": best, "regret": 4.0 - best if up else best - 4.0}
    row |= {"incumbent/query": incumbents[-1]["number"] + 1}
    row |= {f"incumbents/{name}": n for name, n in Counter(one["origin"] for one in incumbents[1:]).items()}
    if incumbents[-1] is now:
        row |= {"incumbent/origin": now["origin"], "incumbent/arch": now["arch"]}
    if others:
        gains = [(-one["metrics"]["loss"], -one["metrics"]["size"]) for one in good]
        front = [g for g in gains if not any(h[0] >= g[0] and h[1] >= g[1] and h != g for h in gains)]
        row["front_size"] = len(front)
        if len(good) >= 10:
            low = [min(gain[k] for gain in gains[:10]) for k in (0, 1)]
            area, right = 0.0, low[0]
            for x, y in sorted(set(front)):  # a staircase: slices between the first gains
                area, right = area + max(x - right, 0) * max(y - low[1], 0), max(right, x)
            row["hypervolume"] = approx(area)
    return row


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


def test_rows_of_several_objectives_with_bounds_failures_and_costs(tmp_path: Path) -> None:
    store, history, view = search_fully(tmp_path, 40)
    view.finish(SPACE, history, REFERENCE)
    rows, summary = read_rows(tmp_path), read_summary(tmp_path)
    assert rows == expected_rows(tmp_path)
    for key in ("failures/crash", "failures/untyped", "stopped", "hypervolume", "violation", "incumbents/model"):
        assert any(key in row for row in rows), key
    last = rows[-1]
    for key in ("hypervolume", "feasible_share", "satisfied/size<=6.5", "cost_spent", "calibration/inside_80"):
        assert summary[key] == approx(last[key]), key
    assert summary["reference_point/size"] == max(trial.metrics["size"] for trial in history.feasible[:10])
    assert rebuild(SPACE, store, tmp_path, "offline") == str(run_folder(tmp_path))
    assert read_rows(tmp_path) == rows
    again = read_summary(tmp_path)
    assert again["trials"]["sha256"] == summary["trials"]["sha256"]
    assert again["pareto_front"]["sha256"] == summary["pareto_front"]["sha256"]


def test_a_killed_search_of_several_objectives_is_gone_on_with_without_gaps(tmp_path: Path) -> None:
    code = (
        f"import os, pathlib, runpy; t = runpy.run_path({__file__!r})\n"
        f"t['search_fully'](pathlib.Path({str(tmp_path)!r}), 22); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == -signal.SIGKILL
    _, history, view = search_fully(tmp_path, 34)
    view.finish(SPACE, history, REFERENCE)
    assert len(read_rows(tmp_path)) == 34
    assert read_rows(tmp_path) == expected_rows(tmp_path)


def test_tables_have_drawings_of_the_best_alone(tmp_path: Path) -> None:
    store, history, _ = search_fully(tmp_path, 40, watch=False)
    (tmp_path / "generator.safetensors").write_bytes(b"weights")
    rebuild(SPACE, store, tmp_path, "offline")
    artifacts = [record.artifact for record in read_records(tmp_path) if record.HasField("artifact")]
    files = {entry.path: Path(entry.local_path) for one in artifacts for entry in one.manifest.contents}
    table = json.loads(files["trials.table.json"].read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    drawn = [row for row in rows if row["drawing"]]
    best = sorted(history.done, key=lambda trial: (history.violation(trial), trial.metrics["loss"]))[:DRAWN]
    assert {row["number"] for row in drawn} == {trial.number for trial in best}
    for row in drawn:
        assert row["drawing"]["_type"] == "image-file"
        assert files[row["drawing"]["path"]].read_bytes().startswith(b"\x89PNG")
    kinds = table["column_types"]["params"]["type_map"]["drawing"]["params"]["allowed_types"]
    assert {kind["wb_type"] for kind in kinds} == {"image-file", "none"}
    assert {row["failure"] for row in rows} >= {"crash", "timeout", None}
    assert {row["feasible"] for row in rows} == {True, False, None}
    front = json.loads(files["pareto_front.table.json"].read_text())
    assert [row[0] for row in front["data"]] == [trial.number for trial in pareto.front(history)]
    assert {one.type for one in artifacts} == {"run_table", "campaign", "model"}
    assert files["generator.safetensors"].read_bytes() == b"weights"


def test_a_store_that_is_no_file_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, history, _ = search_fully(tmp_path, 8, watch=False)
    view = WandbView.open(store, tmp_path, "offline")
    monkeypatch.setattr(Store, "path", property(lambda _: Path("postgresql://somewhere/campaign")))
    view.finish(SPACE, history, REFERENCE)
    assert view.location
    assert not [r for r in read_records(tmp_path) if r.HasField("artifact") and r.artifact.type == "campaign"]


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
    assert table["columns"] == [
        "number", "drawing", "arch", "origin", "status", "failure", "cost", "feasible", "loss", "size",
    ]  # fmt: skip
    assert [row[:1] + row[2:5] + row[8:] for row in table["data"]] == [
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
        "import bo.wandb_run; bo.wandb_run._INIT_TIMEOUT = 2.0; logging.basicConfig(); made = t['campaign'](folder)\n"
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
