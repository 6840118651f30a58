"""Auto-GNN's search and GraphNAS on NAS-Bench-Graph, with what their parts are worth: the table of auto_gnn.md.

    python experiments/auto_gnn.py
    python experiments/auto_gnn.py --choose --first-seed 1000

Regret in validation accuracy, in points, after a half and the whole of the queries; campaigns without a store.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from bo.records import History, Objective, Trial
from bo.strategies.auto_gnn import AutoGnn
from bo.strategies.controller import Learning
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.graphnas import GraphNas
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import Strategy
from graphs.layout import Layout, layout_of
from graphs.tables.nas_bench_graph import load_nas_bench_graph
from graphs.tables.table import BenchmarkTable

Make = Callable[[int], Strategy]
"""A strategy for a campaign's seed."""
PUBLISHED = Learning(rate=3.5e-4)
"""As GraphNAS's released code has it."""
RATES = (3.5e-4, 0.003, 0.01, 0.03)
"""Those that --choose compares."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="cora,cs", help="data sets, separated by commas")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument(
        "--choose", action="store_true", help="compare ways to learn, for other seeds than the report's"
    )
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    tables = {task: load_nas_bench_graph(task) for task in arguments.tasks.split(",")}
    layout = layout_of(next(iter(tables.values())).space)
    variants = candidates(layout) if arguments.choose else compared(layout)
    print(f"NAS-Bench-Graph, {arguments.queries} queries, seeds {seeds[0]} to {seeds[-1]}\n")
    columns = [f"{task} at {at}" for task in tables for at in (arguments.queries // 2, arguments.queries)]
    print(f"| strategy | {' | '.join(columns)} | less than random | ms a query |\n|---|{'---|' * (len(columns) + 2)}")
    chance = np.zeros(0)
    for name, make in variants.items():
        begun = time.process_time()
        regrets = np.array([[run(make, table, seed, arguments.queries) for seed in seeds] for table in tables.values()])
        spent = 1000 * (time.process_time() - begun) / (regrets.shape[0] * regrets.shape[1] * arguments.queries)
        chance = chance if len(chance) else regrets[:, :, 1]
        cells = [told(regrets[task, :, at]) for task in range(len(tables)) for at in (0, 1)]
        gained = told((chance - regrets[:, :, 1]).mean(0))
        print(f"| {name} | {' | '.join(cells)} | {gained} | {spent:.0f} |", flush=True)
    print(f"\n{time.process_time():.0f} s of one core")


def run(make: Make, table: BenchmarkTable, seed: int, queries: int) -> tuple[float, float]:
    """The regret of a campaign at half of its queries, and at its end."""
    objective, strategy, trials = Objective(table.objective), make(seed), tuple[Trial, ...]()
    for step in range(queries):
        rng = np.random.default_rng([seed, step])
        ((proposal,), _) = strategy.propose(History(trials, objective), 1, rng)
        identity = table.space.canonical(proposal.graph)
        trials += (Trial(step, step, proposal, "", identity, "done", table(proposal.graph)),)
    best, curve = table.best(table.objective), History(trials, objective).best_so_far()
    return best - curve[queries // 2 - 1], best - curve[-1]


def told(values: Float[np.ndarray, " s"]) -> str:
    """The mean and its standard error."""
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{values.mean():.3f} ± {error:.3f}"


def compared(layout: Layout) -> Mapping[str, Make]:
    """The strategies as they are, as published, and without their parts; random search first."""
    space, identify = layout.space, layout.space.canonical
    auto_gnn, graphnas = AutoGnn(layout, identify), GraphNas(layout, identify)
    return {
        "random": lambda _: RandomSearch(space, identify),
        "evolution": lambda _: RegularisedEvolution(space, identify),
        "Auto-GNN": seeded(auto_gnn),
        "a random class mutated": seeded(replace(auto_gnn, guided=False)),
        "every child accepted": seeded(replace(auto_gnn, conservative=False)),
        "neither": seeded(replace(auto_gnn, guided=False, conservative=False)),
        "all classes mutated": seeded(replace(auto_gnn, mutated=2)),
        "nothing learned": seeded(replace(auto_gnn, learning=Learning(rate=0.0))),
        "the published rate": seeded(replace(auto_gnn, learning=PUBLISHED)),
        "GraphNAS": seeded(graphnas),
        "GraphNAS, the published rate": seeded(replace(graphnas, learning=PUBLISHED)),
    }


def candidates(layout: Layout) -> Mapping[str, Make]:
    """Ways to learn."""
    identify = layout.space.canonical
    found: dict[str, Make] = {"random": lambda _: RandomSearch(layout.space, identify)}
    for rate in RATES:
        learning = Learning(rate)
        found[f"Auto-GNN, rate {rate:g}"] = seeded(AutoGnn(layout, identify, learning))
        found[f"GraphNAS, rate {rate:g}"] = seeded(GraphNas(layout, identify, learning))
    found["Auto-GNN, 10 random trials first"] = seeded(AutoGnn(layout, identify, initial=10))
    return found


def seeded(strategy: AutoGnn | GraphNas) -> Make:
    """The strategy with a campaign's seed."""
    return partial(_with_seed, strategy)


def _with_seed(strategy: AutoGnn | GraphNas, seed: int) -> Strategy:
    return replace(strategy, seed=seed)


if __name__ == "__main__":
    main()
