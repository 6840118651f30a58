"""Predictors of accuracy on tasks that they have not seen, from the classes of the task; see dataset_conditioned.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr
from task_methods import (
    RIDGE_OPERATIONS,
    Found,
    Labels,
    Method,
    centred,
    centred_method,
    effects_method,
    fit_network,
    gp_method,
    network_method,
    ridge_method,
    shifted,
)
from transfer import DATA_SETS, accuracies

from predictors.conditioned.datasets import Pairs, StatisticVectors
from predictors.conditioned.gp import DatasetGP, fit_dataset_gp
from predictors.conditioned.kernel import PairKernel, Relation, overlap
from predictors.task_effects import fit_task_effects
from predictors.wl_groups import GROUPS, TERMS

FOLDS = 5
DEVELOPMENT = 1000
"""Seed of the split on which hyper-parameters are learned and choices were made."""
TASKS_OF_MEAN = 30
"""Tasks over which the network's prediction for CIFAR is averaged."""
DIGITS = (3, 3, 3, 3, 2, 3, 1)


def splits(labels: Labels, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows of the held-out tasks, fold by fold."""
    tasks = np.random.default_rng(seed).permutation(np.unique(labels.raw.task))
    for fold in range(FOLDS):
        held = np.isin(labels.raw.task, tasks[fold::FOLDS])
        yield np.flatnonzero(~held), np.flatnonzero(held)


def learned_gp(labels: Labels, relation: Relation | None) -> DatasetGP:
    train, _ = next(splits(labels, DEVELOPMENT))
    kernel, rows = PairKernel(labels.world.table, TERMS, relation), torch.from_numpy(train)
    return fit_dataset_gp(kernel, labels.pairs.take(rows), labels.less_source(train)[rows])


def methods(labels: Labels, with_classes: DatasetGP, offsets: DatasetGP) -> dict[str, Method]:
    """By name; hyper-parameters are learned on the split for development."""
    train, _ = next(splits(labels, DEVELOPMENT))
    alike = fit_dataset_gp(PairKernel(labels.world.table, TERMS, None), *centred(labels, train))
    effects = fit_task_effects(labels.world.table, list(GROUPS), shifted(labels, train).take(train))
    return {
        "GP on cells and classes": gp_method(labels, with_classes),
        "set encoder": network_method(labels),
        "additive effects (`TaskEffects`)": effects_method(labels, effects),
        "ridge on operations and classes": ridge_method(labels, operations=True, classes=True),
        "classes alone, ridge": ridge_method(labels, operations=False, classes=True),
        "GP on cells with task offsets": gp_method(labels, offsets),
        "GP on cells, labels less the task's mean": centred_method(labels, alike),
        "ridge on operations": ridge_method(labels, operations=True, classes=False),
    }


def out_of_fold(labels: Labels, method: Method, seed: int) -> tuple[Found, np.ndarray, np.ndarray]:
    """What each row is predicted to be when its task is held out; the labels; and the number of the fold."""
    parts, y, number = np.empty((3, len(labels.raw))), np.empty(len(labels.raw)), np.empty(len(labels.raw), dtype=int)
    for fold, (train, test) in enumerate(splits(labels, seed)):
        found = method(train, test, seed)
        parts[:, test] = found.mean, found.surprise, found.inside
        y[test], number[test] = labels.less_source(train)[torch.from_numpy(test)].numpy(), fold
    return Found(*parts), y, number


def scores(labels: Labels, found: Found, y: np.ndarray, fold: np.ndarray) -> list[float]:
    """Spearman and Kendall over all; Spearman inside tasks of 3 rows and inside cells of 2; errors, NLL, coverage."""
    mean = found.mean
    return [
        float(spearmanr(mean, y)[0]),
        float(kendalltau(mean, y)[0]),
        inside_groups(mean, y, labels.raw.task, 3),
        inside_groups(mean, y, labels.cell * FOLDS + fold, 2),
        float(np.sqrt(np.mean((mean - y) ** 2))),
        float(np.mean(found.surprise)),
        100 * float(np.mean(found.inside)),
    ]


def inside_groups(mean: np.ndarray, y: np.ndarray, group: np.ndarray, fewest: int) -> float:
    """Spearman of what is left when each group's mean is taken away, over groups of at least so many rows."""
    _, group, count = np.unique(group, return_inverse=True, return_counts=True)
    kept = count[group] >= fewest
    parts = [(one - (np.bincount(group, one) / count)[group])[kept] for one in (mean, y)]
    if not kept.any() or np.ptp(parts[0]) < 1e-9:
        return float("nan")
    return float(spearmanr(*parts)[0])


def report(labels: Labels, seeds: list[int]) -> None:
    """The table of held-out tasks, and that of CIFAR."""
    with_classes, offsets = learned_gp(labels, overlap), learned_gp(labels, None)
    print(f"GP on cells and classes: {with_classes.kernel.strengths()}")
    print("| predictor | Spearman | Kendall | within tasks | within cells | RMSE | NLL | in 80 % |\n|---|" + 7 * "---|")
    for name, method in methods(labels, with_classes, offsets).items():
        rows = [scores(labels, *out_of_fold(labels, method, seed)) for seed in seeds]
        cells = [f"{m:.{d}f} ± {s:.{d}f}" for m, s, d in zip(np.mean(rows, 0), np.std(rows, 0), DIGITS, strict=True)]
        print(f"| {name} | " + " | ".join("" if "nan" in cell else cell for cell in cells) + " |", flush=True)
    report_cifar(labels, with_classes, offsets)


def report_cifar(labels: Labels, with_classes: DatasetGP, offsets: DatasetGP) -> None:
    """Spearman of the mean over tasks with the accuracy on CIFAR, over all cells."""
    world, train = labels.world, np.arange(len(labels.raw))
    pairs, y, truth = labels.pairs, labels.less_source(train), accuracies(world)
    mean_task = StatisticVectors(pairs.datasets.vectors().mean(0, keepdim=True))
    networks = tuple(world.space.networks)
    at_mean = Pairs(networks, torch.zeros(len(networks), dtype=torch.int64), mean_task)
    conditioned, shared = (model.given(pairs, y).predict(at_mean).mean.numpy() for model in (with_classes, offsets))
    some = torch.from_numpy(np.random.default_rng(0).permutation(len(pairs.datasets))[:TASKS_OF_MEAN])
    asked = Pairs(networks * len(some), some.repeat_interleave(len(networks)), pairs.datasets)
    encoded = fit_network(labels, train, 0).predict(asked).mean.view(len(some), -1).mean(0).numpy()
    x = labels.operations
    some_x = x[labels.cell] - x[labels.cell].mean(0)
    weights = np.linalg.solve(some_x.T @ some_x + RIDGE_OPERATIONS * np.eye(x.shape[1]), some_x.T @ y.numpy())
    known = np.unique(labels.cell)
    print("\n| mean over tasks | " + " | ".join(f"{d}, all cells | {d}, labelled cells" for d in DATA_SETS) + " |")
    print("|---|---|---|---|---|")
    for name, score in (
        ("GP on cells and classes", conditioned[world.network]),
        ("GP on cells with task offsets", shared[world.network]),
        ("set encoder", encoded[world.network]),
        ("ridge on operations", x @ weights),
    ):
        ranks = [spearmanr(score[part], values[part])[0] for values in truth for part in (slice(None), known)]
        print(f"| {name} | " + " | ".join(f"{rank:.2f}" for rank in ranks) + " |", flush=True)
