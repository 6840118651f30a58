"""The measurement of predictors that are told the data set runs on few labels and prints its tables."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "dataset_conditioned.py"


def run(data: Path, *words: str) -> list[str]:
    """The first cell of each row that the script prints."""
    environment = {"ARCHGEN_DATA": str(data), "OMP_NUM_THREADS": "1", "PATH": ""}
    command = [sys.executable, str(SCRIPT), *words, "--seeds", "1", "--first-seed", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")]


def test_tasks(data_dir: Path) -> None:
    found = run(data_dir, "tasks", "--labels", "60")
    assert found[0] == "predictor"
    assert found[1:3] == ["GP on cells and classes", "set encoder"]
    assert found[9:] == [
        "mean over tasks",
        "GP on cells and classes",
        "GP on cells with task offsets",
        "set encoder",
        "ridge on operations",
    ]


@pytest.mark.slow
def test_graphs(data_dir: Path) -> None:
    found = run(data_dir, "graphs", "--labels", "20", "--asked", "50")
    assert found[0] == "Kendall's tau"
    assert len(found) == 2 * (1 + 7 + 9)
    assert found[17] == "Regret of the top 10, points"
