"""Predictors of networks that latency_measurements.py measured, and transfer between its runtimes; for latency.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from latency_measurements import LOOKUP
from latency_scores import REFERENCES, Score, judged, print_scores
from torch import Tensor

from graphs.spaces.nasbench201 import NasBench201
from predictors.latency.features import LatencyFeatures
from predictors.latency.predictor import fit_latency
from predictors.latency.transfer import choose_references, device_rows


def measured(table: pd.DataFrame, seeds: Sequence[int], labels: int) -> None:
    """Predictors and the look-up table on each runtime, and transfer from the first runtime to the others."""
    space, features = NasBench201(), LatencyFeatures(NasBench201())
    cells = table["arch"].drop_duplicates().tolist()
    rows = features([space.parse(cell) for cell in cells])
    runs = {runtime: Runs.of(part, cells) for runtime, part in table.groupby("runtime", sort=False)}
    first = next(iter(runs.values()))
    print("| on | from | Spearman | worst seed | within 10 % | inside 80 % intervals |\n" + "|---" * 6 + "|")
    for runtime, found in runs.items():
        print_scores(f"{runtime} | a second measurement", [Score.of(found.again, found.latency)])
        ratio = float((found.blocks / found.latency).median())
        print_scores(
            f"{runtime} | blocks summed, {ratio:.2f} times the latency", [Score.of(found.blocks, found.latency)]
        )
        splits = [split(len(cells), seed, labels) for seed in seeds]
        scaled = [blocks_on_a_line(found, *halves) for halves in splits]
        print_scores(f"{runtime} | blocks summed, on a line through {REFERENCES} networks", scaled)
        means = [(found.latency[known].mean().expand(len(asked)), found.latency[asked]) for known, asked in splits]
        print_scores(f"{runtime} | the mean of {labels} networks", [Score.of(*one) for one in means])
        print_scores(
            f"{runtime} | {labels} networks", [judged(features.sizes, rows, found.latency, *one) for one in splits]
        )
        if found is not first:
            moved = [other_runtime(features, rows, first, found, *halves) for halves in splits]
            print_scores(f"{runtime} | {REFERENCES} networks, and {labels} on {next(iter(runs))}", moved)
            few = [judged(features.sizes, rows, found.latency, known[:REFERENCES], asked) for known, asked in splits]
            print_scores(f"{runtime} | {REFERENCES} networks alone", few)


@dataclass(frozen=True, eq=False)
class Runs:
    """Milliseconds of each network on one runtime: two measurements of it, and the sum over its blocks."""

    latency: Float[Tensor, " b"]
    again: Float[Tensor, " b"]
    blocks: Float[Tensor, " b"]

    @staticmethod
    def of(table: pd.DataFrame, cells: Sequence[str]) -> Runs:
        """Medians over every other pass."""
        wide = table.pivot(index="arch", columns="pass", values="milliseconds").loc[list(cells)]
        passes = sorted((name for name in wide.columns if name != LOOKUP), key=int)
        halves = [wide[passes[start::2]].median(axis=1) for start in (0, 1)]
        return Runs(*(torch.tensor(column.to_numpy()) for column in (*halves, wide[LOOKUP])))


def split(count: int, seed: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Networks to learn from, and the others."""
    order = np.random.default_rng(seed).permutation(count)
    return order[:labels], order[labels:]


def blocks_on_a_line(runs: Runs, known: np.ndarray, asked: np.ndarray) -> Score:
    """What is between blocks costs the same in each network, and blocks alone are faster by one factor."""
    some = known[:REFERENCES]
    slope, fixed = np.polyfit(runs.blocks[some], runs.latency[some], 1)
    return Score.of(slope * runs.blocks[asked] + fixed, runs.latency[asked])


def other_runtime(
    features: LatencyFeatures, rows: Float[Tensor, "b d"], first: Runs, new: Runs, known: np.ndarray, asked: np.ndarray
) -> Score:
    """Ten measurements on a new runtime, among the networks that were measured on the first one."""
    told = fit_latency(features.sizes, rows[known], first.latency[known]).predict(rows)[0]
    seen = device_rows(told[:, None], features.weighed(rows))
    references = known[choose_references(seen.rows[known], REFERENCES).numpy()]
    return judged(seen.sizes, seen.rows, new.latency, references, asked)
