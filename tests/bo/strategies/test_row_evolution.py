"""Evolution on rows: children are architectures, and its end is the front of a fitness that is known."""

import numpy as np
import pytest
import torch

from bo.strategies.row_evolution import evolve_rows, fittest_first, offspring
from graphs.crossover import valid_rows
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space


def start(name: str, count: int) -> tuple:
    space, rng = get_space(name), np.random.default_rng(0)
    layout = layout_of(space)
    return layout, layout.read([space.sample(rng) for _ in range(count)]).numpy(), rng


@pytest.mark.parametrize("name", ["nas-bench-graph", "nasbench201", "ofa-mobilenetv3", "free-dag"])
def test_children_are_architectures(name: str) -> None:
    layout, rows, rng = start(name, 40)
    children = offspring(layout, rows, 200, rng)
    assert valid_rows(layout, children).all()
    layout.write(torch.from_numpy(children))


def test_one_objective_ends_at_its_summit_and_several_along_the_front() -> None:
    layout, rows, rng = start("ofa-mobilenetv3", 50)

    def up(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (some == 8).sum(1, keepdims=True).astype(float), np.zeros(len(some))

    assert up(evolve_rows(layout, rows, up, 200, rng)[:1])[0] == 20

    def both(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([(some == 8).sum(1), (some == 0).sum(1)], 1).astype(float), np.zeros(len(some))

    sums = both(evolve_rows(layout, rows, both, 300, rng))[0]
    assert (sums.sum(1) >= 19).all()
    assert np.ptp(sums[:, 0]) >= 15


def test_rows_that_break_constraints_die_first() -> None:
    layout, rows, rng = start("nasbench201", 30)

    def fitness(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return some.sum(1, keepdims=True).astype(float), np.maximum(some[:, 0] - 1, 0).astype(float)

    alive = evolve_rows(layout, rows, fitness, 40, rng)
    assert alive[:, 0].max() <= 1
    assert len(np.unique(alive, axis=0)) == len(alive) == 30


def test_the_known_are_left_out() -> None:
    rows = np.array([[3], [1], [2], [2], [0]])
    fitness = lambda some: (some.astype(float), np.zeros(len(some)))  # noqa: E731
    assert fittest_first(rows, np.array([[3]]), fitness).tolist() == [[2], [1], [0]]
    assert fittest_first(rows[:1], np.array([[3]]), fitness).shape == (0, 1)
