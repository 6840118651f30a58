"""Where a model-based step finds its candidates: neighbours, mutants, random draws, the generator, the whole space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bo.pareto import ranked
from bo.records import History, Proposal, Trial
from bo.strategies.model_based import GENERATED, Source
from bo.surrogate import Generator, GraphScore
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace


def leaders(history: History, count: int) -> list[Trial]:
    """The best evaluated trials, best first; of several objectives the front, then the front of what is left."""
    return ranked(history, count)


def neighbours_of_leaders(space: SearchSpace, parents: int) -> Source:
    """All neighbours of the best `parents` trials."""

    def source(history: History, _score: GraphScore, _rng: np.random.Generator) -> list[Proposal]:
        return [
            Proposal(graph, "neighbour", parent.number)
            for parent in leaders(history, parents)
            for graph in space.neighbours(parent.graph)
        ]

    return source


def mutants_of_leaders(space: SearchSpace, parents: int, count: int, most: int = 3) -> Source:
    """`count` graphs, each one to `most` mutations away from one of the best `parents` trials."""

    def source(history: History, _score: GraphScore, rng: np.random.Generator) -> list[Proposal]:
        best = leaders(history, parents)
        return [
            _mutant(space, best[int(rng.integers(len(best)))], int(rng.integers(1, most + 1)), rng)
            for _ in range(count)
        ]

    return source


def random_draws(space: SearchSpace, count: int) -> Source:
    """`count` random graphs."""

    def source(_history: History, _score: GraphScore, rng: np.random.Generator) -> list[Proposal]:
        return [Proposal(space.sample(rng), "random") for _ in range(count)]

    return source


def generated(generator: Generator, count: int) -> Source:
    """`count` graphs from the generator, guided by the acquisition."""

    def source(_history: History, score: GraphScore, rng: np.random.Generator) -> list[Proposal]:
        return [Proposal(graph, GENERATED) for graph in generator.draw(count, score, int(rng.integers(2**31)))]

    return source


def listed(graphs: Sequence[ArchGraph]) -> Source:
    """Every graph of a list, for spaces that can be scored whole."""

    proposals = [Proposal(graph, "listed") for graph in graphs]

    def source(_history: History, _score: GraphScore, _rng: np.random.Generator) -> list[Proposal]:
        return proposals

    return source


def _mutant(space: SearchSpace, parent: Trial, steps: int, rng: np.random.Generator) -> Proposal:
    graph = parent.graph
    for _ in range(steps):
        graph = space.mutate(graph, rng)
    return Proposal(graph, "mutation", parent.number)
