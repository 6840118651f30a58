"""Transfer: architectures for CIFAR-10 and CIFAR-100 from labels on small tasks, without one label of either.

    python experiments/transfer.py               # the tables of transfer.md
    python experiments/transfer.py --validate    # what the choices rest on: held-out tasks, no label of CIFAR

A predictor is trained on the task labels alone. The generator is tilted towards its mean; of what it draws, the ten
networks that the predictor ranks highest are looked up. Both data sets get the same ten, as nothing tells them apart.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from archgen.diffusion.listed_law import ListedLaw, all_rows, strength_for_effective_size, tilted
from graphs.archgraph import ArchGraph
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.nasbench201 import load_nasbench201
from graphs.tables.table import BenchmarkTable
from graphs.tables.task_labels import TaskLabels, load_task_labels
from predictors.task_effects import fit_task_effects
from predictors.wl_gp import GROUPS, feature_table

DATA_SETS = ("cifar10", "cifar100")
REPORTED = (1, 3, 5, 10)
PICKS = max(REPORTED)
BEST_SHARE = 0.01
"""Cells of each data set whose labels are taken away."""
SHARPNESS = 0.6
"""Share of the entropy of all cells that the generator gives up, as `archgen generate` does."""
FEWEST_ROWS = 3
RIDGE = 1.0
FOLDS = 5


@dataclass(frozen=True, eq=False)
class World:
    """Everything but labels: the cells in a fixed order, and the network of each."""

    space: NasBench201
    cells: list[ArchGraph]
    rows: Tensor
    network: list[ArchGraph]

    @staticmethod
    def load() -> World:
        space = NasBench201()
        rows = all_rows(space.layout())
        cells = space.layout().write(rows)
        return World(space, cells, rows, [space.network(cell) for cell in cells])

    def distinct(self, order: np.ndarray, count: int = PICKS) -> list[int]:
        """The first `count` cells of `order` that build different networks."""
        found: dict[ArchGraph, int] = {}
        for cell in order:
            found.setdefault(self.network[cell], int(cell))
            if len(found) == count:
                break
        return list(found.values())


def one_hot(world: World, cells: list[int]) -> np.ndarray:
    """30 numbers a cell: which operation each of its six edges has."""
    return np.eye(5)[world.rows[cells].numpy()].reshape(len(cells), -1)


def ridge(world: World, labels: TaskLabels) -> np.ndarray:
    """Predictions for all cells of a ridge regression on raw accuracies."""
    at = {cell: number for number, cell in enumerate(world.cells)}
    x, y = one_hot(world, [at[graph] for graph in labels.graphs]), labels.accuracy
    centre = x.mean(0)
    weights = np.linalg.solve(
        (x - centre).T @ (x - centre) + RIDGE * np.eye(x.shape[1]), (x - centre).T @ (y - y.mean())
    )
    return (one_hot(world, list(range(len(world.cells)))) - centre) @ weights + y.mean()


def plain_means(world: World, labels: TaskLabels) -> np.ndarray:
    """The mean accuracy of each cell with at least `FEWEST_ROWS` labels; -inf for the others."""
    at = {cell: number for number, cell in enumerate(world.cells)}
    which = np.array([at[graph] for graph in labels.graphs])
    count = np.bincount(which, minlength=len(world.cells))
    total = np.bincount(which, labels.accuracy, minlength=len(world.cells))
    return np.where(count >= FEWEST_ROWS, total / np.maximum(count, 1), -np.inf)


def resampled(labels: TaskLabels, rng: np.random.Generator) -> TaskLabels:
    """As many tasks, drawn with replacement; one that is drawn twice counts as two."""
    tasks, rows = np.unique(labels.task, return_inverse=True)
    members = [np.flatnonzero(rows == task) for task in range(len(tasks))]
    chosen = rng.integers(len(tasks), size=len(tasks))
    numbers = np.concatenate([np.full(len(members[task]), new) for new, task in enumerate(chosen)])
    return labels.take(np.concatenate([members[task] for task in chosen]), numbers)


def guided_picks(world: World, mean: Tensor, draws: int, seed: int) -> tuple[list[int], float]:
    """The best of what the tilted generator draws, by the predictor, and the share of distinct networks in the draws."""
    law = ListedLaw(world.rows, torch.zeros(len(world.rows), dtype=torch.float64))
    strength = strength_for_effective_size(law, mean, math.exp(-SHARPNESS * math.log(len(world.rows))))
    drawn = tilted(law, mean, strength).draw_rows(draws, torch.Generator().manual_seed(seed)).numpy()
    order = drawn[np.argsort(-mean.numpy()[drawn], kind="stable")]
    return world.distinct(order), len({world.network[cell] for cell in drawn}) / draws


def best_so_far(world: World, tables: list[BenchmarkTable], picks: list[int]) -> np.ndarray:
    """The best test accuracy on each data set after each count of `REPORTED`, one row a data set."""
    found = np.array([[table(world.cells[cell])["test_accuracy"] for cell in picks] for table in tables])
    return np.maximum.accumulate(found, 1)[:, [min(count, len(picks)) - 1 for count in REPORTED]]


def without_the_best(world: World, tables: list[BenchmarkTable], labels: TaskLabels, by: str) -> TaskLabels:
    """The labels without those of the best cells of either data set; by "network": of all that build what they build."""
    accuracy = [np.array([table(cell)["test_accuracy"] for cell in world.cells]) for table in tables]
    count = int(BEST_SHARE * len(world.cells))
    best = np.unique(np.concatenate([np.argsort(-values, kind="stable")[:count] for values in accuracy]))
    cells = {world.cells[cell] for cell in best}
    networks = {world.network[cell] for cell in best}
    gone = [graph in cells if by == "cell" else world.space.network(graph) in networks for graph in labels.graphs]
    return labels.take(np.flatnonzero(~np.array(gone)))


def methods(world: World, labels: TaskLabels, seeds: int, draws: int) -> Iterator[tuple[str, list[list[int]]]]:
    """Each method's name and its picks, one list a seed or one in all where chance has no part."""
    table, groups = feature_table(world.space), list(GROUPS)
    coarse = labels.take(np.flatnonzero(labels.coarse))
    model = fit_task_effects(table, groups, coarse)
    mean = model.predict(world.cells)[0]
    print(f"\n{len(labels)} labels, {len(coarse)} of the first source; {model.hyper}")
    found = [guided_picks(world, mean, draws, seed) for seed in range(seeds)]
    print(f"distinct networks in {draws} draws: {np.mean([share for _, share in found]):.2f}")
    for picks in (found[0][0],):
        print("first seed's picks: " + ", ".join(world.space.format(world.cells[cell]) for cell in picks[:3]))
    yield "generator", [picks for picks, _ in found]
    refitted = []
    for seed in range(seeds):
        again = resampled(coarse, np.random.default_rng(seed))
        other = fit_task_effects(table, groups, again, model.hyper).predict(world.cells)[0]
        refitted.append(guided_picks(world, other, draws, seed)[0])
    yield "generator, tasks resampled", refitted
    yield "arg-max of the predictor", [world.distinct(np.argsort(-mean.numpy(), kind="stable"))]
    yield "mean of cells with 3 rows", [np.argsort(-plain_means(world, labels), kind="stable")[:PICKS].tolist()]
    yield "ridge regression", [np.argsort(-ridge(world, labels), kind="stable")[:PICKS].tolist()]
    known = np.array([cell for cell, graph in enumerate(world.cells) if graph in set(labels.graphs)])
    rngs = [np.random.default_rng(seed) for seed in range(100)]
    yield "random cells with a row", [rng.choice(known, PICKS, replace=False).tolist() for rng in rngs]
    yield "random cells", [rng.choice(len(world.cells), PICKS, replace=False).tolist() for rng in rngs]


def report(seeds: int, draws: int, labels: TaskLabels) -> None:
    """A table for each set of labels: mean of the best so far, and its deviation over seeds after one and ten."""
    world, tables = World.load(), [load_nasbench201(name) for name in DATA_SETS]
    kinds = {
        "all labels": labels,
        "best cells' labels removed": without_the_best(world, tables, labels, "cell"),
        "best networks' labels removed": without_the_best(world, tables, labels, "network"),
    }
    for title, kept in kinds.items():
        print(f"\n## {title}")
        lines = ["| picks | " + " | ".join(f"{name}, {count}" for name in DATA_SETS for count in REPORTED) + " |"]
        lines.append("|---|" + "---|" * (len(DATA_SETS) * len(REPORTED)))
        for name, picks in methods(world, kept, seeds, draws):
            found = np.stack([best_so_far(world, tables, one) for one in picks]).reshape(len(picks), -1)
            cells = [
                f"{mean:.2f}" + (f" ± {deviation:.2f}" if len(picks) > 1 else "")
                for mean, deviation in zip(found.mean(0), found.std(0), strict=True)
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print("\n" + "\n".join(lines), flush=True)


def validate(labels: TaskLabels) -> None:
    """Scores on held-out tasks of the first source, labels less what their classes explain."""
    world = World.load()
    table, coarse = feature_table(world.space), labels.take(np.flatnonzero(labels.coarse))
    everything = list(GROUPS)
    shift = np.where(labels.coarse, 0.0, labels.accuracy[labels.coarse].mean() - labels.accuracy[~labels.coarse].mean())
    both = TaskLabels(labels.task, labels.graphs, labels.accuracy + shift, labels.classes, labels.coarse)
    candidates: dict[str, tuple[list[str], TaskLabels]] = {
        "all groups": (everything, coarse),
        "slots": (["slots"], coarse),
        "all but slots": (everything[1:], coarse),
        "slots, paths": (["slots", "paths"], coarse),
        "all groups, both sources": (everything, both),
    }
    reference = fit_task_effects(table, everything, coarse)
    tasks = np.unique(coarse.task)
    print(
        "| predictor | squared error | Spearman | Spearman, upper half | mean of the top 5 % |\n|---|---|---|---|---|"
    )
    at = {cell: number for number, cell in enumerate(world.cells)}

    def line(name: str, predict: Callable[[TaskLabels, TaskLabels], np.ndarray], rows: TaskLabels) -> None:
        truth, found = [], []
        for fold in range(FOLDS):
            held = set(tasks[np.random.default_rng(0).permutation(len(tasks)) % FOLDS == fold].tolist())
            test = coarse.take(row for row, task in enumerate(coarse.task) if task in held)
            train = rows.take(row for row, task in enumerate(rows.task) if task not in held)
            known = fit_task_effects(table, everything, train.take(np.flatnonzero(train.coarse)), reference.hyper)
            truth.append(test.accuracy - known.difficulty(test.classes).numpy())
            found.append(predict(train, test))
        y, f = np.concatenate(truth), np.concatenate(found)
        order = np.argsort(-f)
        half, top = order[: len(order) // 2], order[: len(order) // 20]
        error, upper = np.mean((y - y.mean() - f + f.mean()) ** 2), spearmanr(y[half], f[half])[0]
        print(
            f"| {name} | {error:.3f} | {spearmanr(y, f)[0]:.3f} | {upper:.3f} | {y[top].mean() - y.mean():+.2f} |",
            flush=True,
        )

    for name, (groups, rows) in candidates.items():
        hyper = fit_task_effects(table, groups, rows).hyper
        line(
            name,
            lambda train, test, g=groups, h=hyper: fit_task_effects(table, g, train, h).predict(test.graphs)[0].numpy(),
            rows,
        )
    line("ridge", lambda train, test: ridge(world, train)[[at[graph] for graph in test.graphs]], coarse)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=256, help="architectures that the generator draws")
    parser.add_argument("--labels", type=int, help="use this many of the labels only, drawn by chance")
    parser.add_argument("--validate", action="store_true", help="score the predictors on held-out tasks instead")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    labels = load_task_labels()
    if arguments.labels:
        labels = labels.take(np.random.default_rng(0).permutation(len(labels))[: arguments.labels])
    if arguments.validate:
        validate(labels)
    else:
        report(arguments.seeds, arguments.draws, labels)


if __name__ == "__main__":
    main()
