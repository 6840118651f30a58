"""Speed of the parts of a campaign's step, each the best of a few runs on one thread.

    python benchmarks/throughput.py --space nas-bench-graph --steps 100

Prints one line a part: what, seconds, and a rate where one makes sense.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from archgen.diffusion.guidance import Guide
from archgen.diffusion.training import TrainingConfig, train_generator
from bo.acquisition import log_ei
from graphs.archgraph import ArchGraph
from graphs.spaces.catalogue import get_space
from predictors.wl_gp import WLGP, feature_table


def best_of(runs: int, work: Callable[[], object]) -> float:
    """The shortest wall time of `runs` calls, in seconds."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nas-bench-graph")
    parser.add_argument("--steps", type=int, default=100, help="training steps of the generator")
    parser.add_argument("--graphs", type=int, default=2000, help="graphs drawn and scored")
    parser.add_argument("--labels", type=int, default=100, help="labels of the surrogate")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space = get_space(arguments.space)
    started = time.perf_counter()
    generator = train_generator(space, TrainingConfig(steps=arguments.steps))
    seconds = time.perf_counter() - started
    print(f"train {arguments.steps} steps: {seconds:.2f} s, {1000 * seconds / arguments.steps:.1f} ms a step")
    rng = np.random.default_rng(0)
    seconds = best_of(3, lambda: generator.sample(arguments.graphs, seed=0))
    print(f"draw, 6 steps: {seconds:.2f} s, {arguments.graphs / seconds:.0f} graphs/s")
    labelled = [space.sample(rng) for _ in range(arguments.labels)]
    surrogate = WLGP(feature_table(space))
    values = rng.standard_normal(arguments.labels)
    print(f"fit {arguments.labels} labels: {best_of(3, lambda: surrogate.fit(labelled, values)):.2f} s")
    pool = [space.sample(rng) for _ in range(arguments.graphs)]
    best = surrogate.scale(float(values.max()))

    def improvement(graphs: Sequence[ArchGraph]) -> np.ndarray:
        found = surrogate.marginals(graphs)
        return log_ei(found.mean.reshape(-1), found.variance.reshape(-1), best).numpy()

    improvement(pool)
    seconds = best_of(3, lambda: improvement(pool))
    print(f"log-EI of {arguments.graphs} known graphs: {seconds:.3f} s, {arguments.graphs / seconds:.0f} graphs/s")
    guide = Guide(improvement, share=0.05, compete=True)
    seconds = best_of(3, lambda: generator.sample(64, seed=0, guide=guide))
    print(f"draw 64 guided by log-EI: {seconds:.2f} s, {64 / seconds:.0f} graphs/s")


if __name__ == "__main__":
    main()
