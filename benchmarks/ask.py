"""Seconds and memory of a step: a batch of four from a pool of about 2,000, with few and many trials known.

    python benchmarks/ask.py
    python benchmarks/ask.py --space nasbench201 --observed 200,2000 --asks 1000

The second part asks over and over at the same number of known trials and prints the growth of the process's memory.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch

from bo.records import History, Objective, Proposal, Trial
from bo.strategies import pool
from bo.strategies.model_based import ModelBased
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from predictors.wl_gp import WLGP, feature_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nas-bench-graph")
    parser.add_argument("--observed", default="200,2000")
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--asks", type=int, default=0, help="asks of the part on memory, each with 50 trials known")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    space = get_space(arguments.space)
    for observed in map(int, arguments.observed.split(",")):
        history = made_up(space, observed)
        strategy = build(space, arguments.pool)
        seconds, notes = [], {}
        for repeat in range(arguments.repeats):
            started = time.perf_counter()
            proposals, notes = strategy.propose(history, arguments.batch, np.random.default_rng(repeat))
            seconds.append(time.perf_counter() - started)
            assert len(proposals) == arguments.batch
        told = ", ".join(f"{one:.2f}" for one in seconds)
        print(f"{observed} observed, pool {sum(notes['pool'].values())}, batch {arguments.batch}: {told} s", flush=True)
    if arguments.asks:
        memory(space, arguments.asks)


def build(space: SearchSpace, size: int) -> ModelBased:
    """A strategy whose pool is about `size` random graphs."""
    table = feature_table(space)
    return ModelBased(space, space.canonical, lambda: WLGP(table), (pool.random_draws(space, round(1.3 * size)),))


def made_up(space: SearchSpace, count: int) -> History:
    """`count` different random trials with a smooth made-up score."""
    rng, trials = np.random.default_rng(0), dict[str, Trial]()
    while len(trials) < count:
        graph = space.sample(rng)
        value = sum(len(op.name) ** 2 % 97 for op in graph.ops) / 97 + 0.1 * float(rng.normal())
        number, identity = len(trials), space.canonical(graph)
        trials.setdefault(
            identity, Trial(number, number, Proposal(graph, "random"), str(number), identity, "done", {"score": value})
        )
    return History(tuple(trials.values()), Objective("score"))


def memory(space: SearchSpace, asks: int) -> None:
    """The largest resident set after a tenth of the asks and after all of them."""
    strategy, history = build(space, 200), made_up(space, 50)
    for number in range(asks):
        strategy.propose(history, 1, np.random.default_rng(number))
        if number + 1 in (asks // 10, asks // 2, asks):
            print(
                f"after {number + 1} asks: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most"
            )


if __name__ == "__main__":
    main()
