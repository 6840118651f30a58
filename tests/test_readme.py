"""Every example in the README runs, and what it shows is what comes out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
WISH, EXPLAIN, CAMPAIGN, GUIDE = EXAMPLES
ARCH_AND_ACCURACY = re.compile(r"\d{4}(\|\w+){4} (\d+\.\d+)\n")


def run(code: str, folder: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_every_python_block_has_its_output_beside_it() -> None:
    assert README.count("```python") == len(EXAMPLES) == 4


@pytest.mark.parametrize("example", [WISH, GUIDE])
def test_the_generator_examples_print_what_the_readme_shows(example: tuple[str, str], tmp_path: Path) -> None:
    assert run(example[0], tmp_path) == example[1]


def test_the_predictor_example_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """Another processor may round otherwise, so numbers are compared as numbers."""
    number = re.compile(r"[+-]?\d+\.\d+")
    shown, found = EXPLAIN[1], run(EXPLAIN[0], tmp_path)
    assert number.sub("#", found) == number.sub("#", shown)
    assert [float(one) for one in number.findall(found)] == pytest.approx(
        [float(one) for one in number.findall(shown)], abs=0.11
    )


@pytest.mark.slow
def test_the_campaign_example_finds_what_the_readme_shows(tmp_path: Path) -> None:
    """Another processor may round otherwise and then searches along another path, so not the very same network."""
    shown, found = ARCH_AND_ACCURACY.fullmatch(CAMPAIGN[1]), ARCH_AND_ACCURACY.fullmatch(run(CAMPAIGN[0], tmp_path))
    assert shown is not None
    assert found is not None
    assert float(found[2]) == pytest.approx(float(shown[2]), abs=0.8)
    assert len(CAMPAIGN[0].strip().splitlines()) <= 10


def test_the_training_example_is_searched(tmp_path: Path) -> None:
    script = re.search(r"```py\n(.*?)```", README, re.DOTALL)
    command = re.search(r"```sh\n(archgen search \S+ --evaluate .*?)```", README, re.DOTALL)
    assert script is not None
    assert command is not None
    (tmp_path / "train.py").write_text(script[1])
    assert len(script[1].splitlines()) <= 10
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(folders), "WANDB_MODE": "disabled"}
    arguments = command[1].strip() + " --wandb disabled --json"
    done = subprocess.run(
        arguments, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert '"queries": 12' in done.stdout
    assert '"valid": 12' in done.stdout


def test_every_command_of_the_readme_exists() -> None:
    commands = sorted(set(re.findall(r"`archgen ([a-z-]+)", README)))
    assert len(commands) >= 8
    for command in commands:
        subprocess.run([sys.executable, "-m", "archgen", command, "--help"], capture_output=True, check=True)


def test_a_quick_search_ends_as_the_readme_shows(tmp_path: Path) -> None:
    """The lines after the drawing: metrics, regret, improvement, and where the views lie."""
    shown = re.search(r"```text\n(best: .*?)```", README, re.DOTALL)
    assert shown is not None
    command = ["search", "nas-bench-graph", "--task", "cora", "--budget", "12", "--strategy", "evolution"]
    done = subprocess.run(
        [sys.executable, "-m", "archgen", *command, "--dir", "runs/cora"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert labels(done.stdout) == labels(shown[1])


def labels(text: str) -> list[str]:
    """The first word of each line that is not part of a drawing."""
    return [line.split()[0] for line in text.splitlines() if line and line[0] in "b qrW"]
