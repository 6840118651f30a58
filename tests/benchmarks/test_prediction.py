"""The benchmark of predictors runs and prints a line for each space and number of labels."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "prediction.py"


def test_it_prints_a_line_for_each_number_of_labels() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--space", "nas-bench-graph", "--labels", "12", "20", "--scored", "50"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [["nas-bench-graph", "12"], ["nas-bench-graph", "20"]]
