"""How long the default predictor takes to learn and to score.

    python benchmarks/prediction.py --threads 2

Labels are a made-up function of the network with noise, so that every space can be asked; times do not depend on what
it is. Graphs to be scored are drawn at random: repeats come where a space has fewer than are asked for.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from archgen.testing.objective import made_up_value
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from graphs.spaces.catalogue import SPACES, get_space
from predictors.predictor import Predictor

USUAL = ("nasbench201", "nas-bench-graph", "ofa-mobilenetv3", "free-dag")
NOISE = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", action="append", choices=list(SPACES), help="the four usual ones unless given")
    parser.add_argument("--labels", type=int, nargs="*", default=[200, 2000])
    parser.add_argument("--scored", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, {arguments.scored:,} graphs scored")
    print("space              labels      fit    score  together")
    for name in arguments.space or USUAL:
        space = get_space(name)
        asked = draw(space, arguments.scored, seed=1)
        for labels in arguments.labels:
            fitted, scored = seconds(space, labels, asked)
            print(f"{name:<18} {labels:>6} {fitted:>6.1f} s {scored:>6.1f} s {fitted + scored:>7.1f} s", flush=True)


def draw(space: SearchSpace, count: int, seed: int) -> list[ArchGraph]:
    """Random graphs."""
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def seconds(space: SearchSpace, labels: int, asked: list[ArchGraph]) -> tuple[float, float]:
    """Of a fit and of scoring, by a predictor that has met no graph before."""
    graphs = draw(space, labels, seed=0)
    noise = np.random.default_rng(2).normal(0, NOISE, labels)
    values = np.array([made_up_value(space, graph) for graph in graphs]) + noise
    started = time.perf_counter()
    predictor = Predictor(space).fit(graphs, values)
    fitted = time.perf_counter()
    mean = predictor.predict(asked).mean
    ended = time.perf_counter()
    assert bool(mean.isfinite().all())
    return fitted - started, ended - fitted


if __name__ == "__main__":
    main()
