"""Transfer: architectures for CIFAR-10 and CIFAR-100 from labels on small tasks, without one label of either.

    python experiments/transfer.py               # the tables of transfer.md
    python experiments/transfer.py --validate    # what the choices rest on: held-out tasks, no label of CIFAR

A predictor is trained on the task labels alone. The generator is tilted towards its mean; of what it draws, the ten
networks that the predictor ranks highest are looked up. Both data sets get the same ten, as nothing tells them apart.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from archgen.diffusion.listed_law import ListedLaw, all_rows, strength_for_effective_size, tilted
from graphs.archgraph import ArchGraph
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.nasbench201 import load_nasbench201
from graphs.tables.task_labels import TaskLabels, load_task_labels
from predictors.feature_table import FeatureTable
from predictors.task_effects import TaskHyper, fit_task_effects
from predictors.wl_gp import GROUPS, feature_table

DATA_SETS = ("cifar10", "cifar100")
REPORTED = (1, 3, 5, 10)
PICKS = max(REPORTED)
SHARPNESS = 0.6
"""Share of the entropy of all cells that the generator gives up, as `archgen generate` does."""
BEST_SHARE = 0.01
"""Cells of each data set whose labels are taken away."""
FEWEST_ROWS = 3
"""Labels of a cell whose plain mean is trusted."""
RIDGE = 1.0
CHANCES = 1000
"""Seeds of the picks that are mere chance."""
FOLDS = 5


@dataclass(frozen=True, eq=False)
class World:
    """Everything but labels: the cells in a fixed order, and the network of each."""

    space: NasBench201
    table: FeatureTable
    rows: Tensor
    cells: list[ArchGraph]
    network: list[ArchGraph]
    place: dict[ArchGraph, int]

    @staticmethod
    def load() -> World:
        space = NasBench201()
        rows = all_rows(space.layout())
        cells = space.layout().write(rows)
        place = {cell: number for number, cell in enumerate(cells)}
        return World(space, feature_table(space), rows, cells, list(map(space.network, cells)), place)

    def places(self, labels: TaskLabels) -> np.ndarray:
        """The cell's number of each label."""
        return np.array([self.place[graph] for graph in labels.graphs])

    def distinct(self, order: np.ndarray) -> list[int]:
        """The first `PICKS` cells of `order` that build different networks."""
        found: dict[ArchGraph, int] = {}
        for cell in order.tolist():
            found.setdefault(self.network[cell], cell)
        return list(found.values())[:PICKS]


def best_first(score: np.ndarray) -> np.ndarray:
    """The places of a score from its largest value on; of equal ones the first comes first."""
    return np.argsort(-score, kind="stable")


def ridge(world: World, labels: TaskLabels, *, of_means: bool = False) -> np.ndarray:
    """Predictions for all cells of a ridge regression on which operation each edge has.

    Args:
        of_means: learn from one mean accuracy a cell, rather than from one accuracy a label.
    """
    every = np.eye(5)[world.rows.numpy()].reshape(len(world.cells), -1)
    places, y = world.places(labels), labels.accuracy
    if of_means:
        places, cell, count = np.unique(places, return_inverse=True, return_counts=True)
        y = np.bincount(cell, y) / count
    x = every[places]
    centred = x - x.mean(0)
    weights = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(x.shape[1]), centred.T @ (y - y.mean()))
    return (every - x.mean(0)) @ weights + y.mean()


def plain_means(world: World, labels: TaskLabels) -> np.ndarray:
    """The mean accuracy of each cell with at least `FEWEST_ROWS` labels; -inf for the others."""
    places, cells = world.places(labels), len(world.cells)
    count, total = np.bincount(places, minlength=cells), np.bincount(places, labels.accuracy, minlength=cells)
    return np.where(count >= FEWEST_ROWS, total / np.maximum(count, 1), -np.inf)


def resampled(labels: TaskLabels, rng: np.random.Generator) -> TaskLabels:
    """As many tasks, drawn with replacement; one that is drawn twice counts as two."""
    tasks, of_task = np.unique(labels.task, return_inverse=True)
    members = [np.flatnonzero(of_task == task) for task in range(len(tasks))]
    chosen = [members[task] for task in rng.integers(len(tasks), size=len(tasks))]
    return labels.take(np.concatenate(chosen), np.repeat(np.arange(len(chosen)), [len(rows) for rows in chosen]))


def draw_guided(world: World, score: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Cells from the law of the generator tilted by `score`; exact, since all cells can be listed."""
    law = ListedLaw(world.rows, torch.zeros(len(world.rows), dtype=torch.float64))
    share = math.exp(-SHARPNESS * math.log(len(world.rows)))
    guided = tilted(law, torch.from_numpy(score), strength_for_effective_size(law, torch.from_numpy(score), share))
    return guided.draw_rows(draws, torch.Generator().manual_seed(seed)).numpy()


def pick(world: World, score: np.ndarray, draws: int, seed: int) -> list[int]:
    """The best networks among what the guided generator draws, each by the cell that came first."""
    drawn = draw_guided(world, score, draws, seed)
    return world.distinct(drawn[best_first(score[drawn])])


def all_picks(world: World, labels: TaskLabels, seeds: int, draws: int) -> Iterator[tuple[str, list[list[int]]]]:
    """Each method's name and its picks, a list a seed, or one in all where chance has no part."""
    coarse = labels.take(np.flatnonzero(labels.coarse))
    model = fit_task_effects(world.table, list(GROUPS), coarse)
    mean = model.predict(world.cells)[0].numpy()
    drawn = [world.network[cell] for cell in draw_guided(world, mean, draws, 0)]
    print(f"{len(coarse)} of {len(labels)} labels are of the first source; {model.hyper}")
    best = world.space.format(world.cells[best_first(mean)[0]])
    print(f"{len(set(drawn))} networks in {draws} draws; the best predicted of all is {best}")
    yield "generator", [pick(world, mean, draws, seed) for seed in range(seeds)]
    rngs = [np.random.default_rng(seed) for seed in range(seeds)]
    again = [fit_task_effects(world.table, list(GROUPS), resampled(coarse, rng), model.hyper) for rng in rngs]
    means = [one.predict(world.cells)[0].numpy() for one in again]
    yield "generator, tasks resampled", [pick(world, one, draws, seed) for seed, one in enumerate(means)]
    yield "arg-max over all cells", [world.distinct(best_first(mean))]
    known = np.isin(np.arange(len(world.cells)), world.places(labels))
    yield "plain mean of cells with 3 rows", [best_first(plain_means(world, labels))[:PICKS].tolist()]
    for name, score in (
        ("ridge regression of labels", ridge(world, labels)),
        ("of labels, among cells that have one", np.where(known, ridge(world, labels), -np.inf)),
        ("ridge regression of cells' means", ridge(world, labels, of_means=True)),
    ):
        yield name, [best_first(score)[:PICKS].tolist()]
    rngs = [np.random.default_rng(seed) for seed in range(CHANCES)]
    yield (
        "random cells that have a row",
        [rng.choice(np.flatnonzero(known), PICKS, replace=False).tolist() for rng in rngs],
    )
    yield "random cells", [rng.choice(len(world.cells), PICKS, replace=False).tolist() for rng in rngs]


def best_so_far(accuracy: np.ndarray, picks: list[int]) -> np.ndarray:
    """The best accuracy on each data set after each count of `REPORTED`, one row a data set."""
    return np.maximum.accumulate(accuracy[:, picks], 1)[:, [min(count, len(picks)) - 1 for count in REPORTED]]


def without_the_best(world: World, accuracy: np.ndarray, labels: TaskLabels, networks: bool) -> TaskLabels:
    """The labels without those of the best cells of either data set, or of all cells that build the same networks."""
    best = np.unique([best_first(values)[: int(BEST_SHARE * len(world.cells))] for values in accuracy])
    gone = {world.network[cell] for cell in best} if networks else {world.cells[cell] for cell in best}
    kind = [world.network[cell] if networks else world.cells[cell] for cell in world.places(labels)]
    return labels.take(row for row, graph in enumerate(kind) if graph not in gone)


def report(labels: TaskLabels, seeds: int, draws: int) -> None:
    """A table for each set of labels: the best so far, mean over seeds and deviation between them."""
    world, tables = World.load(), [load_nasbench201(name) for name in DATA_SETS]
    accuracy = np.array([[table(cell)["test_accuracy"] for cell in world.cells] for table in tables])
    head = [f"{name}, {count}" for name in DATA_SETS for count in REPORTED]
    for title, kept in (
        ("All labels", labels),
        ("Labels of the best cells removed", without_the_best(world, accuracy, labels, networks=False)),
        ("Labels of the best networks removed", without_the_best(world, accuracy, labels, networks=True)),
    ):
        print(f"\n## {title}\n")
        lines = ["| best after | " + " | ".join(head) + " |", "|---|" + "---|" * len(head)]
        for name, picks in all_picks(world, kept, seeds, draws):
            found = np.stack([best_so_far(accuracy, one) for one in picks]).reshape(len(picks), -1)
            spread = [f" ± {deviation:.2f}" if len(picks) > 1 else "" for deviation in found.std(0)]
            cells = [f"{mean:.2f}{deviation}" for mean, deviation in zip(found.mean(0), spread, strict=True)]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print("\n" + "\n".join(lines), flush=True)


Predict = Callable[[TaskLabels, TaskLabels], np.ndarray]
"""From labels to learn from and labels to predict to predictions."""


def validate(labels: TaskLabels) -> None:
    """How well predictors rank labels of held-out tasks of the first source, less what their classes explain."""
    world, everything = World.load(), list(GROUPS)
    coarse = labels.take(np.flatnonzero(labels.coarse))
    apart = coarse.accuracy.mean() - labels.accuracy[~labels.coarse].mean()
    both = replace(labels, accuracy=labels.accuracy + np.where(labels.coarse, 0.0, apart))
    tasks = np.random.default_rng(0).permutation(np.unique(coarse.task))
    held = [set(tasks[fold::FOLDS].tolist()) for fold in range(FOLDS)]
    truth = []
    for some in held:
        known = fit_task_effects(world.table, everything, split(coarse, some)[0], TaskHyper())
        test = split(coarse, some)[1]
        truth.append(test.accuracy - known.difficulty(test.classes).numpy())
    print("| predictor | squared error | Spearman | in the upper half | mean of the top 5 % |\n|---|---|---|---|---|")
    for name, rows, predict in (
        ("all groups", coarse, effects_predictor(world, everything, coarse)),
        ("slots alone", coarse, effects_predictor(world, ["slots"], coarse)),
        ("all but slots", coarse, effects_predictor(world, everything[1:], coarse)),
        ("all groups, both sources", both, effects_predictor(world, everything, both)),
        ("ridge regression", coarse, lambda train, test: ridge(world, train)[world.places(test)]),
    ):
        found = [predict(split(rows, some)[0], split(coarse, some)[1]) for some in held]
        print(f"| {name} | {scores(np.concatenate(truth), np.concatenate(found))} |", flush=True)


def split(labels: TaskLabels, held: set[int]) -> tuple[TaskLabels, TaskLabels]:
    """The labels of the other tasks, and of the held-out ones."""
    out = np.array([task in held for task in labels.task.tolist()])
    return labels.take(np.flatnonzero(~out)), labels.take(np.flatnonzero(out))


def effects_predictor(world: World, groups: list[str], rows: TaskLabels) -> Predict:
    """Learns from each part of `rows` with the deviations that all of them give."""
    hyper = fit_task_effects(world.table, groups, rows).hyper
    return lambda train, test: fit_task_effects(world.table, groups, train, hyper).predict(test.graphs)[0].numpy()


def scores(truth: np.ndarray, found: np.ndarray) -> str:
    """The cells of a table: centred squared error, rank correlations, and what the best 5 % are above the mean."""
    y, f = truth - truth.mean(), found - found.mean()
    order = best_first(f)
    upper, top = order[: len(order) // 2], order[: len(order) // 20]
    ranks = [spearmanr(y[some], f[some])[0] for some in (order, upper)]
    return f"{np.mean((y - f) ** 2):.3f} | {ranks[0]:.3f} | {ranks[1]:.3f} | {y[top].mean():+.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=256, help="architectures that the generator draws")
    parser.add_argument("--labels", type=int, help="use only so many of the labels, drawn by chance")
    parser.add_argument("--validate", action="store_true", help="score predictors on held-out tasks instead")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    labels = load_task_labels()
    if arguments.labels:
        labels = labels.take(np.random.default_rng(0).permutation(len(labels))[: arguments.labels])
    if arguments.validate:
        validate(labels)
    else:
        report(labels, arguments.seeds, arguments.draws)
    print(f"\n{time.process_time():.0f} s of one core")


if __name__ == "__main__":
    main()
