"""`archgen search gnn --data`: candidates are really trained, the best ones again, and mistakes are told beforehand."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from archgen.campaign_folder import read_campaign
from archgen.retraining import FILE, read_retraining
from gnn_search.hand_made import HAND_MADE

Run = Callable[..., Any]
DATA = "synthetic-sbm-120"
COMMON = ("--wandb", "disabled", "--strategy", "random")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHGEN_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_the_best_gnn_is_trained_again_beside_those_that_people_designed(archgen: Run, tmp_path: Path) -> None:
    order = ("search", "gnn", "--data", DATA, *COMMON, "--retrain-seeds", 2, "--dir", tmp_path / "run")
    done = archgen(*order, "--budget", 6, "--json")
    assert done.code == 0, done.err
    told = done.json["retrained"]
    assert told["seeds"] == 2
    assert [one["name"] for one in told["hand_made"]] == list(HAND_MADE)
    found = told["found"]
    assert found == sorted(found, key=lambda one: one["valid"], reverse=True)
    assert all(0 <= one["test"] <= 100 for one in found)
    campaign = read_campaign(tmp_path / "run")
    trials = campaign.history.trials
    assert len(trials) == 6
    assert campaign.config.task == DATA
    assert {one["arch"] for one in found} <= {trial.arch for trial in trials}
    assert not any("test" in name for trial in trials for name in trial.metrics)  # a search must not see it
    assert all(trial.cost and trial.cost > 0 for trial in trials if trial.status in ("done", "stopped"))
    kept = (tmp_path / "run" / FILE).read_bytes()
    again = archgen(*order, "--budget", 6)
    assert again.code == 0, again.err
    assert "best GNN, chosen by validation: " in again.out
    assert (tmp_path / "run" / FILE).read_bytes() == kept  # nothing is trained twice
    retraining = read_retraining(tmp_path / "run")
    assert retraining is not None
    assert asdict(retraining) == json.loads(kept) | {
        "found": tuple(json.loads(kept)["found"]),
        "hand_made": tuple(json.loads(kept)["hand_made"]),
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nas-bench-graph", "--data", DATA), "--data is for spaces of GNNs"),
        (("gnn", "--data", DATA, "--task", "cora"), "leave out --evaluate and --task"),
        (("gnn", "--data", "Corra"), "did you mean"),
        (("gnn", "--data", DATA, "--kind", "nodes"), "did you mean 'node'"),
        (("gnn", "--data", DATA, "--retrain-seeds", 0), "expected at least 1"),
        (("gnn", "--data", DATA, "--memory", "4G"), "leave out --executor and --memory"),
        (("gnn", "--data", "missing.pt"), "missing.pt"),
        (("gnn", "--inductive", "--task", "cora"), "are about --data"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    archgen: Run, tmp_path: Path, options: tuple[object, ...], words: str
) -> None:
    done = archgen("search", *options, *COMMON, "--dir", tmp_path / "run")
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / "run").exists()
