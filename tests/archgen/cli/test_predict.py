"""`archgen fit` and `archgen predict`: tables of any form in, a table of predictions out, and what is refused."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archgen.testing.objective import made_up_value
from graphs.graph_json import graph_to_dict
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from predictors.predictor import Predictor

Run = Callable[..., Any]
CELLS, SUBNETS = get_space("nasbench201"), get_space("ofa-mobilenetv3")


def _graphs(space: SearchSpace, count: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two properties of cells; a third that has a gap."""
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    rows = [
        (CELLS.format(graph), value := made_up_value(CELLS, graph), -value, at if at else "")
        for at, graph in enumerate(_graphs(CELLS, 12))
    ]
    path.write_text("\n".join(["arch,up,down,holes", *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture(scope="module")
def model(spawn: Run, labels: Path) -> Path:
    found = spawn("fit", "nasbench201", "--labels", labels, "--target", "up", "--out", labels.parent / "model")
    assert found.code == 0, found.err
    assert "12 labels" in found.out
    return labels.parent / "model"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_are_those_of_the_model_in_the_order_of_the_input(
    archgen: Run, model: Path, tmp_path: Path
) -> None:
    graphs = _graphs(CELLS, 20, seed=1)
    lines = [
        CELLS.format(graph) if at % 2 else json.dumps({"graph": graph_to_dict(graph, CELLS.name)})
        for at, graph in enumerate(graphs)
    ]
    (tmp_path / "graphs.jsonl").write_text("\n".join(lines))
    found = archgen("predict", model, tmp_path / "graphs.jsonl", "--out", tmp_path / "out.csv")
    assert found.code == 0, found.err
    rows, expected = _read(tmp_path / "out.csv"), Predictor.load(model).predict(graphs)
    assert list(rows[0]) == ["id", "mean", "std", "lower80", "upper80"]
    assert [row["id"] for row in rows] == [CELLS.canonical(graph) for graph in graphs]
    lower, upper = expected.interval(0.8)
    for name, values in (("mean", expected.mean), ("std", expected.std), ("lower80", lower), ("upper80", upper)):
        np.testing.assert_allclose([float(row[name]) for row in rows], values)


def test_several_targets_give_columns_of_their_own(archgen: Run, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    fit = ("fit", "nasbench201", "--labels", labels, "--kind", "wl-gp", "--out", out, "--json")
    found = archgen(*fit, "--target", "down", "--target", "up")
    assert list(found.json["properties"]) == ["down", "up"]
    assert archgen("predict", out, labels, "--out", tmp_path / "out.csv").code == 0
    rows = _read(tmp_path / "out.csv")
    assert list(rows[0])[1:] == [f"{n}_{c}" for n in ("down", "up") for c in ("mean", "std", "lower80", "upper80")]
    means = np.array([[float(row["down_mean"]), float(row["up_mean"])] for row in rows])
    assert np.corrcoef(means.T)[0, 1] < -0.9


def test_a_table_with_the_spaces_own_columns(archgen: Run, tmp_path: Path) -> None:
    path = tmp_path / "subnets.csv"
    rows = []
    for graph in _graphs(SUBNETS, 12):
        depths, *lists = SUBNETS.format(graph).split("|")
        cells = ["".join(part.ljust(4, "3") for part in one.split("-")) for one in lists]
        rows.append([depths, *cells, "224", str(sum(map(int, depths)))])
    header = ["depths", "kernels", "expansions", "resolution", "top1"]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]))
    found = archgen("fit", "ofa-mobilenetv3", "--labels", path, "--out", tmp_path / "model", "--json")
    assert found.json["properties"].keys() == {"top1"}, found.err
    assert archgen("predict", tmp_path / "model", path, "--out", tmp_path / "out.csv").code == 0
    means = [float(row["mean"]) for row in _read(tmp_path / "out.csv")]
    assert np.corrcoef(means, [float(row[-1]) for row in rows])[0, 1] > 0.8


def test_the_column_to_learn_must_be_clear(archgen: Run, tmp_path: Path) -> None:
    rows = [f"{CELLS.format(graph)},{at},{-at}" for at, graph in enumerate(_graphs(CELLS, 3))]
    (tmp_path / "labels.csv").write_text("\n".join(["arch,up,down", *rows]))
    found = archgen("fit", "nasbench201", "--labels", tmp_path / "labels.csv", "--out", tmp_path / "model")
    assert found.code == 2
    assert "up, down; choose with --target" in found.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--target", "upp"], "Did you mean 'up'"),
        (["--target", "holes"], "row 1: holes is ''"),
        ([], "row 1: holes is ''"),
        (["--target", "up", "--kind", "wlgp"], "Did you mean 'wl-gp'"),
        (["--target", "up", "--threads", 0], "threads 0"),
        (["--target", "up", "--out", "-"], "a predictor is a file"),
    ],
)
def test_a_mistake_writes_nothing(archgen: Run, labels: Path, tmp_path: Path, change: list[object], told: str) -> None:
    found = archgen("fit", "nasbench201", "--labels", labels, "--out", tmp_path / "model", *change)
    assert found.code == 2, found.out
    assert told in found.err
    assert list(tmp_path.iterdir()) == []


def test_graphs_of_another_space_and_files_that_hold_no_predictor_are_refused(
    archgen: Run, model: Path, labels: Path, tmp_path: Path
) -> None:
    (tmp_path / "graphs").write_text(SUBNETS.format(_graphs(SUBNETS, 1)[0]))
    found = archgen("predict", model, tmp_path / "graphs", "--out", tmp_path / "out.csv")
    assert found.code == 2
    assert "line 1: no architecture of nasbench201" in found.err
    for broken in (labels, tmp_path / "missing"):
        found = archgen("predict", broken, labels, "--out", tmp_path / "out.csv")
        assert found.code == 2
        assert "not a whole predictor" in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["graphs"]
