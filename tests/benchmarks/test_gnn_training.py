"""The benchmark of GNN training runs and prints a row for each model."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gnn_training.py"


def test_it_prints_a_row_for_each_model(data_dir: Path, tmp_path: Path) -> None:
    arguments = ["--data", "cora", "--model", "gcn", "gat", "--seeds", "1", "--epochs", "1"]
    environment = {"ARCHGEN_CACHE": str(tmp_path), **os.environ, "ARCHGEN_DATA": str(data_dir)}
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    rows = [line.split("|") for line in done.stdout.splitlines()[2:]]
    assert [(row[1].strip(), row[2].strip()) for row in rows] == [("cora", "gcn"), ("cora", "gat")]
    assert all(row[-2].strip().endswith("x") for row in rows)
