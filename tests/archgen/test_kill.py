"""A search that is killed at random moments ends, row for row, as one that never was, and spends no query twice."""

import json
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

Run = Callable[..., Any]
Rows = Callable[[Path], list[dict[str, Any]]]
CORA = ("search", "nas-bench-graph", "--task", "cora", "--wandb", "disabled")


def start(folder: Path, *options: object) -> subprocess.Popen[bytes]:
    """`archgen search` as a process of its own."""
    command = [Path(sys.executable).with_name("archgen"), *CORA, "--dir", folder, *options]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """SIGKILL after `seconds`; False where the process was through before."""
    try:
        assert process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait() == -9
    return False


def trials(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in found if "identity" in row]


def assert_same(killed: list[dict[str, Any]], whole: list[dict[str, Any]], budget: int) -> None:
    assert len(trials(whole)) == budget
    assert killed == whole
    assert len({row["identity"] for row in trials(killed)}) == budget, "no query is spent twice"
    assert [row["number"] for row in trials(killed)] == list(range(budget))


@pytest.mark.parametrize(
    "options", [("--strategy", "evolution", "--batch", 1), ("--strategy", "local-search", "--batch", 5)]
)
def test_a_quick_search(tmp_path: Path, rows: Rows, options: tuple[object, ...]) -> None:
    """Ten kills each while queries are asked and told, a moment after the store shows a random number of them."""
    budget, rng = 200, random.Random(0)
    options = (*options, "--budget", budget)
    assert start(tmp_path / "whole", *options).wait() == 0
    killed = 0
    for at in sorted(rng.sample(range(1, budget - 20), 10)):
        process = start(tmp_path / "killed", *options)
        while process.poll() is None and _asked(tmp_path / "killed") < at:
            time.sleep(0.002)
        killed += kill_after(process, rng.uniform(0, 0.02))
    assert start(tmp_path / "killed", *options).wait() == 0
    assert killed >= 8
    assert_same(rows(tmp_path / "killed"), rows(tmp_path / "whole"), budget)


def _asked(folder: Path) -> int:
    """Trials in the store, as another process sees them; 0 while there is none."""
    try:
        db = sqlite3.connect(f"file:{folder / 'campaign.sqlite'}?mode=ro", uri=True)
        try:
            (count,) = db.execute("SELECT count(*) FROM trials").fetchone()
        finally:
            db.close()
    except sqlite3.OperationalError:
        return 0
    return int(count)


def test_kills_while_a_campaign_begins(tmp_path: Path, rows: Rows) -> None:
    """Six kills around the moment at which the directory, the lock and the store come into being."""
    options, rng = ("--strategy", "random", "--budget", 3), random.Random(1)
    started = time.perf_counter()
    assert start(tmp_path / "whole", *options).wait() == 0
    whole_seconds = time.perf_counter() - started
    for k in range(6):
        folder = tmp_path / f"killed{k}"
        process = start(folder, *options)
        while process.poll() is None and not folder.exists():
            time.sleep(0.001)
        kill_after(process, rng.uniform(0, whole_seconds / 20))
        assert start(folder, *options).wait() == 0
        assert_same(rows(folder), rows(tmp_path / "whole"), 3)


def test_report_and_wandb_run_are_whole_after_kills_at_the_end(tmp_path: Path) -> None:
    """With W&B offline: kills between the last query and the end, where the report and the run are finished."""
    folder, rng = tmp_path / "killed", random.Random(3)
    for budget in (20, 24):
        options = ("--strategy", "evolution", "--budget", budget, "--wandb", "offline")
        for _ in range(3):
            process = start(folder, *options)
            while process.poll() is None and _asked(folder) < budget:
                time.sleep(0.002)
            kill_after(process, rng.uniform(0, 1.5))
        assert start(folder, *options).wait() == 0
        assert len(list((folder / "wandb").glob("offline-run-*"))) == 1
        assert _noted(folder, "wandb") == _noted(folder, "report") == budget
        shown = re.search(r"Queries spent\D*(\d+)", (folder / "report.html").read_text())
        assert shown is not None
        assert int(shown[1]) == budget


def _noted(folder: Path, view: str) -> int:
    """How many queries the store says a view tells of."""
    db = sqlite3.connect(folder / "campaign.sqlite")
    try:
        (value,) = db.execute("SELECT value FROM meta WHERE key = ?", (view,)).fetchone()
    finally:
        db.close()
    return int(json.loads(value)["queries"])


@pytest.mark.slow
def test_archgen(tmp_path: Path, rows: Rows) -> None:
    """Kills at random moments of the start, the generator's training, its checkpoint, and the proposals."""
    budget, rng = 24, random.Random(2)
    options = ("--strategy", "archgen", "--budget", budget, "--generator-steps", 25, "--seed", 1)
    started = time.perf_counter()
    assert start(tmp_path / "whole", *options).wait() == 0
    seconds = time.perf_counter() - started
    folder = tmp_path / "killed"
    generator, killed = folder / "generator.safetensors", 0
    for _ in range(3):  # while it starts and trains: what is kept adds up, so early enough that the rest has work left
        killed += kill_after(start(folder, *options), rng.uniform(0.05, 0.25) * seconds)
    process = start(folder, *options)  # at the moment of its checkpoint
    while process.poll() is None and not list(folder.glob("generator.safetensors*")):
        time.sleep(0.0005)
    killed += kill_after(process, rng.uniform(0, 0.01))
    process = start(folder, *options)  # at the first moment of a proposal, and later ones
    while process.poll() is None and not generator.exists():
        time.sleep(0.01)
    killed += kill_after(process, rng.uniform(0, 0.1) * seconds)
    for asked in (14, 18, 22):
        process = start(folder, *options)
        while process.poll() is None and _asked(folder) < asked:
            time.sleep(0.005)
        killed += kill_after(process, rng.uniform(0, 0.3))
    assert start(folder, *options).wait() == 0
    assert killed >= 6
    assert_same(rows(folder), rows(tmp_path / "whole"), budget)
    assert _same_weights(generator, tmp_path / "whole" / "generator.safetensors")


def _same_weights(left: Path, right: Path) -> bool:
    """All tensors are equal; the headers tell how many seconds each training took."""
    a, b = load_file(left), load_file(right)
    return a.keys() == b.keys() and all(bool((a[name] == b[name]).all()) for name in a)
