"""The measuring scripts run on little data and print what their pages show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def run(data_dir: Path, script: str, *words: str) -> list[str]:
    """The lines that a script prints."""
    environment = os.environ | {"ARCHGEN_DATA": str(data_dir), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(EXPERIMENTS / script), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.splitlines()


def test_validity(data_dir: Path, tmp_path: Path) -> None:
    words = ["--space", "nasbench201", "--draws", "300", "--raw", "100", "--steps", "3", "--keep", str(tmp_path)]
    words += ["--raw-steps", "2", "3"]
    lines, repeated = (run(data_dir, "validity.py", *words)[1:] for _ in range(2))
    assert [line.split()[1:4] for line in lines[1:]] == [["in", "2", "steps"], ["in", "3", "steps"]]
    first, again = lines[0].split(), repeated[0].split()
    assert first[0] == "nasbench201"
    assert first[first.index("/") - 1 : first.index("/") + 2] == ["300", "/", "300"]
    assert again[:6] == first[:6]  # the kept generator: the same parameters, seconds and steps


@pytest.mark.parametrize("curve", [False, True])
def test_fidelity(data_dir: Path, curve: bool) -> None:
    words = ["--data", "measured", "--steps", "3", *(["--curve"] if curve else [])]
    lines = run(data_dir, "fidelity.py", *words)
    assert lines[0].startswith("measured: trained on 856 of 1,713 in ")
    names = [line.split()[0] for line in lines[1:]]
    wanted = ["steps", "1", "2", "3", "4", "6", "8", "12", "20"] if curve else ["figure", "marginals", "worst_marginal"]
    assert names[: len(wanted)] == wanted


def test_guidance(data_dir: Path) -> None:
    words = ["--space", "nas-bench-graph", "--draws", "50", "--steps", "3", "--tilt-steps", "2"]
    lines = run(data_dir, "guidance.py", *words)
    head = next(at for at, line in enumerate(lines) if line.startswith("beta"))
    strengths = [line.split()[0] for line in lines[head + 1 : head + 8]]
    assert strengths == ["0.0", "0.1", "0.25", "0.5", "1.0", "2.0", "5.0"]
    bounds = [line for line in lines if line.startswith("params<=")]
    assert len(bounds) == 4
    assert all("100%" in line.split() for line in bounds)


@pytest.mark.parametrize("variants", [False, True])
@pytest.mark.parametrize("space", ["ofa-mobilenetv3", "nasbench201"])
def test_usefulness(data_dir: Path, space: str, variants: bool) -> None:
    words = ["--space", space, "--seeds", "1", "--first-seed", "2000", "--steps", "3", "--judged-by", "60"]
    lines = run(data_dir, "usefulness.py", *words, *(["--variants"] if variants else []))
    methods = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
    if variants:
        assert methods[0] == "mean, default strength"
        assert len(methods) == len(set(methods)) >= 9
    else:
        assert sum(name.startswith("guided") for name in methods) == 2 - (space == "nasbench201")
        others = ["unguided, uniform law", "unguided, generator", "best of unguided", "mutations, random"]
        others += ["mutations, ranked", "evolution", "evolution, 5 times as long", "arg-max of the predictor"]
        assert methods[-10:] == [*others, "best measured", "arg-max of the judge"]
