"""The script on GNNs as users run it, on a small made-up graph."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "train_gnn.py"
ARCH = (
    "input(consistency=0.5,drop_node=0.2,dropout=0.5,feature_dropout=0.5,learning_rate=0.01,norm=batch,"
    "weight_decay=0.0005);gcnii(activation=relu,hidden=8,steps=2,teleport=0.1);"
    "output(jumping=cat,steps=0,teleport=0.0)|0>1,1>2"
)


def run(folder: Path, *words: str, fails: bool = False) -> list[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ARCHGEN_CACHE": str(folder / "cache")}
    command = [sys.executable, str(SCRIPT), "--data", "synthetic-sbm-500", *words]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert (found.returncode != 0) == fails, found.stderr
    return (found.stderr if fails else found.stdout).splitlines()


@pytest.mark.parametrize("words", [["--hand-made", "GCN"], ["--arch", ARCH], ["--kind", "link"]])
def test_it_trains_and_tells_validation_and_test(words: list[str], tmp_path: Path) -> None:
    lines = run(tmp_path, *words, "--epochs", "4", "--dir", "kept")
    assert lines[0].startswith("synthetic-sbm-500: 4 epochs, the best ")
    metric = "auc" if "link" in words else "accuracy"
    assert [line.split()[:2] for line in lines[1:]] == [["validation", metric], ["test", metric]]
    assert all(20 < float(line.split()[2]) <= 100 for line in lines[1:])
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["best.ckpt"]


def test_mistakes_are_told(tmp_path: Path) -> None:
    assert "unknown network 'GCM'. Choose one of: APPNP, GAT" in run(tmp_path, "--hand-made", "GCM", fails=True)[-1]
    assert "cannot read" in run(tmp_path, "--arch", "nothing", fails=True)[-1]
