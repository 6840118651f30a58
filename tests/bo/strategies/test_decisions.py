"""Decisions: their classes and order; filled by anybody they make a valid architecture; rows go back and forth."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from bo.strategies.decisions import Decisions
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.spaces.free_dag import FreeDag

DAG = FreeDag("small-dag", 5, 6, ("a", "b"))
SPACES = [*map(get_space, ("nas-bench-graph", "nasbench201", "ofa-mobilenetv3", "synthetic-dag-16")), DAG]
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


def made_up(decisions: Decisions, count: int, like: torch.Tensor | None = None) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)

    def choose(decision: int, allowed: torch.Tensor) -> torch.Tensor:
        assert bool(allowed.any(1).all()), f"decision {decision} cannot be made"
        return torch.multinomial(allowed.float(), 1, generator=rng)[:, 0]

    return decisions.fill(count, choose, like)


@every_space
def test_whatever_is_chosen_is_an_architecture(space: SearchSpace) -> None:
    decisions = Decisions(layout_of(space))
    for graph in decisions.write(made_up(decisions, 20)):
        space.check(graph)
    rng = np.random.default_rng(0)
    like = decisions.read([space.sample(rng) for _ in range(20)])
    for graph in decisions.write(made_up(decisions, 20, like)):
        space.check(graph)


@every_space
def test_rows_go_back_and_forth_and_can_be_made_again(space: SearchSpace) -> None:
    rng = np.random.default_rng(1)
    decisions = Decisions(layout_of(space))
    graphs = [space.sample(rng) for _ in range(20)]
    rows = decisions.read(graphs)
    assert decisions.write(rows) == graphs

    def choose(decision: int, allowed: torch.Tensor) -> torch.Tensor:
        assert bool(allowed.gather(1, rows[:, decision, None]).all())
        return rows[:, decision]

    assert torch.equal(decisions.fill(len(rows), choose, rows), rows)


@pytest.mark.parametrize(
    ("space", "names", "counts"),
    [
        (SPACES[0], ("wiring", "op"), [1, 4]),
        (SPACES[1], ("op",), [6]),
        (SPACES[2], ("field 0", "field 1", "field 2", "field 3"), [5, 5, 5, 5]),
        (DAG, ("start", "op", "edges"), [1, 3, 10]),
    ],
)
def test_classes_are_the_decisions_of_a_kind(space: SearchSpace, names: Sequence[str], counts: list[int]) -> None:
    decisions = Decisions(layout_of(space))
    assert decisions.names == tuple(names)
    assert [len(one) for one in decisions.classes] == counts
    assert sorted(one for some in decisions.classes for one in some) == sorted(decisions.order)


def test_a_start_that_no_sample_had_holds_for_rows_like_it(chain: SearchSpace) -> None:
    decisions = Decisions(layout_of(DAG))
    assert len(decisions.starts) > 1
    known = made_up(decisions, 30)
    decisions.starts = decisions.starts[:1]
    unknown = decisions.read(decisions.write(known))
    assert set(unknown[:, 0].tolist()) == {0, 1}
    kept = decisions.fill(30, lambda decision, _: unknown[:, decision], unknown)
    assert torch.equal(kept, unknown)
    assert len(Decisions(layout_of(chain)).starts) == 1
