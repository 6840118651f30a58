"""Labels of NAS-Bench-201 cells on small tasks; a file that is not the published one is told."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphs.errors import TableError
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.task_labels import TaskLabels, load_task_labels

HEADER = "task,arch,acc,flops_norm,params_norm,latency_norm,classes"
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|nor_conv_3x3~1|none~2|"
CLASSES = "20 1 19 2 18 3 17 4 16 5 15 6 14 7 13 8 12 9 11 600"
ROW = f"1772,{CELL},69.999997,0.35,0.36,0.54,{CLASSES}"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., TaskLabels]:
    def load(*lines: str) -> TaskLabels:
        (tmp_path / "metad2a_tasks").mkdir()
        (tmp_path / "metad2a_tasks" / "tasks.csv").write_text("\n".join(lines))
        return load_task_labels(tmp_path)

    return load


def test_rows_are_those_of_the_file(data_dir: Path) -> None:
    labels, space = load_task_labels(data_dir), NasBench201()
    with (data_dir / "metad2a_tasks" / "tasks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(labels) == len(rows) == 4_630
    assert len(set(labels.task.tolist())) == 3_031
    for number, row in enumerate(rows):
        assert space.format(labels.graphs[number]) == row["arch"]
        assert labels.task[number] == int(row["task"])
        assert labels.accuracy[number] == float(row["acc"])
        assert set(labels.classes[number].tolist()) == set(map(int, row["classes"].split()))


def test_the_two_sources_measure_differently(data_dir: Path) -> None:
    """The second's accuracies fall on multiples of 0.2 as often as hundredths do by chance, and lie far lower."""
    labels = load_task_labels(data_dir)
    first, second = labels.accuracy[labels.coarse], labels.accuracy[~labels.coarse]
    assert len(first) == 4_152
    assert not labels.coarse[len(first) :].any()
    multiples = np.abs(second / 0.2 - (second / 0.2).round()) < 1e-3
    assert 0.02 < multiples.mean() < 0.09
    assert first.mean() - second.mean() > 15


def test_rows_can_be_taken_again_and_renumbered(load: Callable[..., TaskLabels]) -> None:
    labels = load(HEADER, ROW, ROW.replace("1772,", "3,").replace("69.999997", "55.55"), ROW)
    again = labels.take([2, 0, 1], np.array([7, 8, 9]))
    assert again.task.tolist() == [7, 8, 9]
    assert again.accuracy.tolist() == [69.999997, 69.999997, 55.55]
    assert again.coarse.tolist() == [False, True, False]
    assert labels.take([1]).task.tolist() == [3]
    assert len(labels.take([])) == 0


def test_the_folder_of_the_environment(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    assert len(load_task_labels()) == 4_630
    monkeypatch.delenv("ARCHGEN_DATA")
    with pytest.raises(TableError, match="set ARCHGEN_DATA"):
        load_task_labels()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("69.999997", "nan", "nan % correct on task 1772 cannot be"),
        ("69.999997", "100.5", "cannot be"),
        ("69.999997", "", "could not convert"),
        ("1772", "-1", "on task -1 cannot be"),
        ("1772", "1.5", "invalid literal"),
        ("nor_conv_1x1", "nor_conv_5x5", "nor_conv_5x5"),
        ("|none~0", "|none~1", "cannot read"),
        ("600", "11", "expected 20 different classes"),
        ("600", "0", "expected 20 different classes"),
        (" 600", "", "expected 20 different classes"),
        ("600", "x", "invalid literal"),
        ("600", "599", "other classes of task 1772"),
        (",0.35,0.36,0.54", "", "no label of a task"),
    ],
)
def test_a_bad_row_is_named(load: Callable[..., TaskLabels], old: str, new: str, message: str) -> None:
    assert ROW.count(old) == 1
    with pytest.raises(TableError, match=rf"tasks.csv, line 3: .*{message}.*fetch the file again"):
        load(HEADER, ROW, ROW.replace(old, new))


def test_a_missing_column_or_file_is_told(load: Callable[..., TaskLabels], tmp_path: Path) -> None:
    with pytest.raises(TableError, match="set ARCHGEN_DATA to the folder that holds metad2a_tasks/"):
        load_task_labels(tmp_path)
    with pytest.raises(TableError, match=r"line 2: .*'acc'"):
        load(HEADER.replace("acc", "accuracy"), ROW)


@pytest.mark.parametrize("content", [b"", HEADER.encode(), b"\xff\xfe\x00garbage\n\xff"])
def test_a_file_without_rows(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metad2a_tasks").mkdir()
    (tmp_path / "metad2a_tasks" / "tasks.csv").write_bytes(content)
    with pytest.raises(TableError, match=r"expected a row a label, got none|not a CSV file"):
        load_task_labels(tmp_path)
