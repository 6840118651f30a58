"""The compared strategies against what was published of them: the tables of multi_objective.md.

    python experiments/multi_objective.py hypervolume    # LINAS, NSGA-II and random draws on Once-for-All
    python experiments/multi_objective.py regret         # BANANAS, regularised evolution and random draws
    python experiments/multi_objective.py evolution      # the same without BANANAS, for more seeds
    python experiments/multi_objective.py robot          # RoBoT and random draws, 20 queries
    python experiments/multi_objective.py early-exit     # NSGA-II with and without early exit by known costs

Differences are to the last row with the same seed. On Once-for-All accuracy is a surrogate, a ridge fitted on all
measured subnets, and MACs are exact; on NAS-Bench-201 everything is looked up.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from archgen.compared import build_linas, build_nsga2, build_robot
from archgen.properties import known_costs
from bo.pareto import hypervolume, nadir
from bo.records import CampaignConfig, History, Objective, Trial
from bo.strategies.bananas import Bananas
from bo.strategies.early_exit import UNBOUNDED, Bounds
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import Strategy
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tables.nasbench201 import load_nasbench201
from graphs.tables.ofa_mobilenetv3 import load_subnets
from predictors.encodings import Encodings
from predictors.path_members import fit_path_members
from predictors.ridge import fit_ridge

ACCURACY, MACS, PARAMS = "accuracy", "macs", "params"
MOST_PARAMS = 0.4
"""Millions of parameters of a NAS-Bench-201 network that are allowed; a third of the cells keep it."""
Evaluate = Callable[[ArchGraph], Mapping[str, float]]


@dataclass(frozen=True)
class Problem:
    """What is searched."""

    space: SearchSpace
    evaluate: Evaluate
    objectives: tuple[Objective, ...]
    constraints: tuple[Condition, ...] = ()

    @property
    def start(self) -> History:
        return History((), self.objectives[0], self.objectives[1:], self.constraints)

    def config(self, seed: int = 0) -> CampaignConfig:
        first, *others = self.objectives
        task = "cifar10" if self.space.name == "nasbench201" else "imagenet"
        return CampaignConfig(
            self.space.name, task, "", first, seed, others=tuple(others), constraints=self.constraints
        )

    def run(self, strategy: Strategy, budget: int, seed: int, batch: int = 1, enough: float = np.inf) -> History:
        """A campaign without a store; it ends early where the first objective has reached `enough`."""
        history, step = self.start, 0
        while len(history.trials) < budget and (history.best is None or history.gain(history.best) < enough):
            rng = np.random.default_rng([seed, step])
            proposals, _ = strategy.propose(history, min(batch, budget - len(history.trials)), rng)
            trials = [
                Trial(number, step, one, "", self.space.canonical(one.graph), "done", self.evaluate(one.graph))
                for number, one in enumerate(proposals, start=len(history.trials))
            ]
            history, step = History((*history.trials, *trials), *self._rest), step + 1
        return history

    @property
    def _rest(self) -> tuple[Objective, tuple[Objective, ...], tuple[Condition, ...]]:
        return self.objectives[0], self.objectives[1:], self.constraints


def main() -> None:
    parts = {
        "hypervolume": compare_hypervolumes,
        "regret": compare_regrets,
        "evolution": partial(compare_regrets, with_bananas=False),
        "robot": compare_robot,
        "early-exit": compare_early_exit,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, help="of each campaign, as published unless given")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    print(f"{arguments.part}, seeds {seeds[0]} to {seeds[-1]}\n")
    parts[arguments.part](seeds, arguments.queries)
    print(f"\n{time.process_time():.0f} s of one core")


def compare_hypervolumes(seeds: Sequence[int], queries: int | None) -> None:
    """Accuracy and MACs on Once-for-All."""
    space, budget = get_space("ofa-mobilenetv3"), queries or 250
    layout, subnets = layout_of(space), load_subnets()
    truth = fit_ridge(layout.sizes, layout.read(subnets.graphs).numpy(), subnets.top1)

    def evaluate(graph: ArchGraph) -> dict[str, float]:
        return {ACCURACY: float(truth(layout.read([graph]).numpy())[0]), MACS: space.costs(graph)[MACS]}

    problem = Problem(space, evaluate, (Objective(ACCURACY), Objective(MACS, maximize=False)))
    config, identify = problem.config(), space.canonical
    modelled = build_linas(space, config, identify, Bounds((), {MACS: known_costs(space, None)[MACS]}))
    strategies = {
        "random": RandomSearch(space, identify),
        "nsga2": build_nsga2(space, config, identify, UNBOUNDED),
        "linas, MACs predicted too": type(modelled)(layout, identify, partial(fit_ridge, layout.sizes)),
        "linas": modelled,
    }
    marks = [mark for mark in (50, 100, 200, 250) if mark <= budget] or [budget]
    measured = {ACCURACY: subnets.top1, MACS: subnets.macs / 1e6}
    reference = nadir(measured, problem.objectives)
    point = [one.gain({one.metric: reference[f"reference_point/{one.metric}"]}) for one in problem.objectives]
    found = {
        name: np.array([volumes(problem, one, seed, marks, point) for seed in seeds])
        for name, one in strategies.items()
    }
    print_table("hypervolume at", marks, found, 1, -1)


def volumes(
    problem: Problem, strategy: Strategy, seed: int, marks: Sequence[int], point: Sequence[float]
) -> list[float]:
    """Hypervolumes after each of some numbers of queries."""
    history = problem.run(strategy, marks[-1], seed, batch=10)
    gains = np.array([history.gains(trial) for trial in history.done])
    return [hypervolume(gains[:mark], point) for mark in marks]


def compare_regrets(seeds: Sequence[int], queries: int | None, with_bananas: bool = True) -> None:
    """Validation accuracy on NAS-Bench-201, CIFAR-10 after 200 epochs."""
    table, budget = load_nasbench201("cifar10"), queries or 150
    space, metric = table.space, table.objective
    problem, top = Problem(space, table, (Objective(metric),)), table.best(metric)
    strategies: dict[str, Strategy] = {
        "random": RandomSearch(space, space.canonical),
        "evolution": RegularisedEvolution(space, space.canonical),
    }
    if with_bananas:
        strategies["bananas"] = Bananas(space, space.canonical, partial(fit_path_members, Encodings(space)))
    marks = [mark for mark in (30, 50, 100, 150) if mark <= budget] or [budget]

    def regrets(strategy: Strategy, seed: int) -> list[float]:
        curve = problem.run(strategy, budget, seed, enough=top).best_so_far()
        return [top - curve[min(mark, len(curve)) - 1] for mark in marks]

    found = {name: np.array([regrets(one, seed) for seed in seeds]) for name, one in strategies.items()}
    print_table("regret at", marks, found, 3, -1)


def compare_robot(seeds: Sequence[int], queries: int | None) -> None:
    """Test accuracy of what 20 queries of a task's validation accuracy choose on NAS-Bench-201."""
    for task in ("cifar10", "cifar100"):
        table = load_nasbench201(task)
        space, problem = table.space, Problem(table.space, table, (Objective(table.objective),))

        def reached(strategy: Strategy, seed: int, problem: Problem = problem) -> list[float]:
            best = problem.run(strategy, queries or 20, seed).best
            assert best is not None
            return [best.metrics["test_accuracy"], best.metrics["valid_accuracy"]]

        found = {
            "random": np.array([reached(RandomSearch(space, space.canonical), seed) for seed in seeds]),
            "robot": np.array(
                [reached(build_robot(space, problem.config(seed), space.canonical, UNBOUNDED), seed) for seed in seeds]
            ),
        }
        print_table(task, ["test accuracy", "validation accuracy"], found, 2, 0)


def compare_early_exit(seeds: Sequence[int], queries: int | None) -> None:
    """Accuracy and MACs under a bound on parameters, NSGA-II on NAS-Bench-201."""
    table = load_nasbench201("cifar10")
    space, cost = table.space, known_costs(table.space, "cifar10")
    objectives = (Objective(table.objective), Objective(MACS, maximize=False))
    bound = Condition(PARAMS, "<=", MOST_PARAMS)
    problem = Problem(space, table, objectives, (bound,))
    kept = bound.holds(table.column(PARAMS))
    reference = nadir({one.metric: table.column(one.metric)[kept] for one in objectives}, objectives)
    point = [one.gain({one.metric: reference[f"reference_point/{one.metric}"]}) for one in objectives]

    def figures(bounds: Bounds, seed: int) -> list[float]:
        strategy = build_nsga2(space, problem.config(), space.canonical, bounds)
        history = problem.run(strategy, queries or 150, seed, batch=10)
        gains = np.array([history.gains(trial) for trial in history.feasible]).reshape(-1, 2)
        params = sum(cost[PARAMS](trial.graph) for trial in history.done)
        return [hypervolume(gains, point), params, len(history.feasible)]

    names = {"without early exit": UNBOUNDED, "with early exit": Bounds((bound,), cost)}
    found = {name: np.array([figures(bounds, seed) for seed in seeds]) for name, bounds in names.items()}
    print_table(bound.text, ["hypervolume", "params of all, M", "that keep the bound"], found, 2, 0)


def print_table(title: str, columns: Sequence[object], found: Mapping[str, np.ndarray], digits: int, of: int) -> None:
    """Mean and standard error over the seeds, and what the last row has more in column `of` with the same seeds."""
    last = next(reversed(found.values()))
    print(f"| {title} | {' | '.join(map(str, columns))} | last row less this, {columns[of]} |")
    print("|---" * (len(columns) + 2) + "|")
    for name, values in found.items():
        cells = [spread(column, digits) for column in (*values.T, last[:, of] - values[:, of])]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print()


def spread(values: np.ndarray, digits: int) -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{values.mean():.{digits}f} ± {error:.{digits}f}"


if __name__ == "__main__":
    main()
