"""Our zero-cost metrics of NAS-Bench-201 cells on CIFAR-10 images, and how they rank cells beside the published ones.

    python experiments/zero_cost.py --cells 1000 --cache zero_cost.csv

Values are added to the file that --cache names cell by cell; a second run goes on where the first one stopped.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch.nn.functional import cross_entropy

from graphs.errors import EvaluationError
from graphs.networks.nasbench201 import CellNetwork
from graphs.spaces.nasbench201 import NasBench201
from predictors.zero_cost.catalogue import METRICS
from predictors.zero_cost.minibatch import Minibatch

PUBLISHED = {"jacob_cov": "jacov", "naswot": "nwot", "macs": "flops"}
"""Names of metrics in the published table where they differ from ours."""
ACCURACIES = ("cifar10_valid_acc_12ep", "cifar10_test_acc_200ep", "cifar100_test_acc_200ep")
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""Of the channels of CIFAR-10."""
FAILED = -1e8
"""What the published table holds in place of a metric that failed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000, help="how many, drawn by chance")
    parser.add_argument("--batch", type=int, default=16, help="images in the minibatch")
    parser.add_argument("--cache", type=Path, required=True, help="CSV file of values, made or added to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    published = published_table()
    cells = published["arch"].iloc[np.random.default_rng(0).permutation(len(published))[: arguments.cells]].tolist()
    batch = minibatch(arguments.batch)
    images, labels = tuple(batch.inputs[0].shape), batch.targets.bincount().tolist()
    print(f"images {images}, of each class {labels}")
    compute(cells, batch, arguments.cache)
    compare(pd.read_csv(arguments.cache).drop_duplicates("arch").set_index("arch").loc[cells], published)


def published_table() -> pd.DataFrame:
    """The published metrics beside the accuracies, a row a cell; failed metrics are NaN."""
    folder = Path(os.environ["ARCHGEN_DATA"])
    metrics = pd.read_csv(folder / "nasbench201_hardware" / "zero_cost_cifar10.csv").replace(FAILED, np.nan)
    accuracy = pd.read_csv(folder / "nasbench201" / "nasbench201.csv")
    return metrics.merge(accuracy[["arch", *ACCURACIES]], on="arch", validate="one_to_one")


def minibatch(size: int) -> Minibatch:
    """Training images drawn by chance, scaled to mean 0 and deviation 1 a channel."""
    data = np.load(Path(os.environ["ARCHGEN_DATA"]) / "images" / "cifar10_jpeg_6k.npz")
    blob, offsets, labels = (data[f"train_{name}"] for name in ("bytes", "offsets", "labels"))
    chosen = np.random.default_rng(0).choice(len(labels), size, replace=False)
    images = []
    for place in chosen:
        with Image.open(io.BytesIO(blob[offsets[place] : offsets[place + 1]].tobytes())) as image:
            images.append(np.asarray(image.convert("RGB"), dtype=np.float32) / 255)
    scaled = (np.stack(images) - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return Minibatch(
        (torch.from_numpy(scaled).permute(0, 3, 1, 2).contiguous(),), torch.from_numpy(labels[chosen]).long()
    )


def compute(cells: list[str], batch: Minibatch, cache: Path) -> None:
    """Add the metrics of cells that the file lacks; an empty field is a metric that failed."""
    known = set(pd.read_csv(cache)["arch"]) if cache.exists() else set()
    spent: dict[str, float] = defaultdict(float)
    missing, space = [cell for cell in cells if cell not in known], NasBench201()
    with cache.open("a", newline="") as file:
        rows = csv.writer(file)
        if not known:
            rows.writerow(["arch", *METRICS])
        for cell in missing:
            torch.manual_seed(0)
            network, values = CellNetwork(space.parse(cell)), []
            for name, metric in METRICS.items():
                started = time.process_time()
                try:
                    values.append(repr(metric(network, batch, cross_entropy)))
                except EvaluationError:
                    values.append("")
                spent[name] += time.process_time() - started
            rows.writerow([cell, *values])
            file.flush()
    if missing:
        each = ", ".join(f"{name} {1000 * seconds / len(missing):.0f}" for name, seconds in spent.items())
        print(f"{len(missing)} cells in {sum(spent.values()):.0f} s of one core; milliseconds a cell: {each}")


def compare(ours: pd.DataFrame, published: pd.DataFrame) -> None:
    """A row a metric: how many failed, and Spearman correlations over the cells where neither failed."""
    theirs = published.set_index("arch").loc[ours.index]
    heads = ["metric", "failed", "with the published one"]
    heads += [f"{whose} with {name}" for name in ACCURACIES for whose in ("ours", "published")]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for metric in METRICS:
        mine, other = ours[metric], theirs[PUBLISHED.get(metric, metric)]
        row = [ranks_alike(mine, other)]
        row += [ranks_alike(values, theirs[name]) for name in ACCURACIES for values in (mine, other)]
        print(f"| {metric} | {int(mine.isna().sum())} | " + " | ".join(f"{value:.3f}" for value in row) + " |")


def ranks_alike(left: pd.Series, right: pd.Series) -> float:
    """Spearman's correlation where both have a value."""
    both = left.notna() & right.notna()
    return float(spearmanr(left[both], right[both])[0]) if both.sum() > 1 else math.nan


if __name__ == "__main__":
    main()
