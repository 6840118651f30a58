"""The scripts of zero-cost metrics and of RoBoT run on little data and print what their page shows."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from predictors.zero_cost.catalogue import METRICS

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


Run = Callable[..., list[str]]


@pytest.fixture
def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function from a script and its options to the lines that it prints; in this process, to spare imports."""
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    monkeypatch.syspath_prepend(EXPERIMENTS)

    def lines(script: str, *words: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [script, *words])
        runpy.run_path(str(EXPERIMENTS / script), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return lines


def first_cells(lines: list[str]) -> list[str]:
    return [line.split("|")[1].strip() for line in lines if line.startswith("|")]


def test_metrics_are_computed_once_and_searched(run: Run, tmp_path: Path) -> None:
    cache = tmp_path / "scores.csv"
    words = ("--batch", "2", "--cache", str(cache))
    first = run("zero_cost.py", "--cells", "2", *words)
    assert first_cells(first) == ["metric", "---", *METRICS]
    before = pd.read_csv(cache)
    assert before.columns.tolist() == ["arch", *METRICS]
    assert any(line.startswith("2 cells in ") for line in first)
    more = run("zero_cost.py", "--cells", "3", *words)
    assert any(line.startswith("1 cells in ") for line in more)
    after = pd.read_csv(cache)
    assert len(after) == 3
    pd.testing.assert_frame_equal(after.iloc[:2], before)
    found = run("robot.py", "--scores", str(cache), "--seeds", "1", "--queries", "2")
    assert found[0].startswith("3 cells, best ")


def test_robot_prints_its_table(run: Run) -> None:
    methods = first_cells(run("robot.py", "--seeds", "1", "--queries", "3"))
    assert methods[0] == "method"
    assert [name for name in methods if name.startswith("RoBoT")] == methods[2:5]
    assert methods[-3:] == ["random cells of these", "random cells of all", "best of the first by MACs of all"]
