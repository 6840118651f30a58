"""Campaigns where no arg-max over the whole space is possible: Once-for-All MobileNetV3 under 300 M MACs.

    python experiments/large_space.py space --seeds 20
    python experiments/large_space.py pool --seeds 20

space: all 2.2e19 subnets. The objective is a process on slots, fitted on all measured subnets, in the place of
training; MACs are exact. Besides the named strategies stands `random-pool`: the campaign's own surrogate and
acquisition over `--pool` random subnets under the bound, to be set so that a query takes as long as one of `archgen`.

pool: the measured subnets under 300 M MACs alone; how many queries until the best of them.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from archgen.properties import known_costs
from archgen.session import open_campaign
from bo.campaign import Campaign
from bo.records import History, Objective, Proposal, Trial
from bo.strategies import pool
from bo.strategies.early_exit import Bounds
from bo.strategies.model_based import ModelBased
from bo.strategies.strategy import Strategy
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space
from graphs.tables.ofa_mobilenetv3 import load_subnets
from predictors.feature_table import FeatureTable
from predictors.slot_features import slot_features
from predictors.slot_gp import fit_slot_gp
from predictors.wl_gp import WLGP, feature_table

SPACE, BOUND = "ofa-mobilenetv3", Condition("macs", "<=", 300.0)
RANDOM_POOL = "random-pool"
Evaluate = Callable[[ArchGraph], Mapping[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("space", "pool"))
    parser.add_argument("--strategies", default=f"random,evolution,linas,archgen-mutation,{RANDOM_POOL},archgen")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--pool", type=int, default=1000, help="random subnets a step of random-pool")
    parser.add_argument("--generator-steps", type=int, help="training of archgen's generator")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    if arguments.what == "pool":
        queries_to_best(seeds)
    else:
        compare(arguments, seeds)
    print(f"\n{time.process_time():.0f} s of one core")


def compare(arguments: argparse.Namespace, seeds: Sequence[int]) -> None:
    """The best accuracy after a quarter, a half and all of the queries."""
    evaluate, marks = judge(), [max(1, arguments.queries // part) for part in (4, 2, 1)]
    print("| strategy | " + " | ".join(f"{mark} queries" for mark in marks) + " | from the generator | s a query |")
    print("|---|" + "---|" * (len(marks) + 2))
    for strategy in arguments.strategies.split(","):
        best, origins, seconds = [], list[str](), 0.0
        for seed in seeds:
            started = time.process_time()
            history = search(strategy, seed, arguments, evaluate)
            seconds += time.process_time() - started
            curve = history.best_so_far()
            best.append([curve[mark - 1] for mark in marks])
            origins += [trial.proposal.origin for trial in history.trials]
        share = 100 * origins.count("generator") / len(origins)
        cells = [spread(column) for column in np.array(best).T]
        print(f"| {strategy} | {' | '.join(cells)} | {share:.0f} % | {seconds / len(origins):.2f} |", flush=True)


def search(strategy: str, seed: int, arguments: argparse.Namespace, evaluate: Evaluate) -> History:
    """One campaign."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_campaign(
            Path(folder),
            space=SPACE,
            task="judge",
            strategy="archgen-mutation" if strategy == RANDOM_POOL else strategy,
            seed=seed,
            maximize="accuracy",
            subject_to=BOUND.text,
            own_evaluator=True,
            generator_steps=arguments.generator_steps if strategy == "archgen" else None,
        ) as campaign,
    ):
        if strategy == RANDOM_POOL:
            campaign.strategy = random_pool(campaign, arguments.pool)
        campaign.run(evaluate, arguments.queries)
        return campaign.history


def random_pool(campaign: Campaign, count: int) -> Strategy:
    """Bayesian optimisation over `count` random subnets that keep the bound."""
    space, table = campaign.space, feature_table(campaign.space)
    bounds = Bounds(campaign.config.constraints, campaign.costs)
    keeping = 1 / np.mean([bounds.allow(space.sample(np.random.default_rng(k))) for k in range(500)])
    source = pool.random_draws(space, round(count * keeping))
    return ModelBased(space, campaign.identify, lambda: WLGP(table), (source,), costs=campaign.costs, bounds=bounds)


def judge() -> Evaluate:
    """Accuracy in percent as the process of all measured subnets predicts it."""
    layout, subnets = layout_of(get_space(SPACE)), load_subnets()
    features = slot_features(layout.sizes, groups=layout.parts, shared=layout.alike, attributes=layout.attributes)
    model = fit_slot_gp(features, layout.read(subnets.graphs), torch.from_numpy(subnets.top1))
    return lambda graph: {"accuracy": float(model.predict(layout.read([graph]))[0])}


def queries_to_best(seeds: Sequence[int]) -> None:
    """How many of the measured subnets are asked until the best of those under the bound."""
    space, subnets = get_space(SPACE), load_subnets()
    macs = known_costs(space, None)["macs"]
    accuracy: dict[ArchGraph, list[float]] = {}
    for graph, value in zip(subnets.graphs, subnets.top1, strict=True):
        if BOUND.holds(macs(graph)):
            accuracy.setdefault(graph, []).append(float(value))
    graphs, top = list(accuracy), max(float(np.mean(values)) for values in accuracy.values())
    print(f"{len(graphs)} measured subnets have {BOUND.text} M; the best has {top:.3f} %\n")
    table = feature_table(space)
    asked = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        first = [graphs[k] for k in rng.permutation(len(graphs))[:10]]
        asked.append(until_best(first, graphs, accuracy, table, top, seed))
    print(f"wl-gp: {spread(np.array(asked, dtype=float))} queries, at most {max(asked)}")
    print(f"random: {(len(graphs) + 1) / 2:.0f} in the mean")


def until_best(
    first: Sequence[ArchGraph],
    graphs: Sequence[ArchGraph],
    accuracy: Mapping[ArchGraph, Sequence[float]],
    table: FeatureTable,
    top: float,
    seed: int,
) -> int:
    """The number of queries of one campaign whose first ones are given."""
    space = get_space(SPACE)
    strategy = ModelBased(space, space.format, lambda: WLGP(table), (pool.listed(graphs),), len(first))
    trials: list[Trial] = []
    waiting = list(first)
    while True:
        graph = waiting.pop(0) if waiting else _next(strategy, trials, seed)
        metrics = {"accuracy": float(np.mean(accuracy[graph]))}
        number, arch = len(trials), space.format(graph)
        trials.append(Trial(number, number, Proposal(graph, "listed"), arch, arch, "done", metrics))
        if metrics["accuracy"] == top:
            return len(trials)


def _next(strategy: Strategy, trials: Sequence[Trial], seed: int) -> ArchGraph:
    history = History(tuple(trials), Objective("accuracy"))
    ((proposal,), _) = strategy.propose(history, 1, np.random.default_rng([seed, len(trials)]))
    return proposal.graph


def spread(values: np.ndarray) -> str:
    """Mean and standard error."""
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{values.mean():.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
