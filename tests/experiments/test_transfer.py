"""The transfer experiment runs on few labels, and its parts do what its text says."""

import importlib.util
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from graphs.tables.task_labels import TaskLabels, load_task_labels

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "transfer.py"
ARGUMENTS = ["--labels", "200", "--seeds", "2", "--draws", "64"]


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


@pytest.mark.parametrize("options", [[], ["--validate"]])
def test_it_prints_its_tables(data_dir: Path, options: list[str]) -> None:
    environment = {"ARCHGEN_DATA": str(data_dir), "OMP_NUM_THREADS": "1", "PATH": ""}
    command = [sys.executable, SCRIPT, *ARGUMENTS, *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    starts = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")]
    names = ["all groups", "slots alone", "all but slots", "all groups, both sources", "ridge regression"]
    methods = [
        *("generator", "generator, tasks resampled", "arg-max over all cells", "plain mean of cells with 3 rows"),
        *("ridge regression", "random cells that have a row", "random cells"),
    ]
    assert starts == (["predictor", "---", *names] if options else 3 * ["best after", "---", *methods])


def test_the_baselines_are_those_that_were_measured_elsewhere(  # type: ignore[no-untyped-def]
    transfer: ModuleType, world, labels: TaskLabels, data_dir: Path
) -> None:
    """Ridge regression 93.71 and 71.20 after ten, plain means 94.36 and 73.51 after five."""
    tables = [transfer.load_nasbench201(name, data_dir) for name in transfer.DATA_SETS]
    accuracy = np.array([[table(cell)["test_accuracy"] for cell in world.cells] for table in tables])
    orders = [
        transfer.best_first(score(world, labels))[:10].tolist() for score in (transfer.plain_means, transfer.ridge)
    ]
    means, ridge = (transfer.best_so_far(accuracy, order) for order in orders)
    assert means[:, 2] == pytest.approx([94.36, 73.51], abs=0.006)
    assert ridge[:, 3] == pytest.approx([93.71, 71.20], abs=0.006)


def test_labels_of_the_best_cells_are_gone(transfer: ModuleType, world, labels: TaskLabels) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    accuracy = rng.permuted(np.stack([np.arange(len(world.cells))] * 2).astype(float), axis=1)
    cells, networks = (transfer.without_the_best(world, accuracy, labels, networks=by) for by in (False, True))
    best = {world.cells[cell] for values in accuracy for cell in np.flatnonzero(values >= len(values) - 156)}
    kept = [graph for graph in labels.graphs if graph not in best]
    assert Counter(kept) == Counter(cells.graphs)
    assert len(kept) < len(labels)
    built = {world.space.canonical(graph) for graph in best}
    assert Counter(g for g in kept if world.space.canonical(g) not in built) == Counter(networks.graphs)
    assert len(networks) < len(cells)


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
