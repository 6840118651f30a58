"""Predictors of labels of tasks, all called in one way; see conditioned_tasks.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transfer import World, some_labels

from graphs.tables.task_labels import TaskLabels
from predictors.conditioned.datasets import ClassSets, Pairs, StatisticVectors
from predictors.conditioned.gp import DatasetGP
from predictors.conditioned.graph_vectors import GraphVectors
from predictors.conditioned.network import DatasetNetwork, fit_dataset_network
from predictors.prediction import Prediction
from predictors.task_effects import TaskEffects, fit_task_effects
from predictors.wl_groups import GROUPS

CLASS_NUMBERS = 600
NETWORK_GROUPS = ("slots", "wl0", "wl1", "first", "last", "shape")
RIDGE_CLASSES, RIDGE_OPERATIONS = 0.7, 1.0
FARTHEST = 20.0
"""Surprise of a label counts as that of one this many deviations away at most."""


@dataclass(frozen=True, eq=False)
class Labels:
    """All labels as pairs, the mean of each of the two sources taken away as `less_source` says."""

    world: World
    raw: TaskLabels
    pairs: Pairs
    cell: Int[np.ndarray, " n"]

    @staticmethod
    def load(world: World, count: int | None) -> Labels:
        raw = some_labels(count)
        _, first, place = np.unique(raw.task, return_index=True, return_inverse=True)
        sets = ClassSets.of([raw.classes[row].tolist() for row in first], CLASS_NUMBERS)
        return Labels(world, raw, Pairs(raw.graphs, torch.from_numpy(place), sets), world.places(raw))

    def less_source(self, train: Int[np.ndarray, " m"]) -> Float[Tensor, " n"]:
        """Accuracies less the mean that their source has among the rows to learn from."""
        found = self.raw.accuracy.copy()
        for source in (True, False):
            here = self.raw.coarse == source
            known = np.isin(np.arange(len(found)), train) & here
            found[here] -= self.raw.accuracy[known].mean() if known.any() else self.raw.accuracy[here].mean()
        return torch.from_numpy(found)

    @property
    def operations(self) -> Float[np.ndarray, "n e"]:
        every: np.ndarray = np.eye(5)[self.world.rows.numpy()].reshape(len(self.world.cells), -1)
        return every


@dataclass(frozen=True, eq=False)
class Found:
    """Predicted means; log scores and hits of the 80 % interval where a method has them."""

    mean: np.ndarray
    surprise: np.ndarray
    inside: np.ndarray

    @staticmethod
    def of(prediction: Prediction, labels: Tensor) -> Found:
        surprise = prediction.surprise(labels).clamp(max=FARTHEST**2 / 2)
        low, high = prediction.interval(0.8)
        inside = ((labels >= low) & (labels <= high)).double()
        return Found(prediction.mean.numpy(), surprise.numpy(), inside.numpy())

    @staticmethod
    def plain(mean: np.ndarray) -> Found:
        return Found(mean, np.full(len(mean), np.nan), np.full(len(mean), np.nan))


Method = Callable[[Int[np.ndarray, " m"], Int[np.ndarray, " k"], int], Found]
"""From rows to learn from, rows to predict and a seed."""


def gp_method(labels: Labels, model: DatasetGP) -> Method:
    def run(train: np.ndarray, test: np.ndarray, _seed: int) -> Found:
        y, rows, asked = labels.less_source(train), torch.from_numpy(train), torch.from_numpy(test)
        return Found.of(model.given(labels.pairs.take(rows), y[rows]).predict(labels.pairs.take(asked)), y[asked])

    return run


def centred_method(labels: Labels, model: DatasetGP) -> Method:
    """Architectures alone, from labels less the mean of their task where it has others; tasks are one data set."""

    def run(train: np.ndarray, test: np.ndarray, _seed: int) -> Found:
        pairs, y = centred(labels, train)
        asked = alone(labels.pairs.take(torch.from_numpy(test)))
        return Found.plain(model.given(pairs, y).predict(asked).mean.numpy())

    return run


def network_method(labels: Labels) -> Method:
    def run(train: np.ndarray, test: np.ndarray, seed: int) -> Found:
        y, asked = labels.less_source(train), torch.from_numpy(test)
        return Found.of(fit_network(labels, train, seed).predict(labels.pairs.take(asked)), y[asked])

    return run


def ridge_method(labels: Labels, operations: bool, classes: bool) -> Method:
    """Linear regression on operations of the edges, on classes, or both."""

    def run(train: np.ndarray, test: np.ndarray, _seed: int) -> Found:
        return Found.plain(ridge(labels, train, operations, classes)[test])

    return run


def effects_method(labels: Labels, model: TaskEffects) -> Method:
    """Additive effects of networks and classes."""

    def run(train: np.ndarray, test: np.ndarray, _seed: int) -> Found:
        fitted = fit_task_effects(labels.world.table, list(GROUPS), shifted(labels, train).take(train), model.hyper)
        mean = fitted.predict([labels.raw.graphs[row] for row in test])[0]
        return Found.plain((mean + fitted.difficulty(labels.raw.classes[test])).numpy())

    return run


def centred(labels: Labels, train: np.ndarray) -> tuple[Pairs, Tensor]:
    """Those of tasks with several rows to learn from, less the task's mean."""
    y, place = labels.less_source(train).numpy(), labels.pairs.place.numpy()
    count, total = np.bincount(place[train]), np.bincount(place[train], y[train])
    rows = train[count[place[train]] > 1]
    least = y[rows] - total[place[rows]] / count[place[rows]]
    return alone(labels.pairs.take(torch.from_numpy(rows))), torch.from_numpy(least)


def alone(pairs: Pairs) -> Pairs:
    """The same architectures, all on one data set."""
    return Pairs(pairs.graphs, torch.zeros(len(pairs), dtype=torch.int64), StatisticVectors(torch.zeros(1, 1)))


def shifted(labels: Labels, train: np.ndarray) -> TaskLabels:
    """Labels as `TaskEffects` takes them."""
    raw = labels.raw
    return TaskLabels(raw.task, raw.graphs, labels.less_source(train).numpy(), raw.classes, raw.coarse)


def ridge(labels: Labels, train: np.ndarray, operations: bool, classes: bool) -> np.ndarray:
    """Predictions for all rows."""
    parts = []
    if operations:
        parts.append(labels.operations[labels.cell] / np.sqrt(RIDGE_OPERATIONS))
    if classes:
        vectors = labels.pairs.datasets.vectors().numpy()
        parts.append(vectors[labels.pairs.place.numpy()] / np.sqrt(RIDGE_CLASSES))
    x, y = np.concatenate(parts, 1), labels.less_source(train).numpy()
    centre, level = x[train].mean(0), y[train].mean()
    some = x[train] - centre
    weights = np.linalg.solve(some.T @ some + np.eye(x.shape[1]), some.T @ (y[train] - level))
    found: np.ndarray = (x - centre) @ weights + level
    return found


def fit_network(labels: Labels, train: np.ndarray, seed: int) -> DatasetNetwork:
    pairs, y = labels.pairs.take(torch.from_numpy(train)), labels.less_source(train)[torch.from_numpy(train)]
    groups = {name: GROUPS[name] for name in NETWORK_GROUPS}
    return fit_dataset_network(GraphVectors.of(labels.world.space, groups, pairs.graphs), pairs, y, seed=seed)
