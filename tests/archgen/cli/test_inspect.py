"""Commands that only look."""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from archgen.session import open_campaign
from graphs.graph_json import graph_from_dict
from graphs.spaces.catalogue import get_space
from graphs.tables.nas_bench_graph import load_nas_bench_graph

Run = Callable[..., Any]
Snapshot = Callable[[Path], dict[str, str]]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A campaign of 12 queries."""
    folder = tmp_path / "campaign"
    with open_campaign(folder, space="nas-bench-graph", task="cora", strategy="random", seed=4) as campaign:
        campaign.run(load_nas_bench_graph("cora"), 12)
    return folder


def test_samples_repeat_with_the_seed_and_are_of_the_space(archgen: Run) -> None:
    for name in ("nas-bench-graph", "nasbench201"):
        space = get_space(name)
        found = archgen("sample", name, "-n", 4, "--seed", 9, "--json").json
        assert found == archgen("sample", name, "-n", 4, "--seed", 9, "--json").json
        assert found != archgen("sample", name, "-n", 4, "--seed", 8, "--json").json
        for sample in found["samples"]:
            graph, named = graph_from_dict(sample["graph"])
            assert (graph, named) == (space.parse(sample["arch"]), name)
            assert sample["id"] == space.canonical(graph)
            assert sample["arch"] in archgen("sample", name, "-n", 4, "--seed", 9).out


def test_spaces_gives_sizes_and_tasks(archgen: Run) -> None:
    rows = {row["space"]: row for row in archgen("spaces", "--json").json["spaces"]}
    assert rows["nas-bench-graph"]["descriptions"] == 59_040
    assert rows["nas-bench-graph"]["networks"] == 26_206
    assert "arxiv" in rows["nas-bench-graph"]["tasks"].split()
    assert "26,206" in archgen("spaces").out


def test_status_tells_what_the_search_found(archgen: Run, finished: Path, snapshot: Snapshot) -> None:
    before = snapshot(finished)
    found = archgen("status", finished, "--json").json
    table = load_nas_bench_graph("cora")
    space = table.space
    best = found["best"]
    graph = space.parse(best["arch"])
    assert graph_from_dict(best["graph"]) == (graph, "nas-bench-graph")
    assert best["metrics"] == table(graph)
    assert (found["queries"], found["valid"], found["seed"]) == (12, 12, 4)
    assert found["regret"] == pytest.approx(table.best("valid_accuracy") - best["metrics"]["valid_accuracy"])
    assert best["arch"] in archgen("status", finished).out
    assert snapshot(finished) == before


def test_status_opens_a_finished_campaign_within_a_second_and_without_torch(
    finished: Path, fastest: Callable[..., float]
) -> None:
    code = f"""
import sys
from archgen.cli.main import run
try:
    run(["status", {str(finished)!r}, "--json"])
except SystemExit as left:
    assert not left.code
assert not [m for m in ("torch", "botorch", "wandb", "matplotlib", "pandas") if m in sys.modules]
"""
    assert fastest(lambda: subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)) < 1.0


def test_pareto_lists_the_front(archgen: Run, finished: Path) -> None:
    found = archgen("pareto", finished, "--json").json
    assert found["directions"] == {"valid_accuracy": True, "params": False, "latency": False}
    points = [(t["metrics"]["valid_accuracy"], -t["metrics"]["params"]) for t in found["front"]]
    assert points[0][0] == max(value for value, _ in points)
    only = archgen("pareto", finished, "--minimize", "params", "--json").json["front"]
    values = [(t["metrics"]["valid_accuracy"], t["metrics"]["params"]) for t in only]
    assert values == sorted(values, reverse=True)
    assert all(left[1] > right[1] for left, right in pairwise(values))
    assert only[0]["arch"] in archgen("pareto", finished).out


@pytest.mark.parametrize("command", ["status", "pareto", "report", "wandb"])
@pytest.mark.parametrize("damage", ["garbage", "truncated", "newer", "foreign", "missing", "no folder"])
def test_an_unusable_store_is_one_line_and_left_alone(
    archgen: Run, finished: Path, snapshot: Snapshot, command: str, damage: str
) -> None:
    import sqlite3

    store = finished / "campaign.sqlite"
    if damage == "garbage":
        store.write_bytes(b"not a database" * 500)
    elif damage == "truncated":
        store.write_bytes(store.read_bytes()[:9000])
    elif damage == "missing":
        store.unlink()
    elif damage == "foreign":
        store.unlink()
        with sqlite3.connect(store) as db:
            db.execute("CREATE TABLE photos (name)")
    elif damage == "newer":
        with sqlite3.connect(store) as db:
            db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        db.close()
    folder = finished / "below" if damage == "no folder" else finished
    before = snapshot(finished)
    found = archgen(command, folder, *(["--mode", "offline"] if command == "wandb" else []))
    assert found.code == 2
    assert len(found.err.splitlines()) == 1, found.err
    assert str(folder) in found.err
    assert snapshot(finished) == before
    assert json.dumps(found.out) == '""'
