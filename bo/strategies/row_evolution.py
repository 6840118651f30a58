"""NSGA-II on rows of slots, many at a time, for searches whose fitness is a cheap prediction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bo.strategies.dominance import fitness_order
from graphs.crossover import cross_rows, valid_rows
from graphs.layout import Layout

Fitness = Callable[[Int[np.ndarray, "b s"]], tuple[Float[np.ndarray, "b m"], Float[np.ndarray, " b"]]]
"""Gains, the larger the better, and by how much constraints are broken."""
CROSSED = 0.9
"""Share of children that have two parents."""


def evolve_rows(
    layout: Layout, rows: Int[np.ndarray, "b s"], fitness: Fitness, generations: int, rng: np.random.Generator
) -> Int[np.ndarray, "b s"]:
    """The survivors of so many generations of as many children as `rows`, the fittest first.

    Deb et al. (2002) with uniform crossover, a mutation of one slot a child in the mean, and no row twice, which leaves
    fewer than `rows` where the space has no more. With one objective it is a genetic algorithm in which the best live.

    Args:
        layout: of the rows.
        rows: the first population, valid.
        fitness: of rows.
        generations: how many.
        rng: where all chance comes from.
    """
    size, alive = len(rows), _ranked(rows, fitness)
    for _ in range(generations):
        children = offspring(layout, alive, size, rng)
        alive = _ranked(np.concatenate([alive, children]), fitness)[:size]
    return alive


def fittest_first(
    rows: Int[np.ndarray, "b s"], known: Int[np.ndarray, "n s"], fitness: Fitness
) -> Int[np.ndarray, "c s"]:
    """The rows that are not known, each once, the fittest first."""
    seen = set(map(tuple, known.tolist()))
    new = np.array([row for row in dict.fromkeys(map(tuple, rows.tolist())) if row not in seen], dtype=np.int64)
    return _ranked(new, fitness) if len(new) else rows[:0]


def offspring(
    layout: Layout, alive: Int[np.ndarray, "b s"], count: int, rng: np.random.Generator
) -> Int[np.ndarray, "c s"]:
    """Valid children of rows that stand from the fittest on, parents chosen by binary tournaments."""
    first, second = (alive[rng.integers(len(alive), size=(count, 2)).min(1)] for _ in range(2))
    crossed = rng.random((count, 1)) < CROSSED
    children = np.where(crossed, cross_rows(layout, first, second, rng), first)
    sizes = np.array(layout.sizes)
    changed = rng.random(children.shape) < 1 / len(sizes)
    step = 1 + (rng.random(children.shape) * (sizes - 1)).astype(np.int64)
    mutants = np.where(changed, (children + step) % sizes, children)
    return np.where(valid_rows(layout, mutants)[:, None], mutants, children)


def _ranked(rows: Int[np.ndarray, "b s"], fitness: Fitness) -> Int[np.ndarray, "c s"]:
    distinct = np.unique(rows, axis=0)
    ranked: Int[np.ndarray, "c s"] = distinct[fitness_order(*fitness(distinct))]
    return ranked
