"""`archgen export`: what is written of a campaign, the same each time, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archgen.campaign_folder import read_campaign
from archgen.export_choice import SOURCE, chosen_graph, chosen_source
from archgen.exporting import export
from archgen.retraining import FILE, Retrained, Retraining
from archgen.session import open_campaign
from gnn_search.evaluator import DataSource
from gnn_search.export_check import read_module
from gnn_search.hand_made import HAND_MADE
from gnn_search.training import Protocol
from graphs.errors import ExportError, InvalidOption, TooLarge
from graphs.spaces.attributed_dag_text import format_graph
from graphs.spaces.catalogue import get_space

Run = Callable[..., Any]
DATA = DataSource("synthetic-sbm-500")
GCN = HAND_MADE["GCN"]
SHORT = Protocol(epochs=5)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of five epochs."""
    monkeypatch.setattr("archgen.cli.export.export", lambda *words: export(*words, protocol=SHORT))


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """Three queries with made-up validation accuracies, the second the best; nothing was trained."""
    folder = tmp_path / "campaign"
    folder.mkdir()
    goal = {"maximize": "valid_accuracy", "strategy": "random", "own_evaluator": True}
    values = iter([80.0, 85.0, 82.0])
    with open_campaign(folder, space="gnn", task=DATA.name, **goal) as opened:  # type: ignore[arg-type]
        opened.run(lambda _: {"valid_accuracy": next(values)}, 3)
        opened.store.write_meta({SOURCE: asdict(DATA)})
    return folder


def test_an_architecture_is_written_with_its_weights(archgen: Run, campaign: Path, tmp_path: Path) -> None:
    out = tmp_path / "best.py"
    words = ("export", campaign, "--arch", format_graph(GCN), "--out", out, "--seeds", 2)
    found = archgen(*words, "--json")
    assert found.code == 0, found.err
    told = found.json
    assert told["files"] == [str(out.with_suffix(".safetensors")), str(out)]
    assert (told["arch"], told["data"]) == (format_graph(GCN), DATA.name)
    assert told["difference"] < 1e-4
    assert told["seed"] in (1000, 1001)
    module = read_module(out)
    assert told["metrics"] == module.METRICS
    assert set(module.METRICS) == {"valid_accuracy", "test_accuracy"}
    task = DATA.load()
    outputs = module.load()(task.test.graph.x, task.test.graph.edge_index, task.test.graph.edge_weight)
    right = outputs[task.test.items].argmax(1) == task.test.labels
    assert 100 * float(right.float().mean()) == pytest.approx(module.METRICS["test_accuracy"], abs=1e-4)
    before = {file.name: file.read_bytes() for file in (out, out.with_suffix(".safetensors"))}
    assert "written: " in archgen(*words).out
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert sorted(path.name for path in tmp_path.glob("*best*")) == ["best.py", "best.safetensors"]


@pytest.mark.parametrize("alone", [False, True])
def test_onnx(alone: bool, archgen: Run, campaign: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    onnx = tmp_path / "best.onnx"
    places = ("--out", onnx) if alone else ("--out", tmp_path / "other.py", "--onnx", onnx)
    found = archgen("export", campaign, "--arch", format_graph(GCN), *places)
    assert found.code == 0, found.err
    assert f"written: {onnx}" in found.out
    assert onnx.is_file()
    assert (tmp_path / "other.py").exists() != alone


def test_the_best_of_the_queries_and_of_what_was_trained_again(campaign: Path) -> None:
    read, space = read_campaign(campaign), get_space("gnn")
    assert chosen_graph(read, campaign) == read.trial(1).graph
    assert chosen_graph(read, campaign, query=3) == read.trial(2).graph
    assert chosen_graph(read, campaign, arch=format_graph(GCN)) == GCN
    for number in (0, 4):
        with pytest.raises(InvalidOption, match=rf"query {number}: .* has 3 queries, counted from 1"):
            chosen_graph(read, campaign, query=number)
    drawn = space.sample(np.random.default_rng(5))
    row = Retrained("found 1", format_graph(drawn), 81.0, 0.1, 80.0, 0.2, 0.1, 1.0)
    again = Retraining(DATA.name, "accuracy", 1, (row,), (replace(row, name="GCN"),))
    (campaign / FILE).write_text(json.dumps(asdict(again)))
    assert chosen_graph(read, campaign) == drawn


def test_the_data_of_a_campaign(campaign: Path) -> None:
    read = read_campaign(campaign)
    assert chosen_source(read, campaign) == DATA
    assert chosen_source(read, campaign, kind="link") == replace(DATA, kind="link")
    assert chosen_source(read, campaign, data="synthetic-sbm-600") == DataSource("synthetic-sbm-600")
    read.store.write_meta({SOURCE: None})
    assert chosen_source(read, campaign) == DATA  # the campaign's task
    read.store.write_meta({SOURCE: {"name": "gone"}})
    with pytest.raises(InvalidOption, match=r"its data 'gone' cannot be had here .*; give --data"):
        chosen_source(read, campaign)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "best.txt"], "expected a file whose name ends in .py or .onnx"),
        (["--out", "no/best.py"], "there is no folder no"),
        (["--out", "best.onnx", "--onnx", "other.onnx"], "leave one out"),
        (["--out", "best.py", "--onnx", "best.py"], "ends in .onnx"),
        (["--out", "best.py", "--seeds", "0"], "--seeds 0: expected at least 1"),
        (["--out", "best.py", "--best", "--query", "1"], "give one of them"),
        (["--out", "best.py", "--query", "1", "--arch", "x"], "leave one out"),
        (["--out", "best.py", "--query", "9"], "query 9"),
        (["--out", "best.py", "--arch", "x"], "cannot read 'x'"),
        (["--out", "best.py", "--kind", "nodes"], "Did you mean 'node'"),
        (["--out", "best.py", "--data", "corra"], "Did you mean 'cora'"),
    ],
)
def test_refusals_write_nothing(
    words: list[str], told: str, archgen: Run, campaign: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    found = archgen("export", campaign, *words)
    assert found.code == 2
    assert told in found.err
    assert len(found.err.splitlines()) == 1
    assert [one for one in sorted(tmp_path.iterdir()) if one.name != "cache"] == before


def test_other_campaigns_and_none(archgen: Run, tmp_path: Path) -> None:
    with open_campaign(tmp_path / "cells", space="nas-bench-graph", task="cora", strategy="random"):
        pass
    with open_campaign(tmp_path / "new", space="gnn", own_evaluator=True, maximize="valid_accuracy", strategy="random"):
        pass
    for folder, told in (("cells", "export is for gnn and auto-gnn"), ("new", "nothing was trained there yet")):
        found = archgen("export", tmp_path / folder, "--out", tmp_path / "best.py")
        assert (found.code, told in found.err) == (2, True), found.err
    assert archgen("export", tmp_path / "none", "--out", tmp_path / "best.py").code == 2


def test_a_failure_leaves_what_was_there(
    archgen: Run, campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "best.py"
    out.write_text("mine")

    def differ(*_: object) -> float:
        raise ExportError("differs from the network")

    monkeypatch.setattr("archgen.exporting.check_module", differ)
    found = archgen("export", campaign, "--arch", format_graph(GCN), "--out", out)
    assert (found.code, found.err) == (2, "archgen: differs from the network\n")
    assert out.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["best.py", "campaign"]


def test_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnn_search.export_check.available_bytes", lambda: 1000)
    with pytest.raises(TooLarge, match="passes messages of 64 features needs about"):
        export(GCN, DATA, tmp_path / "net.py", protocol=SHORT)
