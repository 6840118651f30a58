"""The compared strategies do what was published of them, by the script that prints the tables of its page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "multi_objective.py"
Row = list[tuple[float, float]]
"""Mean and standard error of each column; the last one is the difference to the last row."""


def tables(data_dir: Path, part: str, *words: str) -> list[dict[str, Row]]:
    """The rows of each table that the script prints, in a process of its own: checking shapes would take minutes."""
    environment = os.environ | {"ARCHGEN_DATA": str(data_dir), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), part, *words]
    printed = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    found: list[dict[str, Row]] = []
    for line in printed.splitlines():
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and "last row less this" in line:
            found.append({})
        elif line.startswith("|") and "±" in line:
            pairs = (cell.split(" ± ") for cell in cells)
            found[-1][name] = [(float(mean), float(error)) for mean, error in pairs]
    return found


def test_the_quick_parts_print_their_tables(data_dir: Path) -> None:
    few = ("--seeds", "1", "--first-seed", "2000")
    (volumes,) = tables(data_dir, "hypervolume", *few, "--queries", "60")
    assert list(volumes) == ["random", "nsga2", "linas, MACs predicted too", "linas"]
    (regrets,) = tables(data_dir, "evolution", *few, "--queries", "13")
    assert list(regrets) == ["random", "evolution"]
    (exits,) = tables(data_dir, "early-exit", *few, "--queries", "30")
    assert list(exits) == ["without early exit", "with early exit"]


@pytest.mark.slow
def test_linas_is_above_nsga2_and_that_above_random_draws(data_dir: Path) -> None:
    (found,) = tables(data_dir, "hypervolume")
    at_100, at_200, at_250 = ({name: row[place][0] for name, row in found.items()} for place in (1, 2, 3))
    assert at_250["linas"] > at_250["linas, MACs predicted too"] > at_250["nsga2"] > at_250["random"]
    assert at_100["linas"] >= at_200["nsga2"]
    assert found["nsga2"][4][0] > 3 * found["nsga2"][4][1], "the difference is more than chance"


@pytest.mark.slow
def test_bananas_is_above_evolution_and_that_above_random_draws(data_dir: Path) -> None:
    (found,) = tables(data_dir, "regret")
    at_100, at_150 = ({name: row[place][0] for name, row in found.items()} for place in (2, 3))
    assert at_100["bananas"] < at_100["evolution"] < at_100["random"]
    assert at_150["bananas"] < at_150["evolution"] < at_150["random"]


@pytest.mark.slow
def test_evolution_is_above_random_draws(data_dir: Path) -> None:
    (found,) = tables(data_dir, "evolution", "--seeds", "20")
    assert found["evolution"][2][0] < found["random"][2][0]
    difference, error = found["random"][4]
    assert difference < -2 * error, "a smaller regret at 150 queries"


@pytest.mark.slow
def test_robot_is_above_random_draws(data_dir: Path) -> None:
    same_task, other_task = tables(data_dir, "robot", "--seeds", "10")
    (more, error), (more_there, _) = same_task["random"][2], other_task["random"][2]
    assert more > 3 * error
    assert more_there > 0, "on CIFAR-100, after 12 epochs, not more than chance: see the page"


@pytest.mark.slow
def test_early_exit_spends_nothing_outside_the_bound(data_dir: Path) -> None:
    (found,) = tables(data_dir, "early-exit")
    without, early = found.values()
    assert early[0][0] >= without[0][0]
    assert early[1][0] < without[1][0]
    assert early[2] == (150.0, 0.0)
