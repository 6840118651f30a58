"""The scripts on predictors as users run them, on little data."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SMALL = ["nas-bench-graph", "--task", "cora", "--labels", "20", "--tested", "300", "--checkpoint-every", "10"]


def run(folder: Path, script: str, *words: str, fails: bool = False, data: Path | None = None) -> str:
    given = {"ARCHGEN_DATA": str(data)} if data else {}
    environment = os.environ | given | {"OMP_NUM_THREADS": "1", "HOME": str(folder)}
    command = [sys.executable, str(EXPERIMENTS / script), *words]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert (found.returncode != 0) == fails, found.stderr
    return found.stderr if fails else found.stdout


def test_it_trains_goes_on_and_refuses_other_arguments(tmp_path: Path) -> None:
    """Asked for again it goes on from step 20, where its last checkpoint is, and ends with the same scores."""
    whole = run(tmp_path, "train_predictor.py", *SMALL, "--steps", "30", "--dir", "whole", "--checkpoint-every", "20")
    lines = whole.splitlines()
    assert "nas-bench-graph: 20 labels, 30 steps, 300 architectures predicted" in lines
    scores = {line.split()[0]: float(line.split()[1]) for line in lines[-4:]}
    assert list(scores) == ["kendall", "spearman", "regret", "rmse"]
    assert "last.ckpt" in {path.name for path in (tmp_path / "whole").iterdir()}
    again = run(tmp_path, "train_predictor.py", *SMALL, "--steps", "30", "--dir", "whole", "--checkpoint-every", "20")
    assert again.splitlines()[-4:] == lines[-4:]
    with (tmp_path / "whole" / "csv" / "version_1" / "metrics.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [29]
    told = run(tmp_path, "train_predictor.py", *SMALL, "--steps", "31", "--dir", "whole", fails=True)
    assert "whole is a run of" in told


def test_pretraining_script(tmp_path: Path) -> None:
    words = ["--spaces", "nas-bench-graph", "--labels", "10", "--seeds", "2", "--first-seed", "1000"]
    lines = run(tmp_path, "pretraining.py", *words, "--tested", "200", "--steps", "5").splitlines()
    assert lines[2].startswith("| nas-bench-graph | 10 | ")
    assert lines[2].endswith("of 2 |")


@pytest.mark.slow
def test_pretraining_on_scores_too(data_dir: Path, tmp_path: Path) -> None:
    words = ["--scores", "--labels", "10", "--seeds", "1", "--first-seed", "1000", "--tested", "200", "--steps", "5"]
    lines = run(tmp_path, "pretraining.py", *words, "--spaces", "nasbench201", data=data_dir).splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[4:-3]] == ["GNN", "pre-trained GNN", "on scores too"]
    assert lines[2].endswith("of 1 |")
    assert "scores are published of nasbench201 alone" in run(tmp_path, "pretraining.py", "--scores", fails=True)


def test_noise_aware_script(data_dir: Path, tmp_path: Path) -> None:
    words = ["--labels", "20", "--seeds", "1", "--first-seed", "1000", "--tested", "60", "--steps", "5"]
    lines = run(tmp_path, "noise_aware.py", *words, "--figure", "figure.png", data=data_dir).splitlines()
    rows = [line for line in lines if " of 6 |" in line]
    assert len(rows) == 12
    assert (tmp_path / "figure.png").stat().st_size > 1000


@pytest.mark.parametrize("words", [["no-space"], ["nas-bench-graph", "--task", "nothing"]])
def test_mistakes_are_told(tmp_path: Path, words: list[str]) -> None:
    assert "Choose one of: " in run(tmp_path, "train_predictor.py", *words, fails=True)


def test_neural_kinds_script(data_dir: Path, tmp_path: Path) -> None:
    words = ["--cases", "cifar100-50", "--kinds", "path-ensemble", "--seeds", "1", "--first-seed", "1000"]
    lines = run(tmp_path, "neural_kinds.py", *words, "--tested", "200", data=data_dir).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["wl-gp", "path-ensemble"]
