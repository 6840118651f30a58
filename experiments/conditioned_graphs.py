"""One data set of NAS-Bench-Graph predicted from the others; see dataset_conditioned.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from graph_data_sets import SOURCES, statistics_of
from jaxtyping import Float, Int
from scipy.stats import kendalltau
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.tables.nas_bench_graph import TASKS, load_nas_bench_graph
from predictors.conditioned.datasets import Pairs, StatisticVectors
from predictors.conditioned.gp import DatasetGP, fit_dataset_gp
from predictors.conditioned.graph_statistics import standardised
from predictors.conditioned.graph_vectors import GraphVectors
from predictors.conditioned.kernel import PairKernel, nearness
from predictors.conditioned.network import NetworkConfig, fit_dataset_network
from predictors.encodings import Encodings
from predictors.predictor import Predictor

POOL = 1000
"""Networks of which each data set has some labelled; shared, so that kernels of few networks are built."""
FEW = (10, 30, 100)
TOP = 10
NETWORK_GROUPS = ("slots", "wl0", "wl1", "first", "last", "ends", "shape", "along", "mixing")
NETWORK = NetworkConfig(members=3)
DEVELOPMENT = 1000
"""Seed of the labels from which hyper-parameters are learned, those of the target left out."""
Ranks = Float[np.ndarray, " b"]
"""Of networks, the larger the better."""


@dataclass(frozen=True, eq=False)
class World:
    """The tables, and the statistics of the data sets, in the order of `TASKS`."""

    space: NasBenchGraph
    encodings: Encodings
    graphs: list[ArchGraph]
    accuracy: Float[np.ndarray, "t b"]
    statistics: StatisticVectors

    @staticmethod
    def load() -> World:
        space, tables = NasBenchGraph(), [load_nas_bench_graph(task) for task in TASKS]
        first: dict[int | str, ArchGraph] = {}
        for graph in space.enumerate():
            first.setdefault(space.table_key(graph), graph)
        graphs = [first[key] for key in tables[0].rows]
        assert all(list(table.rows) == list(tables[0].rows) for table in tables)
        accuracy = np.stack([table.column("valid_accuracy") for table in tables])
        statistics = standardised([statistics_of(task) for task in TASKS])
        return World(space, Encodings(space), graphs, accuracy, statistics)

    def nearest(self, target: int) -> int:
        """The other data set of the most alike statistics."""
        apart = (self.statistics.values - self.statistics.values[target]).norm(dim=1)
        apart[target] = torch.inf
        return int(apart.argmin())


@dataclass(frozen=True, eq=False)
class Draw:
    """What a seed draws: the networks that are labelled on each data set, in random order, and those to rank."""

    labelled: Int[np.ndarray, "t n"]
    asked: Int[np.ndarray, " m"]

    @staticmethod
    def of(world: World, seed: int, labels: int, asked: int) -> Draw:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(world.graphs))
        pool = order[:POOL]
        labelled = np.stack([rng.permutation(pool)[: max(labels, max(FEW))] for _ in TASKS])
        return Draw(labelled, order[POOL:][:asked])


def normal_scores(accuracy: np.ndarray) -> np.ndarray:
    """What Gaussian labels of these ranks would be in the mean, nearly (Blom 1958): data sets become comparable."""
    rank = accuracy.argsort(kind="stable").argsort(kind="stable") + 1.0
    found: np.ndarray = torch.special.ndtri(torch.from_numpy((rank - 0.375) / (len(rank) + 0.25))).numpy()
    return found


def labelled(world: World, draw: Draw, counts: dict[int, int]) -> tuple[Pairs, Tensor]:
    """So many labels of each data set, as normal scores."""
    graphs, place, y = [], [], []
    for task, count in counts.items():
        rows = draw.labelled[task][:count]
        graphs += [world.graphs[row] for row in rows]
        place += [task] * len(rows)
        y.append(normal_scores(world.accuracy[task, rows]))
    return Pairs(tuple(graphs), torch.tensor(place), world.statistics), torch.from_numpy(np.concatenate(y))


def asked(world: World, draw: Draw, task: int) -> Pairs:
    """The networks to rank, on a data set."""
    place = torch.full((len(draw.asked),), task)
    return Pairs(tuple(world.graphs[row] for row in draw.asked), place, world.statistics)


def alone(pairs: Pairs) -> Pairs:
    """The same architectures, all on one data set, which is what a pooled model sees."""
    return Pairs(pairs.graphs, torch.zeros_like(pairs.place), StatisticVectors(torch.zeros(1, 1)))


@dataclass(frozen=True, eq=False)
class Models:
    """Hyper-parameters learned without the target: with statistics, with data sets that only differ, and pooled."""

    conditioned: DatasetGP
    different: DatasetGP
    pooled: DatasetGP

    @staticmethod
    def learn(world: World, draw: Draw, target: int, labels: int) -> Models:
        pairs, y = labelled(world, draw, {task: labels for task in range(len(TASKS)) if task != target})
        table, terms = world.encodings.table, world.encodings.terms
        conditioned = fit_dataset_gp(PairKernel(table, terms, nearness), pairs, y)
        different = fit_dataset_gp(PairKernel(table, terms, None), pairs, y)
        return Models(conditioned, different, fit_dataset_gp(PairKernel(table, terms, None), alone(pairs), y))


def rank(world: World, draw: Draw, models: Models, target: int, labels: int, seed: int) -> dict[str, Ranks]:
    """What each method makes of the networks that are asked for, by name."""
    others = {task: labels for task in range(len(TASKS)) if task != target}
    pairs, y = labelled(world, draw, others)
    question, near = asked(world, draw, target), world.nearest(target)
    by_table = normal_table(world)
    found = {
        "0 labels, GP on statistics": models.conditioned.given(pairs, y).predict(question).mean.numpy(),
        "0 labels, GP, data sets differ": models.different.given(pairs, y).predict(question).mean.numpy(),
        "0 labels, GP, all pooled": models.pooled.given(alone(pairs), y).predict(alone(question)).mean.numpy(),
        "0 labels, encoder of statistics": encoded(world, pairs, y, question, seed),
        "0 labels, GP of the nearest data set": of_one(world, draw, near, labels),
        "0 labels, whole tables, mean rank": by_table[list(others)].mean(0)[draw.asked],
        "0 labels, whole table of the nearest": by_table[near][draw.asked],
    }
    for few in FEW:
        pairs, y = labelled(world, draw, {**others, target: few})
        found[f"{few} labels, GP on statistics"] = models.conditioned.given(pairs, y).predict(question).mean.numpy()
        found[f"{few} labels, GP, data sets differ"] = models.different.given(pairs, y).predict(question).mean.numpy()
        found[f"{few} labels, `wl-gp` on them alone"] = of_one(world, draw, target, few)
    return found


def normal_table(world: World) -> Float[np.ndarray, "t b"]:
    return np.stack([normal_scores(values) for values in world.accuracy])


def of_one(world: World, draw: Draw, task: int, labels: int) -> Ranks:
    """What a predictor of one data set's labels makes of the networks."""
    rows = draw.labelled[task][:labels]
    predictor = Predictor(world.space, "wl-gp", encodings=world.encodings)
    predictor.fit([world.graphs[row] for row in rows], world.accuracy[task, rows])
    found: np.ndarray = predictor.predict([world.graphs[row] for row in draw.asked]).mean.numpy()
    return found


def encoded(world: World, pairs: Pairs, y: Tensor, question: Pairs, seed: int) -> Ranks:
    groups = {name: world.encodings.groups[name] for name in NETWORK_GROUPS}
    vectors = GraphVectors.of(world.space, groups, pairs.graphs)
    found: np.ndarray = fit_dataset_network(vectors, pairs, y, NETWORK, seed=seed).predict(question).mean.numpy()
    return found


def regret(ranks: Ranks, accuracy: np.ndarray) -> float:
    """The best accuracy less the best among the `TOP` that rank highest, in points."""
    return float(accuracy.max() - accuracy[np.argsort(-ranks, kind="stable")[:TOP]].max())


def report(world: World, seeds: list[int], labels: int, count: int) -> None:
    """Which data sets are alike, and the tables, again after each seed."""
    for task in range(len(TASKS)):
        print(f"nearest to {TASKS[task]} ({SOURCES[TASKS[task]]}): {TASKS[world.nearest(task)]}")
    first, targets = Draw.of(world, DEVELOPMENT, labels, count), range(len(TASKS))
    models = [Models.learn(world, first, target, labels) for target in targets]
    for target in targets:
        print(f"without {TASKS[target]}: {models[target].conditioned.kernel.strengths()}", flush=True)
    scores: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        draw = Draw.of(world, seed, labels, count)
        for target in targets:
            truth = world.accuracy[target, draw.asked]
            for name, ranks in rank(world, draw, models[target], target, labels, seed).items():
                tables = scores.setdefault(name, [])
                if not target:
                    tables.append(np.empty((len(TASKS), 2)))
                tables[-1][target] = kendalltau(ranks, truth)[0], regret(ranks, truth)
        print_tables(scores)


def print_tables(scores: dict[str, list[np.ndarray]]) -> None:
    """A row a method: the mean over seeds on each data set, and the mean over data sets with its deviation."""
    for number, title in enumerate(("Kendall's tau", "Regret of the top 10, points")):
        print(f"\n| {title} | " + " | ".join((*TASKS, "mean")) + " |\n|---|" + (len(TASKS) + 1) * "---|")
        for name, tables in scores.items():
            values = np.stack(tables)[:, :, number]
            cells = [f"{value:.2f}" for value in values.mean(0)]
            cells.append(f"{values.mean():.3f} ± {values.mean(1).std():.3f}")
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
