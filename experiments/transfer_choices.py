"""What the choices of transfer.py rest on: predictors on held-out tasks, without a look at CIFAR.

python experiments/transfer_choices.py
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import spearmanr
from transfer import World, best_first, presence_of, ridge, some_labels

from graphs.tables.task_labels import TaskLabels
from predictors.presence import Presence
from predictors.task_effects import TaskHyper, fit_task_effects
from predictors.wl_groups import GROUPS

FOLDS = 5
Predict = Callable[[TaskLabels, TaskLabels], np.ndarray]
"""From labels to learn from and labels to predict to predictions."""


def validate(world: World, labels: TaskLabels) -> None:
    """How well predictors rank labels of held-out tasks of the first source, less what their classes explain."""
    everything = list(GROUPS)
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
    counts = np.unique(world.places(coarse), return_counts=True)[1]
    print(f"{len(counts)} cells of about {pool_size(counts):.0f} from which they seem to be drawn")
    print("cells by labels: " + ", ".join(map(str, np.bincount(counts)[1:])))
    presence = presence_of(world, coarse, np.array([], dtype=np.int64))
    candidates = (
        ("all groups and presence", coarse, effects_predictor(world, everything, coarse, presence)),
        ("all groups", coarse, effects_predictor(world, everything, coarse)),
        ("slots alone", coarse, effects_predictor(world, ["slots"], coarse)),
        ("all but slots", coarse, effects_predictor(world, everything[1:], coarse)),
        ("all groups, both sources", both, effects_predictor(world, everything, both)),
        ("ridge regression", coarse, lambda train, test: ridge(world, train)[world.places(test)]),
    )
    print("| predictor | squared error | Spearman | in the upper half | mean of the top 5 % |\n|---|---|---|---|---|")
    for name, rows, predict in candidates:
        found = [predict(split(rows, some)[0], split(coarse, some)[1]) for some in held]
        print(f"| {name} | {scores(np.concatenate(truth), np.concatenate(found))} |", flush=True)


def pool_size(counts: np.ndarray) -> float:
    """How many cells there are to draw from, those never drawn included, if each is equally likely each time.

    The counts of those drawn are then Poisson without zeros; their mean gives the rate.
    """
    rate = float(counts.mean())
    for _ in range(1000):
        rate = counts.mean() * -math.expm1(-rate)
    return len(counts) / -math.expm1(-rate)


def split(labels: TaskLabels, held: set[int]) -> tuple[TaskLabels, TaskLabels]:
    """The labels of the other tasks, and of the held-out ones."""
    out = np.array([task in held for task in labels.task.tolist()])
    return labels.take(np.flatnonzero(~out)), labels.take(np.flatnonzero(out))


def effects_predictor(world: World, groups: list[str], rows: TaskLabels, presence: Presence | None = None) -> Predict:
    """Learns from each part of `rows` with the deviations that all of them give; tells where its best cells are."""
    model = fit_task_effects(world.table, groups, rows, score=presence)
    best = best_first(world.predict(model))[:100]
    print(f"of the 100 best predicted cells {np.isin(best, world.places(rows)).sum()} are labelled; {model.hyper}")

    def predict(train: TaskLabels, test: TaskLabels) -> np.ndarray:
        fitted = fit_task_effects(world.table, groups, train, model.hyper, presence)
        return fitted.predict(test.graphs)[0].numpy()

    return predict


def scores(truth: np.ndarray, found: np.ndarray) -> str:
    """The cells of a table: centred squared error, rank correlations, and what the best 5 % are above the mean."""
    y, f = truth - truth.mean(), found - found.mean()
    order = best_first(f)
    upper, top = order[: len(order) // 2], order[: len(order) // 20]
    ranks = [spearmanr(y[some], f[some])[0] for some in (order, upper)]
    return f"{np.mean((y - f) ** 2):.3f} | {ranks[0]:.3f} | {ranks[1]:.3f} | {y[top].mean():+.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, help="use only so many of the labels, drawn by chance")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    validate(World.load(), some_labels(arguments.labels))
    print(f"\n{time.process_time():.0f} s of one core")


if __name__ == "__main__":
    main()
