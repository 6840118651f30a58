"""The transfer experiment runs on few labels, and its parts do what its text says."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from graphs.tables.task_labels import TaskLabels, load_task_labels

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "transfer.py"


@pytest.fixture(scope="module")
def transfer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transfer", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["transfer"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def world(transfer: ModuleType):  # type: ignore[no-untyped-def]
    return transfer.World.load()


@pytest.fixture(scope="module")
def labels(data_dir: Path) -> TaskLabels:
    return load_task_labels(data_dir)


def run(script: str, data_dir: Path, *options: str) -> list[str]:
    """The first cell of each row of what a script prints."""
    environment = {"ARCHGEN_DATA": str(data_dir), "OMP_NUM_THREADS": "1", "PATH": ""}
    command = [sys.executable, str(SCRIPT.with_name(script)), "--labels", "200", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")]


def test_it_prints_its_tables(data_dir: Path) -> None:
    methods = [
        *("generator", "generator, tasks resampled", "generator among labelled cells", "generator, presence ignored"),
        *("arg-max", "arg-max among labelled cells", "arg-max, presence ignored", "plain mean of cells with 3 rows"),
        *("ridge regression", "ridge regression, among labelled cells", "ridge regression of cells' means"),
        *("random labelled cells", "random cells"),
    ]
    found = run("transfer.py", data_dir, "--seeds", "2", "--draws", "64")
    assert found == 3 * ["best after", "---", *methods]


def test_the_choices_print_their_table(data_dir: Path) -> None:
    names = ["all groups and presence", "all groups", "slots alone", "all but slots", "all groups, both sources"]
    assert run("transfer_choices.py", data_dir) == ["predictor", "---", *names, "ridge regression"]


def test_plain_means_are_those_that_were_measured_elsewhere(  # type: ignore[no-untyped-def]
    transfer: ModuleType, world, labels: TaskLabels
) -> None:
    """94.36 and 73.51 after five picks."""
    order = transfer.best_first(transfer.plain_means(world, labels))[:10].tolist()
    assert transfer.best_so_far(transfer.accuracies(world), order)[:, 2] == pytest.approx([94.36, 73.51], abs=0.006)


def test_the_best_cells_are_the_best_of_either_data_set(transfer: ModuleType, world) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    accuracy = rng.permuted(np.stack([np.arange(len(world.cells))] * 2).astype(float), axis=1)
    best = {int(cell) for values in accuracy for cell in np.flatnonzero(values >= len(values) - 156)}
    assert set(transfer.best_cells(world, accuracy, networks=False).tolist()) == best
    built = {world.space.canonical(world.cells[cell]) for cell in best}
    with_networks = {place for place, cell in enumerate(world.cells) if world.space.canonical(cell) in built}
    assert set(transfer.best_cells(world, accuracy, networks=True).tolist()) == with_networks
    assert best < with_networks


def test_nothing_is_told_of_the_presence_of_unknown_cells(transfer: ModuleType, world, labels: TaskLabels) -> None:  # type: ignore[no-untyped-def]
    """The odds are the same whether an unknown cell is labelled or not."""
    unknown = np.unique(world.places(labels))[:200]
    kept = labels.take(np.flatnonzero(~np.isin(world.places(labels), unknown)))
    with_them, without = (transfer.presence_of(world, one, unknown)(world.cells[:100]) for one in (labels, kept))
    assert with_them.tolist() == without.tolist()


def test_resampled_tasks_keep_their_labels_together(transfer: ModuleType, labels: TaskLabels) -> None:
    again = transfer.resampled(labels, np.random.default_rng(0))
    assert len(set(again.task.tolist())) == len(set(labels.task.tolist()))
    of_task: dict[int, list[float]] = {}
    for task, accuracy in zip(labels.task.tolist(), labels.accuracy.tolist(), strict=True):
        of_task.setdefault(task, []).append(accuracy)
    groups: dict[int, list[float]] = {}
    for task, accuracy in zip(again.task.tolist(), again.accuracy.tolist(), strict=True):
        groups.setdefault(task, []).append(accuracy)
    known = {tuple(group) for group in of_task.values()}
    assert all(tuple(group) in known for group in groups.values())


def test_picks_are_the_best_drawn_of_different_networks(transfer: ModuleType, world) -> None:  # type: ignore[no-untyped-def]
    score = np.random.default_rng(1).standard_normal(len(world.cells))
    picks = transfer.pick(world, score, 256, seed=3)
    assert len(picks) == len({world.network[cell] for cell in picks}) == transfer.PICKS
    assert np.all(np.diff(score[picks]) <= 0)
    drawn = transfer.draw_guided(world, score, 256, seed=3)
    assert set(picks) <= set(drawn.tolist())
    assert score[picks[0]] == score[drawn].max()
    assert score[drawn].mean() > score.mean() + 2 * score.std()
