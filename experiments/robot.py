"""RoBoT on NAS-Bench-201 with published zero-cost metrics, or with those that experiments/zero_cost.py computed.

    python experiments/robot.py
    python experiments/robot.py --scores zero_cost.csv
    python experiments/robot.py --choose

The objective is the validation accuracy on CIFAR-10 after 12 epochs, on either data set; test accuracies are reported.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from zero_cost import PUBLISHED, published_table

from graphs.tables.nasbench201 import load_nasbench201
from predictors.metric_ranks import rank_search
from predictors.robot import SCALES, ranking, robot, scaled

OBJECTIVE = "cifar10_valid_acc_12ep"
TESTED = ("cifar10_test_acc_200ep", "cifar100_test_acc_200ep")
CHOSEN_BY = "cifar10_valid_acc_200ep"
SIX = ("grad_norm", "snip", "grasp", "fisher", "synflow", "jacov")
"""The metrics of the released script."""
POOLS = {
    "six": SIX,
    "nine": (*SIX, "nwot", "params", "flops"),
}
CHANCES = 1000
"""Seeds of the baselines that are mere chance."""


@dataclass(frozen=True)
class Setting:
    """A pool of metrics and how RoBoT treats it."""

    pool: str
    scale: str
    gap: bool

    def __str__(self) -> str:
        return f"{self.pool} metrics, {self.scale}" + (", log gap" if self.gap else "")


SETTINGS = (Setting("six", "min-max", False), Setting("six", "ranks", False), Setting("nine", "ranks", False))
"""What --choose finds to be best, which is that of the released script; the paper's scale; that with more metrics."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--scores", type=Path, help="CSV of our metrics, in place of the published ones")
    parser.add_argument("--choose", action="store_true", help="compare settings, on other seeds and validation alone")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    cells = our_table(arguments.scores) if arguments.scores else published_table()
    cells = cells.dropna(subset=list(POOLS["nine"])).reset_index(drop=True)
    if arguments.choose:
        choose(cells, arguments.queries, arguments.seeds)
    else:
        report(cells, arguments.queries, arguments.seeds)
    print(f"\n{time.process_time():.0f} s of one core")


def our_table(path: Path) -> pd.DataFrame:
    """Our metrics under the published names, beside the accuracies."""
    ours = pd.read_csv(path).rename(columns=PUBLISHED)
    ours["synflow"] = np.log(ours["synflow"])  # as the published one
    return ours.merge(published_table()[["arch", OBJECTIVE, *TESTED]], on="arch")


def search(cells: pd.DataFrame, setting: Setting, queries: int, seed: int) -> tuple[int, int]:
    """The row that RoBoT finds, and the queries that the search for weights took."""
    metrics, objective = cells[list(POOLS[setting.pool])].to_numpy(), cells[OBJECTIVE].to_numpy()
    found = robot(metrics, lambda row: float(objective[row]), queries, seed=seed, scale=setting.scale, gap=setting.gap)
    return found.best, found.explored


def report(cells: pd.DataFrame, queries: int, seeds: int) -> None:
    """A row a method, mean and deviation of the test accuracies."""
    best = ", ".join(f"{cells[name].max():.2f}" for name in TESTED)
    print(f"{len(cells)} cells, best {best}; {queries} queries\n")
    print("| method | cifar10 | cifar100 | queries to find weights |\n|---|---|---|---|")
    for setting in SETTINGS:
        found = [search(cells, setting, queries, seed) for seed in range(seeds)]
        explored = np.mean([one[1] for one in found])
        row(f"RoBoT, {setting}", cells.loc[[one[0] for one in found], list(TESTED)].to_numpy(), f"{explored:.1f}")
    for pool, names in POOLS.items():
        found = rank_search(cells[list(names)].to_numpy(), cells[OBJECTIVE].to_numpy().__getitem__, queries)
        row(f"process on ranks, {pool} metrics", cells.loc[[found.best], list(TESTED)].to_numpy())
    for name, order in baselines(cells):
        row(name, cells.loc[[best_of(cells, order, queries)], list(TESTED)].to_numpy())
    row("the best objective of all", cells.loc[[int(cells[OBJECTIVE].argmax())], list(TESTED)].to_numpy())
    draws = [np.random.default_rng(seed).permutation(len(cells)) for seed in range(CHANCES)]
    row("random cells of these", cells.loc[[best_of(cells, one, queries) for one in draws], list(TESTED)].to_numpy())
    whole_space(queries)


def baselines(cells: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Orders in which cells are asked: by each metric alone, by the mean of the metrics of a pool."""
    for name in POOLS["nine"]:
        yield f"best of the first by {name}", np.argsort(-cells[name].to_numpy(), kind="stable")
    for pool in ("six", "nine"):
        names = list(POOLS[pool])
        for scale in ("min-max", "ranks"):
            columns = scaled(cells[names].to_numpy(), scale)
            yield f"mean of {pool} metrics, {scale}", ranking(columns, np.ones(len(names)))


def best_of(cells: pd.DataFrame, order: np.ndarray, queries: int) -> int:
    """Of the first cells of an order the one with the best objective."""
    some = order[:queries]
    return int(some[np.argmax(cells[OBJECTIVE].to_numpy()[some])])


def whole_space(queries: int) -> None:
    """Random cells of all 15,625, and the first by exact MACs, ties broken by chance."""
    cells = pd.read_csv(Path(os.environ["ARCHGEN_DATA"]) / "nasbench201" / "nasbench201.csv")
    rngs = [np.random.default_rng(seed) for seed in range(CHANCES)]
    orders = [rng.permutation(len(cells)) for rng in rngs]
    by_macs = [order[np.argsort(-cells["macs_millions"].to_numpy()[order], kind="stable")] for order in orders]
    for name, some in (("random cells of all", orders), ("best of the first by MACs of all", by_macs)):
        row(name, cells.loc[[best_of(cells, order, queries) for order in some], list(TESTED)].to_numpy())


def row(name: str, accuracy: Float[np.ndarray, "s 2"], explored: str = "") -> None:
    spread = [f" ± {deviation:.2f}" if len(accuracy) > 1 else "" for deviation in accuracy.std(0)]
    cells = [f"{mean:.2f}{deviation}" for mean, deviation in zip(accuracy.mean(0), spread, strict=True)]
    print(f"| {name} | {' | '.join(cells)} | {explored} |", flush=True)


def choose(cells: pd.DataFrame, queries: int, seeds: int) -> None:
    """Settings on random halves of the cells, seeds from 1000 on: how far from the best validation accuracy."""
    valid = load_nasbench201("cifar10")
    at = [valid.rows[arch] for arch in cells["arch"]]
    cells[CHOSEN_BY] = valid.column("valid_accuracy")[at]
    print("| setting | gap in validation accuracy after 200 epochs | worst |\n|---|---|---|")
    for setting in [Setting(pool, scale, gap) for pool in POOLS for scale in SCALES for gap in (False, True)]:
        gaps = []
        for seed in range(1000, 1000 + seeds):
            half = cells.sample(frac=0.5, random_state=seed).reset_index(drop=True)
            gaps.append(half[CHOSEN_BY].max() - half[CHOSEN_BY][search(half, setting, queries, seed)[0]])
        print(f"| {setting} | {np.mean(gaps):.2f} ± {np.std(gaps):.2f} | {np.max(gaps):.2f} |", flush=True)


if __name__ == "__main__":
    main()
