"""Accuracies on tasks of real images that were not learned from, from images of the task alone.

    python experiments/conditioned_images.py --labels image_tasks.csv

A task is three of CIFAR-10's classes; small networks of NAS-Bench-201's cells are trained on it. Accuracies that the
file lacks are measured and added. Predictors read 20 images a class, each as a thumbnail of 4 x 4 pixels.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from conditioned_tasks import inside_groups
from PIL import Image
from scipy.stats import spearmanr
from task_methods import NETWORK_GROUPS
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from graphs.networks.nasbench201 import CellNetwork
from graphs.spaces.nasbench201 import NasBench201
from predictors.conditioned.datasets import ClassSets, ItemSets, Pairs
from predictors.conditioned.gp import fit_dataset_gp
from predictors.conditioned.graph_vectors import GraphVectors
from predictors.conditioned.kernel import PairKernel, Relation, nearness
from predictors.conditioned.network import fit_dataset_network
from predictors.feature_table import FeatureTable
from predictors.wl_groups import GROUPS, TERMS

TASKS = tuple(itertools.combinations(range(10), 3))
SIDE, CHANNELS, BATCH, STEPS, RATE = 16, 8, 64, 80, 0.1
"""Pixels of an image, channels of the first of three stages of one cell each, and how a network is trained."""
ITEMS, THUMBNAIL = 20, 4
FOLDS = 5
Split = tuple[np.ndarray, np.ndarray]
Means = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Rows to learn from, rows asked and a seed to the means of the latter."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="CSV file of accuracies, made or added to")
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--cells", type=int, default=4, help="networks trained on each task")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = load("train")
    measure(arguments.labels, arguments.tasks, arguments.cells, images, labels)
    table = pd.read_csv(arguments.labels, dtype={"task": str}).head(arguments.tasks * arguments.cells)
    started = time.perf_counter()
    report(table, thumbnails(images, labels), range(arguments.seeds))
    print(f"\n{time.perf_counter() - started:.0f} s")


def load(part: str) -> tuple[Tensor, Tensor]:
    """Images of mean 0 and deviation 1, and their classes."""
    data = np.load(Path(os.environ["ARCHGEN_DATA"]) / "images" / "cifar10_jpeg_6k.npz")
    blob, offsets, labels = (data[f"{part}_{name}"] for name in ("bytes", "offsets", "labels"))
    images = []
    for start, end in itertools.pairwise(offsets):
        with Image.open(io.BytesIO(blob[start:end].tobytes())) as image:
            images.append(np.asarray(image.convert("RGB"), dtype=np.float32))
    pixels = adaptive_avg_pool2d(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), SIDE)
    return (pixels - pixels.mean()) / pixels.std(), torch.from_numpy(labels).long()


def measure(file: Path, tasks: int, cells: int, images: Tensor, labels: Tensor) -> None:
    """Train what the file lacks; the same rows in the same order each time."""
    space, rng, started = NasBench201(), np.random.default_rng(0), time.perf_counter()
    order = rng.permutation(len(TASKS))[:tasks]
    wanted = [(TASKS[task], space.sample(rng)) for task in order for _ in range(cells)]
    known = len(pd.read_csv(file)) if file.exists() else 0
    tested = load("test")
    with file.open("a", newline="") as opened:
        rows = csv.writer(opened)
        if not known:
            rows.writerow(["task", "arch", "accuracy"])
        for task, cell in wanted[known:]:
            torch.manual_seed(0)
            network = CellNetwork(cell, 3, channels=CHANNELS, cells=1)
            accuracy = trained(network, some(images, labels, task), some(*tested, task))
            rows.writerow(["".join(map(str, task)), space.format(cell), f"{accuracy:.4f}"])
            opened.flush()
    print(f"{max(len(wanted) - known, 0)} networks trained in {time.perf_counter() - started:.0f} s", flush=True)


def some(images: Tensor, labels: Tensor, task: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The images of a task, their classes numbered within it."""
    chosen = torch.isin(labels, torch.tensor(task))
    return images[chosen], torch.searchsorted(torch.tensor(task), labels[chosen])


def trained(network: CellNetwork, known: tuple[Tensor, Tensor], asked: tuple[Tensor, Tensor]) -> float:
    """Test accuracy in percent after training by SGD with a cosine rate."""
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        batch = torch.randint(len(known[1]), (BATCH,))
        optimiser.zero_grad()
        cross_entropy(network(known[0][batch]), known[1][batch]).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return 100 * float((network.eval()(asked[0]).argmax(1) == asked[1]).float().mean())


def thumbnails(images: Tensor, labels: Tensor) -> list[Tensor]:
    """The first images of each class, a row an image; numbers of mean 0 and deviation 1."""
    small = adaptive_avg_pool2d(images, THUMBNAIL).flatten(1)
    small = (small - small.mean(0)) / small.std(0)
    return [small[labels == number][:ITEMS] for number in range(10)]


def report(table: pd.DataFrame, items: list[Tensor], seeds: range) -> None:
    """Tasks that are new, and tasks with a class that no task learned from has."""
    tasks = [tuple(map(int, name)) for name in table["task"].unique()]
    place = torch.tensor(pd.factorize(table["task"])[0])
    graphs = tuple(map(NasBench201().parse, table["arch"]))
    by_items = Pairs(graphs, place, ItemSets.of([[items[number] for number in task] for task in tasks]))
    by_number = Pairs(graphs, place, ClassSets.of([[number + 1 for number in task] for task in tasks], 10))
    y = torch.tensor(table["accuracy"].to_numpy()).double()
    methods = {
        "set encoder of images": network(by_items, y),
        "set encoder of class numbers": network(by_number, y),
        "GP, images": process(by_items, y, nearness),
        "GP, tasks differ": process(by_items, y, None),
    }
    print(f"{len(tasks)} tasks, {len(y)} accuracies, {y.mean():.1f} ± {y.std():.1f}")
    for title, splits in (("new tasks", new_tasks), ("new classes", new_classes)):
        print(f"\n| {title} | Spearman | within tasks | RMSE |\n|---|---|---|---|")
        for name, method in methods.items():
            found = [score(method, splits(table, seed), y.numpy(), place.numpy(), seed) for seed in seeds]
            cells = [
                f"{m:.{d}f} ± {s:.{d}f}" for m, s, d in zip(np.mean(found, 0), np.std(found, 0), (2, 2, 1), strict=True)
            ]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def network(pairs: Pairs, y: Tensor) -> Means:
    groups = {name: GROUPS[name] for name in NETWORK_GROUPS}

    def means(train: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
        known = pairs.take(torch.from_numpy(train))
        vectors = GraphVectors.of(NasBench201(), groups, known.graphs)
        model = fit_dataset_network(vectors, known, y[torch.from_numpy(train)], seed=seed)
        return model.predict(pairs.take(torch.from_numpy(asked))).mean.numpy()

    return means


def process(pairs: Pairs, y: Tensor, relation: Relation | None) -> Means:
    table = FeatureTable(NasBench201(), GROUPS)

    def means(train: np.ndarray, asked: np.ndarray, _: int) -> np.ndarray:
        rows = torch.from_numpy(train)
        model = fit_dataset_gp(PairKernel(table, TERMS, relation), pairs.take(rows), y[rows])
        return model.predict(pairs.take(torch.from_numpy(asked))).mean.numpy()

    return means


def new_tasks(table: pd.DataFrame, seed: int) -> Iterator[Split]:
    """Folds of tasks."""
    tasks = np.random.default_rng(seed).permutation(table["task"].unique())
    for fold in range(FOLDS):
        held = table["task"].isin(tasks[fold::FOLDS]).to_numpy()
        yield np.flatnonzero(~held), np.flatnonzero(held)


def new_classes(table: pd.DataFrame, seed: int) -> Iterator[Split]:
    """Pairs of classes: the tasks that have one of them, from the tasks that have none."""
    for pair in np.random.default_rng(seed).permutation(10).reshape(FOLDS, 2):
        held = table["task"].str.contains(f"[{pair[0]}{pair[1]}]").to_numpy()
        yield np.flatnonzero(~held), np.flatnonzero(held)


def score(method: Means, splits: Iterator[Split], y: np.ndarray, place: np.ndarray, seed: int) -> list[float]:
    """Means over the splits of Spearman over all rows and inside tasks, and of the root mean squared error."""
    rows = []
    for train, asked in splits:
        mean = method(train, asked, seed)
        inside = inside_groups(mean, y[asked], place[asked], 2)
        rows.append([float(spearmanr(mean, y[asked])[0]), inside, float(np.sqrt(np.mean((mean - y[asked]) ** 2)))])
    return np.mean(rows, 0).tolist()


if __name__ == "__main__":
    main()
