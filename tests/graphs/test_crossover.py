"""Children have what their parents have, and are architectures, in every kind of space."""

import numpy as np
import pytest
import torch

from graphs.crossover import cross_rows, uniform_crossover, valid_rows
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space

NAMES = ["nas-bench-graph", "nasbench201", "ofa-mobilenetv3", "free-dag"]


@pytest.mark.parametrize("name", NAMES)
def test_children_are_valid_and_have_their_slots_from_parents(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(0)
    layout = layout_of(space)
    rows = layout.read([space.sample(rng) for _ in range(60)]).numpy()
    first, second = rows[:30], rows[30:]
    children = cross_rows(layout, first, second, rng)
    assert valid_rows(layout, children).all()
    for graph in layout.write(torch.from_numpy(children)):
        space.check(graph)
    assert ((children == first) | (children == second)).all()


@pytest.mark.parametrize("name", ["nasbench201", "ofa-mobilenetv3"])
def test_each_parent_gives_half(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(1)
    layout, cross = layout_of(space), uniform_crossover(layout_of(space))
    one, other = space.sample(rng), space.sample(rng)
    first, second = layout.read([one, other])
    children = layout.read([cross(one, other, rng) for _ in range(200)])
    differ = first != second
    share = (children == first)[:, differ].double().mean()
    assert abs(float(share) - 0.5) < 0.07
    assert len(children.unique(dim=0)) > 10
