"""`archgen train`: a file that generate reads, the same for the same arguments, and refusals before any training."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archgen.diffusion.checkpoint import load_generator
from graphs.graph_json import graph_to_json
from graphs.spaces.catalogue import get_space

Run = Callable[..., Any]
SPACE = get_space("nasbench201")


@pytest.fixture
def graphs(tmp_path: Path) -> Path:
    """Forty cells, as strings and in JSON."""
    rng, path = np.random.default_rng(0), tmp_path / "graphs.txt"
    cells = [SPACE.sample(rng) for _ in range(40)]
    lines = [SPACE.format(cell) if at % 2 else graph_to_json(cell, SPACE.name) for at, cell in enumerate(cells)]
    path.write_text("\n".join(lines))
    return path


def weights(path: Path) -> dict[str, torch.Tensor]:
    return dict(load_generator(path).denoiser.state_dict())


@pytest.mark.slow
def test_a_whole_space(archgen: Run, tmp_path: Path) -> None:
    out, drawn = tmp_path / "gen.ckpt", tmp_path / "graphs.jsonl"
    answer = archgen("train", "nasbench201", "--out", out, "--steps", 2, "--seed", 3, "--json").json
    assert (answer["space"], answer["steps"], answer["graphs"], answer["seed"]) == ("nasbench201", 2, 15_625, 3)
    generator = load_generator(out)
    assert answer["parameters"] == sum(part.numel() for part in generator.denoiser.parameters())
    assert (generator.provenance["law"], generator.provenance["seed"]) == ("description", 3)
    assert answer["raw_validity"] == 1, "each combination of operations is a cell"
    found = archgen("generate", out, "-n", 5, "--given", "params<=0.3", "--out", drawn, "--json").json
    assert found["how"] == "exact, listed"
    assert all(json.loads(line)["params"]["mean"] <= 0.3 for line in drawn.read_text().splitlines())


def test_given_graphs_and_seeds(archgen: Run, tmp_path: Path, graphs: Path) -> None:
    outs = [tmp_path / name for name in ("a", "b", "c")]
    for out, seed in zip(outs, (1, 1, 2), strict=True):
        found = archgen("train", "nasbench201", "--graphs", graphs, "--steps", 2, "--seed", seed, "--out", out)
        assert found.code == 0
        assert "nasbench201: 40 graphs, 2 steps" in found.out
        assert f"generator: {out}" in found.out
    first, again, other = map(weights, outs)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert load_generator(outs[0]).provenance["law"] == "given"
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c", "graphs.txt"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nasbench-201"], "Did you mean 'nasbench201'?"),
        (["nasbench201", "--steps", 0], "at least 1"),
        (["nasbench201", "--steps", -3], "at least 1"),
        (["nasbench201", "--threads", 0], "threads 0"),
        (["nasbench201", "--seed", 2**63], "seed 9223372036854775808"),
        (["nasbench201", "--seed", -1], "--seed"),
        (["nasbench201", "--graphs", "nowhere.txt"], "nowhere.txt: cannot read graphs"),
        (["nasbench201", "--graphs", "graphs.txt", "--distinct", "network"], "leave it out where the graphs are given"),
        (["nas-bench-graph", "--graphs", "graphs.txt"], "graphs.txt, line 1: no architecture of nas-bench-graph"),
        (["nasbench201", "--graphs", "empty.txt"], "empty.txt: there is no graph in it"),
        (["nasbench201", "--out", "folder"], "this is a folder"),
        (["nasbench201", "--out", "missing/gen.ckpt"], "there is no folder missing"),
        (["nasbench201", "--out", "-"], "a checkpoint is a file"),
        (["nasbench201", "--out", "/dev/null"], "a checkpoint is a file"),
        (["nasbench201", "--graphs", "graphs.txt", "--out", "graphs.txt"], "this file is read"),
    ],
)
def test_a_mistake_is_refused_before_training(
    archgen: Run,
    tmp_path: Path,
    graphs: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: Callable[[Path], dict[str, str]],
    arguments: list[object],
    told: str,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("training began")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("archgen.cli.train.train_generator", never)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.txt").touch()
    before = snapshot(tmp_path)
    out = [] if "--out" in arguments else ["--out", "gen.ckpt"]
    for as_json in ([], ["--json"]):
        found = archgen("train", *arguments, *out, *as_json)
        assert found.code == 2, found
        assert told in found.err
        assert len(found.err.splitlines()) == 1
    assert found.json["exit_code"] == 2
    assert snapshot(tmp_path) == before
    assert graphs.exists()
