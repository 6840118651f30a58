"""Transfer: architectures for CIFAR-10 and CIFAR-100 from labels on small tasks, without one label of either.

    python experiments/transfer.py

A predictor is trained on the task labels alone. The generator is tilted towards its mean; of what it draws, the ten
networks that the predictor ranks highest are looked up. Both data sets get the same ten, as nothing tells them apart.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Int
from scipy.stats import spearmanr
from torch import Tensor

from archgen.diffusion.listed_law import ListedLaw, all_rows, strength_for_effective_size, tilted
from graphs.archgraph import ArchGraph
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.nasbench201 import load_nasbench201
from graphs.tables.task_labels import TaskLabels, load_task_labels
from predictors.feature_table import FeatureTable
from predictors.presence import Presence, fit_presence
from predictors.task_effects import TaskEffects, fit_task_effects
from predictors.wl_groups import GROUPS, wl_table

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


@dataclass(frozen=True, eq=False)
class World:
    """Everything but labels: the cells in a fixed order, and the number of the network that each builds."""

    space: NasBench201
    table: FeatureTable
    rows: Tensor
    cells: list[ArchGraph]
    network: Int[np.ndarray, " b"]
    place: dict[ArchGraph, int]

    @staticmethod
    def load() -> World:
        space = NasBench201()
        rows = all_rows(space.layout())
        cells = space.layout().write(rows)
        place = {cell: number for number, cell in enumerate(cells)}
        numbers = {space.network(graph): number for number, graph in enumerate(space.networks)}
        network = np.array([numbers[space.network(cell)] for cell in cells])
        return World(space, wl_table(space), rows, cells, network, place)

    def places(self, labels: TaskLabels) -> np.ndarray:
        """The cell's number of each label."""
        return np.array([self.place[graph] for graph in labels.graphs])

    def distinct(self, order: np.ndarray) -> list[int]:
        """The first `PICKS` cells of `order` that build different networks."""
        _, first = np.unique(self.network[order], return_index=True)
        return [int(order[at]) for at in np.sort(first)[:PICKS]]

    def predict(self, model: TaskEffects) -> np.ndarray:
        """The mean accuracy of each cell."""
        mean: np.ndarray = model.predict(self.space.networks)[0].numpy()[self.network]
        return mean


def some_labels(count: int | None) -> TaskLabels:
    """All labels of tasks, or so many of them, drawn by chance."""
    labels = load_task_labels()
    return labels if count is None else labels.take(np.random.default_rng(0).permutation(len(labels))[:count])


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
    predicted: np.ndarray = (every - x.mean(0)) @ weights + y.mean()
    return predicted


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
    """Cells from the law of the generator tilted by `score`; exact, since all cells can be listed. -inf forbids."""
    law = tilted(ListedLaw(world.rows, torch.zeros(len(world.rows))), torch.from_numpy(score), 0.0)
    share = math.exp(-SHARPNESS * law.entropy())
    guided = tilted(law, torch.from_numpy(score), strength_for_effective_size(law, torch.from_numpy(score), share))
    return guided.draw_rows(draws, torch.Generator().manual_seed(seed)).numpy()


def pick(world: World, score: np.ndarray, draws: int, seed: int) -> list[int]:
    """The best networks among what the guided generator draws, each by the cell that came first."""
    drawn = draw_guided(world, score, draws, seed)
    return world.distinct(drawn[best_first(score[drawn])])


def presence_of(world: World, labels: TaskLabels, unknown: np.ndarray) -> Presence:
    """Log odds that a cell is labelled; whether the cells `unknown` are is not told."""
    present = np.isin(np.arange(len(world.cells)), world.places(labels))
    told = np.setdiff1d(np.arange(len(world.cells)), unknown)
    layout = world.space.layout()
    return fit_presence(layout, [world.cells[cell] for cell in told], torch.from_numpy(present[told]))


Picks = Iterator[tuple[str, list[list[int]]]]
"""A method's name and its picks, a list a seed, or one in all where chance has no part."""


def guides(
    world: World, labels: TaskLabels, unknown: np.ndarray, seeds: int
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """What predictors of the labels of the first source say about all cells, and those of resampled tasks."""
    coarse, groups = labels.take(np.flatnonzero(labels.coarse)), list(GROUPS)
    presence = presence_of(world, coarse, unknown)
    model = fit_task_effects(world.table, groups, coarse, score=presence)
    mean = world.predict(model)
    blind = world.predict(fit_task_effects(world.table, groups, coarse, model.hyper))
    known = np.isin(np.arange(len(world.cells)), world.places(coarse))
    print(f"{len(coarse)} of {len(labels)} labels, those of the first source, on {known.sum()} cells; {model.hyper}")
    again = [resampled(coarse, np.random.default_rng(seed)) for seed in range(seeds)]
    models = [fit_task_effects(world.table, groups, one, model.hyper, presence) for one in again]
    found = {"": mean, " among labelled cells": np.where(known, mean, -np.inf), ", presence ignored": blind}
    return found, [world.predict(one) for one in models]


def generated(world: World, scores: dict[str, np.ndarray], again: list[np.ndarray], draws: int) -> Picks:
    """Picks of the generator, one list a seed, and of a ranking of all cells."""
    for name, score in scores.items():
        yield f"generator{name}", [pick(world, score, draws, seed) for seed in range(len(again))]
        if not name:
            yield "generator, tasks resampled", [pick(world, one, draws, seed) for seed, one in enumerate(again)]
    for name, score in scores.items():
        yield f"arg-max{name}", [world.distinct(best_first(score))]


def baselines(world: World, labels: TaskLabels) -> Picks:
    """Picks without a generator, from the labels of both sources."""
    known = np.isin(np.arange(len(world.cells)), world.places(labels))
    by_label = ridge(world, labels)
    for name, score in (
        ("plain mean of cells with 3 rows", plain_means(world, labels)),
        ("ridge regression", by_label),
        ("ridge regression, among labelled cells", np.where(known, by_label, -np.inf)),
        ("ridge regression of cells' means", ridge(world, labels, of_means=True)),
    ):
        yield name, [best_first(score)[:PICKS].tolist()]
    rngs = [np.random.default_rng(seed) for seed in range(CHANCES)]
    yield "random labelled cells", [rng.choice(np.flatnonzero(known), PICKS, replace=False).tolist() for rng in rngs]
    yield "random cells", [rng.choice(len(world.cells), PICKS, replace=False).tolist() for rng in rngs]


def best_so_far(accuracy: np.ndarray, picks: list[int]) -> np.ndarray:
    """The best accuracy on each data set after each count of `REPORTED`, one row a data set."""
    return np.maximum.accumulate(accuracy[:, picks], 1)[:, [min(count, len(picks)) - 1 for count in REPORTED]]


def describe(
    world: World, labels: TaskLabels, guiding: dict[str, np.ndarray], accuracy: np.ndarray, draws: int
) -> None:
    """What each score likes best, how varied the draws are, and how it ranks cells by their accuracy."""
    known = np.unique(world.places(labels))
    for name, score in guiding.items():
        best = world.space.format(world.cells[best_first(score)[0]])
        drawn = len(np.unique(world.network[draw_guided(world, score, draws, 0)]))
        print(f"arg-max{name}: {best}; {drawn} networks in {draws} draws")
        for data_set, values in zip(DATA_SETS, accuracy, strict=True):
            ranks = [spearmanr(score[some], values[some])[0] for some in (slice(None), known)]
            print(f"Spearman with {data_set}: {ranks[0]:.2f}, among labelled cells {ranks[1]:.2f}")


def best_cells(world: World, accuracy: np.ndarray, networks: bool) -> np.ndarray:
    """The best cells of either data set; with `networks` also all that build the same networks."""
    best = np.unique([best_first(values)[: int(BEST_SHARE * len(world.cells))] for values in accuracy])
    if not networks:
        return best
    return np.flatnonzero(np.isin(world.network, world.network[best]))


def accuracies(world: World) -> np.ndarray:
    """Of each cell on each data set."""
    tables = [load_nasbench201(name) for name in DATA_SETS]
    return np.array([[table(cell)["test_accuracy"] for cell in world.cells] for table in tables])


def report(world: World, labels: TaskLabels, seeds: int, draws: int) -> None:
    """A table for each set of labels: the best so far, mean over seeds and deviation between them."""
    accuracy = accuracies(world)
    head = [f"{name}, {count}" for name in DATA_SETS for count in REPORTED]
    for title, unknown in (
        ("All labels", np.array([], dtype=np.int64)),
        ("Labels of the best cells removed", best_cells(world, accuracy, networks=False)),
        ("Labels of the best networks removed", best_cells(world, accuracy, networks=True)),
    ):
        kept = labels.take(np.flatnonzero(~np.isin(world.places(labels), unknown)))
        print(f"\n## {title}\n")
        lines = ["| best after | " + " | ".join(head) + " |", "|---|" + "---|" * len(head)]
        guiding, again = guides(world, kept, unknown, seeds)
        describe(world, kept, guiding, accuracy, draws)
        for name, picks in chain(generated(world, guiding, again, draws), baselines(world, kept)):
            found = np.stack([best_so_far(accuracy, one) for one in picks]).reshape(len(picks), -1)
            spread = [f" ± {deviation:.2f}" if len(picks) > 1 else "" for deviation in found.std(0)]
            cells = [f"{mean:.2f}{deviation}" for mean, deviation in zip(found.mean(0), spread, strict=True)]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print("\n" + "\n".join(lines), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=256, help="architectures that the generator draws")
    parser.add_argument("--labels", type=int, help="use only so many of the labels, drawn by chance")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report(World.load(), some_labels(arguments.labels), arguments.seeds, arguments.draws)
    print(f"\n{time.process_time():.0f} s of one core")


if __name__ == "__main__":
    main()
