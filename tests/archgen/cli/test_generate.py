"""`archgen train` and `archgen generate`, as their users run them."""

import csv
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archgen.diffusion.checkpoint import load_generator, save_generator
from archgen.diffusion.training import TrainingConfig, train_generator
from archgen.session import open_campaign
from graphs.graph_json import graph_from_dict
from graphs.spaces.catalogue import get_space
from graphs.tables.nas_bench_graph import load_nas_bench_graph

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def generators(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A hardly trained generator of each kind of space."""
    folder, found = tmp_path_factory.mktemp("generators"), {}
    for name in ("nasbench201", "nas-bench-graph", "ofa-mobilenetv3", "free-dag"):
        space, rng = get_space(name), np.random.default_rng(0)
        graphs = None if space.enumerable else [space.sample(rng) for _ in range(300)]
        generator = train_generator(space, TrainingConfig(steps=3, batch=32), graphs=graphs)
        if name == "ofa-mobilenetv3":
            generator.provenance["law"] = "description"  # what training on the whole space would say
        found[name] = folder / f"{name}.ckpt"
        save_generator(generator, found[name])
    return found


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Made-up accuracies of 60 cells."""
    space, rng, path = get_space("nasbench201"), np.random.default_rng(1), tmp_path / "labels.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["arch", "accuracy", "note"])
        for _ in range(60):
            graph = space.sample(rng)
            table.writerow([space.format(graph), 90 + space.costs(graph)["params"], "x"])
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_train_writes_a_generator_that_generate_draws_from(archgen: Run, tmp_path: Path) -> None:
    out, drawn = tmp_path / "gen.ckpt", tmp_path / "graphs.jsonl"
    found = archgen("train", "nasbench201", "--out", out, "--steps", 2, "--seed", 3, "--json").json
    assert (found["space"], found["steps"], found["graphs"]) == ("nasbench201", 2, 15_625)
    again = tmp_path / "again.ckpt"
    archgen("train", "nasbench201", "--out", again, "--steps", 2, "--seed", 3)
    first, second = (load_generator(path).denoiser.state_dict() for path in (out, again))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert archgen("generate", out, "-n", 5, "--out", drawn).code == 0
    assert len(lines(drawn)) == 5


@pytest.mark.parametrize("name", ["nasbench201", "nas-bench-graph", "ofa-mobilenetv3", "free-dag"])
def test_lines_are_graphs_of_the_space_and_repeat_with_the_seed(
    name: str, archgen: Run, generators: dict[str, Path], tmp_path: Path
) -> None:
    space, one, other = get_space(name), tmp_path / "one", tmp_path / "other"
    archgen("generate", generators[name], "-n", 40, "--seed", 5, "--out", one)
    archgen("generate", generators[name], "-n", 40, "--seed", 5, "--out", other)
    assert one.read_bytes() == other.read_bytes()
    for line in lines(one):
        graph, named = graph_from_dict(line["graph"])
        space.check(graph)
        assert named == name
        assert line["id"] == space.canonical(graph)
        assert space.parse(line["arch"]) == graph


@pytest.mark.parametrize(
    ("name", "bound", "cost"),
    [
        ("nasbench201", "params<=0.2", "params"),
        ("nas-bench-graph", "params<=0.5", "params"),
        ("ofa-mobilenetv3", "macs<=180", "macs"),
        ("ofa-mobilenetv3", "params>=7", "params"),
    ],
)
def test_every_graph_keeps_a_bound_on_an_exact_cost(
    name: str, bound: str, cost: str, archgen: Run, generators: dict[str, Path], tmp_path: Path
) -> None:
    out, limit = tmp_path / "out", float(bound[len(cost) + 2 :])
    found = archgen("generate", generators[name], "-n", 300, "--given", bound, "--out", out, "--json").json
    assert found["how"].startswith("exact")
    values = [line[cost]["mean"] for line in lines(out)]
    assert len(values) == 300
    assert all(value <= limit if "<=" in bound else value >= limit for value in values)
    assert all(line[cost]["deviation"] == 0 for line in lines(out))
    if name != "nas-bench-graph":
        space = get_space(name)
        assert values == [space.costs(space.parse(line["arch"]))[cost] for line in lines(out)]


def test_several_wishes_with_learned_accuracy(
    archgen: Run, generators: dict[str, Path], labels: Path, tmp_path: Path
) -> None:
    out, plain = tmp_path / "out", tmp_path / "plain"
    wishes = ("--maximize", "accuracy", "--given", "params<=0.6", "--given", "accuracy>=90.4", "--labels", labels)
    archgen("generate", generators["nasbench201"], "-n", 200, *wishes, "--out", out)
    archgen("generate", generators["nasbench201"], "-n", 200, "--labels", labels, "--out", plain)
    assert all(line["params"]["mean"] <= 0.6 and line["accuracy"]["mean"] >= 90.4 for line in lines(out))
    assert all(line["accuracy"]["deviation"] > 0 for line in lines(out))
    assert np.mean([line["accuracy"]["mean"] for line in lines(out)]) > 90.5
    assert "note" not in lines(plain)[0], "a column that holds no numbers is no property"


def test_labels_of_a_campaign(archgen: Run, generators: dict[str, Path], tmp_path: Path) -> None:
    folder, out = tmp_path / "campaign", tmp_path / "out"
    with open_campaign(folder, space="nas-bench-graph", task="cora", strategy="random") as campaign:
        campaign.run(load_nas_bench_graph("cora"), 20)
    arguments = ("--labels", folder, "--maximize", "valid_accuracy", "--out", out)
    assert archgen("generate", generators["nas-bench-graph"], "-n", 30, *arguments).code == 0
    assert all(line["valid_accuracy"]["deviation"] > 0 for line in lines(out))
    told = archgen("generate", generators["nasbench201"], "-n", 3, "--labels", folder, "--out", out)
    assert told.code == 2
    assert "nas-bench-graph" in told.err


def test_unique_draws_each_network_once(archgen: Run, generators: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    archgen("generate", generators["nasbench201"], "-n", 800, "--unique", "--out", out)
    assert len({line["id"] for line in lines(out)}) == 800


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-n", 0], "at least 1"),
        (["--given", "latency<=3"], "unknown property 'latency'"),
        (["--given", "params<=0.01"], "0.073306"),
        (["--given", "params<=0.5", "--given", "params>=0.6"], "params>=0.6"),
        (["--given", "params<1"], "<="),
        (["--given", "params<=nan"], "finite"),
        (["--maximize", "params", "--strength", "-1"], "positive"),
        (["--threads", 0], "at least 1"),
        (["--labels", "no such file.csv"], "no such file.csv"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(
    arguments: list[object], told: str, archgen: Run, generators: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    found = archgen("generate", generators["nasbench201"], *arguments, "--out", out)
    assert found.code == 2
    assert told in found.err
    assert not list(tmp_path.iterdir()), "nothing may be written"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("arch,accuracy\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,nan\n" * 1, "row 1"),
        ("arch,accuracy\n0012|gat|gcn|skip|fc,80\n0012|gat|gcn|gcn|fc,81\n", "nas-bench-graph"),
        ("accuracy\n3\n", "arch"),
        ("", "arch"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    text: str, told: str, archgen: Run, generators: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    found = archgen("generate", generators["nasbench201"], "-n", 2, "--labels", path, "--out", tmp_path / "out")
    assert found.code == 2
    assert told in found.err


def test_a_checkpoint_that_is_no_generator_is_refused(
    archgen: Run, generators: dict[str, Path], tmp_path: Path
) -> None:
    whole = generators["nasbench201"].read_bytes()
    for name, data in {"cut": whole[: len(whole) // 2], "text": b"not a checkpoint", "empty": b""}.items():
        path = tmp_path / name
        path.write_bytes(data)
        found = archgen("generate", path, "-n", 2, "--out", tmp_path / "out")
        assert found.code == 2
        assert name in found.err


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_graphs(spawn: Run, generators: dict[str, Path]) -> None:
    peaks = []
    for count in (20_000, 400_000):
        spawn("generate", generators["nasbench201"], "-n", count, "--out", "/dev/null")
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    assert peaks[1] < 1.15 * peaks[0]
