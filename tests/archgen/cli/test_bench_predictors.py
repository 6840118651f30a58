"""`archgen bench-predictors`: its scores are those of predictors fitted by hand, and mistakes write nothing."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archgen.testing.objective import made_up_value
from graphs.spaces.catalogue import get_space
from predictors.predictor import Predictor
from predictors.scores import score

Run = Callable[..., Any]
SPACE = get_space("nas-bench-graph")
RNG = np.random.default_rng(0)
GRAPHS = [SPACE.sample(RNG) for _ in range(40)]
VALUES = [made_up_value(SPACE, graph) for graph in GRAPHS]
BENCH = ("bench-predictors", "nas-bench-graph", "--target", "value", "--labels", "8,12", "--seeds", 2)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    rows = [f"{SPACE.format(graph)},{value!r}" for graph, value in zip(GRAPHS, VALUES, strict=True)]
    path.write_text("\n".join(["arch,value", *rows]))
    return path


def test_scores_are_those_of_predictors_fitted_by_hand(archgen: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = archgen(*BENCH, "--kinds", "wl-gp", "--table", table, "--workers", 1, "--dir", out, "--json")
    assert found.code == 0, found.err
    with (out / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["labels"], row["seed"]) for row in rows] == [("8", "0"), ("8", "1"), ("12", "0"), ("12", "1")]
    order = np.random.default_rng(1).permutation(40)
    kept, left = order[:12], order[12:]
    predictor = Predictor(SPACE, "wl-gp", seed=1).fit([GRAPHS[i] for i in kept], [VALUES[i] for i in kept])
    expected = score(predictor.predict([GRAPHS[i] for i in left]), torch.tensor([VALUES[i] for i in left]).double())
    assert float(rows[3]["kendall"]) == pytest.approx(expected.kendall)
    assert float(rows[3]["nll"]) == pytest.approx(expected.nll, rel=1e-4)
    mean = np.mean([float(row["inside80"]) for row in rows[2:]])
    assert found.json["rows"][1]["inside80"] == pytest.approx(mean)
    assert (out / "kendall.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--labels", "8,x"], "expected numbers from 2 on"),
        (["--labels", "39"], "39 labels of a table of 40"),
        (["--kinds", "wl-pg"], "Did you mean 'wl-gp'"),
        (["--target", "vale"], "Did you mean 'value'"),
        (["--seeds", 0], "0 seeds"),
        (["--workers", 0], "0 workers"),
    ],
)
def test_a_mistake_writes_nothing(archgen: Run, table: Path, tmp_path: Path, change: list[object], told: str) -> None:
    found = archgen(*BENCH, "--table", table, "--dir", tmp_path / "out", *change)
    assert found.code == 2, found.out
    assert told in found.err
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_not_there_is_named(archgen: Run, tmp_path: Path) -> None:
    found = archgen(*BENCH, "--dir", tmp_path / "out")
    assert found.code == 2
    assert "name a --task of nas-bench-graph, or a --table" in found.err
