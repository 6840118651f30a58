"""Searches by training-free metrics on random subsets of NAS-Bench-201's cells, with published metrics or with ours.

    python experiments/metric_ranks.py
    python experiments/metric_ranks.py --scores zero_cost.csv
    python experiments/metric_ranks.py --choose

Objective: validation accuracy on CIFAR-10 after 12 epochs. --choose judges by that after 200 epochs, on other seeds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from robot import CHOSEN_BY, OBJECTIVE, POOLS, SETTINGS, TESTED, best_of, our_table, search
from zero_cost import published_table

from graphs.tables.nasbench201 import load_nasbench201
from predictors.metric_ranks import BELIEFS, RankBeliefs, rank_search
from predictors.robot import ranking, scaled

NINE = list(POOLS["nine"])
SIZES = {"1,000 cells": 1000, "half of the cells": None}
FIRST_CHOICE = 1000
"""The first of the seeds on which choices are made."""
Search = Callable[[pd.DataFrame, int, int], int]
"""Cells, queries and a seed to the row that is found."""
TRIED = (
    RankBeliefs(linear=0.8),
    RankBeliefs(linear=1.5),
    RankBeliefs(local=0.2),
    RankBeliefs(local=1.0),
    RankBeliefs(length=0.7),
    RankBeliefs(noise=0.2),
    RankBeliefs(noise=0.05),
    RankBeliefs(confidence=2.0),
    RankBeliefs(confidence=0.5),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--scores", type=Path, help="CSV of our metrics, in place of the published ones")
    parser.add_argument("--choose", action="store_true", help="compare settings, on other seeds and validation alone")
    parser.add_argument("--without-robot", action="store_true", help="leave out RoBoT, which takes seconds a search")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    cells = our_table(arguments.scores) if arguments.scores else published_table()
    cells = cells.dropna(subset=NINE).reset_index(drop=True)
    valid = load_nasbench201("cifar10")
    cells[CHOSEN_BY] = valid.column("valid_accuracy")[[valid.rows[arch] for arch in cells["arch"]]]
    started, names = time.process_time(), (CHOSEN_BY,) if arguments.choose else TESTED
    first = FIRST_CHOICE if arguments.choose else 0
    for title, size in SIZES.items():
        if size is not None and size >= len(cells):
            continue
        print(f"\n{title}\n\n| found by | {' | '.join(names)} |\n{'|---' * (1 + len(names))}|")
        subsets = [subset(cells, size, seed) for seed in range(first, first + arguments.seeds)]
        for name, found_by in searches(arguments.choose, not arguments.without_robot).items():
            gaps = [
                some[list(names)].max() - some.loc[found_by(some, arguments.queries, first + place), list(names)]
                for place, some in enumerate(subsets)
            ]
            parts = [f"{np.mean(gap):.3f} ± {np.std(gap):.3f}" for gap in np.array(gaps).T]
            print(f"| {name} | {' | '.join(parts)} |", flush=True)
    print(f"\n{time.process_time() - started:.0f} s of one core")


def subset(cells: pd.DataFrame, size: int | None, seed: int) -> pd.DataFrame:
    """Cells drawn by chance, as many as asked or half of them."""
    return cells.sample(n=size or len(cells) // 2, random_state=seed).reset_index(drop=True)


def searches(choose: bool, with_robot: bool) -> Mapping[str, Search]:
    """What is compared, by name."""
    found: dict[str, Search] = {f"process on ranks, {pool} metrics": by_ranks(names) for pool, names in POOLS.items()}
    if choose:
        found |= {f"the same, nine, {changed(one)}": by_ranks(NINE, one) for one in TRIED}
    if with_robot:
        found[f"RoBoT, {SETTINGS[0]}"] = lambda cells, queries, seed: search(cells, SETTINGS[0], queries, seed)[0]
    return found | {
        "the best of nine metrics in hindsight": hindsight,
        "flops": lambda cells, queries, _: best_of(cells, first_by(cells, "flops"), queries),
        "mean of nine metrics, ranks": lambda cells, queries, _: best_of(
            cells, ranking(scaled(cells[NINE].to_numpy(), "ranks"), np.ones(len(NINE))), queries
        ),
        "random cells": lambda cells, queries, seed: best_of(
            cells, np.random.default_rng(seed).permutation(len(cells)), queries
        ),
        "the objective of all cells": lambda cells, _, __: int(cells[OBJECTIVE].argmax()),
    }


def by_ranks(names: tuple[str, ...] | list[str], beliefs: RankBeliefs = BELIEFS) -> Search:
    """A search over the ranks of some metrics."""

    def found(cells: pd.DataFrame, queries: int, _: int) -> int:
        objective = cells[OBJECTIVE].to_numpy()
        return rank_search(cells[list(names)].to_numpy(), lambda row: float(objective[row]), queries, beliefs).best

    return found


def hindsight(cells: pd.DataFrame, queries: int, _: int) -> int:
    """The best that any of nine metrics finds alone, by the objective."""
    found = [best_of(cells, first_by(cells, name), queries) for name in NINE]
    return max(found, key=lambda row: float(cells[OBJECTIVE][row]))


def first_by(cells: pd.DataFrame, name: str) -> np.ndarray:
    return np.argsort(-cells[name].to_numpy(), kind="stable")


def changed(beliefs: RankBeliefs) -> str:
    """What differs from the default."""
    return ", ".join(f"{name} {value}" for name, value in vars(beliefs).items() if value != vars(BELIEFS)[name])


if __name__ == "__main__":
    main()
