"""`archgen generate`, as its users run it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archgen.diffusion.checkpoint import save_generator
from archgen.session import open_campaign
from graphs.graph_json import graph_from_dict
from graphs.spaces.catalogue import get_space
from graphs.tables.nas_bench_graph import load_nas_bench_graph

Run = Callable[..., Any]
NAMES = ("nasbench201", "nas-bench-graph", "ofa-mobilenetv3", "free-dag")
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from archgen.cli.main import run
run()
"""
"""A test run in the background of a shell passes its children an ignored Ctrl-C; a user's terminal does not."""


@pytest.fixture(scope="session")
def generators(untrained: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An untrained generator of each kind of space, that passes for one trained on all of it."""
    folder = tmp_path_factory.mktemp("generators")
    found = {name: folder / f"{name}.ckpt" for name in NAMES}
    for name, path in found.items():
        save_generator(untrained(name), path)
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


@pytest.mark.parametrize("name", NAMES)
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
        pytest.param("nas-bench-graph", "params<=0.5", "params", marks=pytest.mark.slow),
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
    assert len(found.err.splitlines()) == 1
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


# Output files


def test_the_answer_for_machines_and_for_people(archgen: Run, generators: dict[str, Path], tmp_path: Path) -> None:
    wish = ("generate", generators["nasbench201"], "-n", 25, "--given", "params<=0.5", "--out", tmp_path / "out")
    answer = archgen(*wish, "--json").json
    assert answer["out"] == str(tmp_path / "out")
    assert (answer["space"], answer["count"], answer["seed"]) == ("nasbench201", 25, 0)
    assert answer["kept_before_check"] == 1
    mean = np.mean([line["params"]["mean"] for line in lines(tmp_path / "out")])
    assert answer["means"]["params"] == pytest.approx(mean)
    told = archgen(*wish)
    assert f"25 architectures of nasbench201 in {tmp_path / 'out'}" in told.out
    assert "guidance exact, listed" in told.out
    assert f"params   {mean:.4g} in the mean" in told.out


def test_standard_output_is_the_file(archgen: Run, generators: dict[str, Path], tmp_path: Path) -> None:
    archgen("generate", generators["nasbench201"], "-n", 25, "--out", tmp_path / "out")
    for as_json in ([], ["--json"]):
        found = archgen("generate", generators["nasbench201"], "-n", 25, "--out", "-", *as_json)
        assert found.code == 0
        assert found.out == (tmp_path / "out").read_text()


def test_a_reader_that_stops_early_is_no_error(generators: dict[str, Path]) -> None:
    command = f"{sys.executable} -m archgen generate {generators['nasbench201']} -n 100000 --out -"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "arch" in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "told"),
    [("folder", "this is a folder"), ("missing/out", "there is no folder"), ("gen.ckpt", "this file is read")],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_generator_is_read(
    archgen: Run, tmp_path: Path, snapshot: Callable[[Path], dict[str, str]], name: str, told: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "gen.ckpt").write_text("no generator")
    before = snapshot(tmp_path)
    found = archgen("generate", tmp_path / "gen.ckpt", "-n", 3, "--out", tmp_path / name)
    assert found.code == 2
    assert told in found.err
    assert snapshot(tmp_path) == before


def test_the_labels_are_not_overwritten(archgen: Run, generators: dict[str, Path], labels: Path) -> None:
    before = labels.read_bytes()
    found = archgen("generate", generators["nasbench201"], "-n", 3, "--labels", labels, "--out", labels)
    assert found.code == 2
    assert labels.read_bytes() == before


def test_a_failure_leaves_the_old_file(archgen: Run, generators: dict[str, Path], tmp_path: Path) -> None:
    """There are fewer than 900 networks of so few parameters, which shows only while they are drawn."""
    out = tmp_path / "out"
    out.write_text("old\n")
    found = archgen(
        "generate", generators["nasbench201"], "-n", 900, "--unique", "--given", "params<=0.09", "--out", out
    )
    assert found.code == 2
    assert "different networks" in found.err
    assert out.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["out"]


def test_links_stay_links_and_devices_devices(archgen: Run, generators: dict[str, Path], tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(tmp_path / "file")
    assert archgen("generate", generators["nasbench201"], "-n", 3, "--out", link).code == 0
    assert link.is_symlink()
    assert len(lines(tmp_path / "file")) == 3
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert archgen("generate", generators["nasbench201"], "-n", 3, "--out", pipe).code == 0
        assert reader.communicate()[0] == (tmp_path / "file").read_bytes()
    assert pipe.is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["file", "link", "pipe"]


def test_ctrl_c_leaves_nothing_behind(generators: dict[str, Path], tmp_path: Path) -> None:
    """Ten million are streamed: the file grows while they are drawn."""
    out = tmp_path / "out"
    arguments = ["generate", str(generators["nasbench201"]), "-n", "10000000", "--out", str(out)]
    with subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stderr=subprocess.PIPE, text=True) as process:
        part, until = out.with_name("out.part"), time.monotonic() + 120
        while not (part.exists() and part.stat().st_size > 1_000_000) and time.monotonic() < until:
            time.sleep(0.02)
        assert part.exists()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "archgen: interrupted; run the same command to go on"
    assert os.listdir(tmp_path) == []


MEASURED = """
import resource, sys
from archgen.cli.main import run
try:
    run(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "few", "wish"),
    [
        ("nasbench201", 100_000, ()),
        ("nasbench201", 100_000, ("--maximize", "macs", "--given", "params<=0.8")),
        ("ofa-mobilenetv3", 10_000, ("--given", "params<=6")),
    ],
)
def test_memory_does_not_grow_with_the_number_of_graphs(
    generators: dict[str, Path], name: str, few: int, wish: tuple[str, ...]
) -> None:
    """The peak in KiB; the cells that are remembered are all met within the first count."""

    def peak(count: int) -> int:
        arguments = ["generate", str(generators[name]), "-n", str(count), *wish, "--out", os.devnull]
        done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True, check=True)
        return int(done.stdout.splitlines()[-1])

    assert peak(4 * few) < peak(few) + 16_384
