"""The scripts of zero-cost metrics and of RoBoT run on little data and print what their page shows."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from predictors.zero_cost.catalogue import METRICS

Run = Callable[..., list[str]]
Cells = Callable[[list[str]], list[str]]


def test_metrics_are_computed_once_and_searched(run: Run, first_cells: Cells, tmp_path: Path) -> None:
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
    words = ("--scores", str(cache), "--seeds", "1", "--queries", "1", "--without-robot")
    assert run("metric_ranks.py", *words)[1] == "half of the cells"


def test_robot_prints_its_table(run: Run, first_cells: Cells) -> None:
    methods = first_cells(run("robot.py", "--seeds", "1", "--queries", "3"))
    assert methods[0] == "method"
    assert [name for name in methods if name.startswith("RoBoT")] == methods[2:5]
    assert methods[-3:] == ["random cells of these", "random cells of all", "best of the first by MACs of all"]


def test_searches_on_subsets_print_how_far_they_are_from_the_best(run: Run, first_cells: Cells) -> None:
    words = ("--seeds", "2", "--queries", "3", "--without-robot")
    lines = run("metric_ranks.py", *words)
    assert [line for line in lines if line.endswith(" cells")] == ["1,000 cells", "half of the cells"]
    methods = first_cells(lines)
    assert methods[:4] == ["found by", "---", "process on ranks, six metrics", "process on ranks, nine metrics"]
    chosen = first_cells(run("metric_ranks.py", *words, "--choose"))
    assert "the same, nine, noise 0.2" in chosen
    assert not any("RoBoT" in name for name in chosen)
