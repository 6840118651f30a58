"""NSGA-II as published: generations, survivors by fronts and crowding, children of both parents."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from archgen.testing import StrategyContract
from bo.pareto import front
from bo.records import History, Objective
from bo.strategies.nsga2 import Nsga2, fittest, survivors
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.crossover import uniform_crossover
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.nasbench201 import NasBench201

SPACE = NasBench201()
MAKE = Nsga2(SPACE, SPACE.canonical, 10, 5, uniform_crossover(layout_of(SPACE)))


def convolutions(graph: ArchGraph) -> dict[str, float]:
    """Two objectives that pull apart, and a cost."""
    names = [op.name for op in graph.ops]
    return {
        "score": float(names.count("nor_conv_3x3")) + 0.01 * names.index("output"),
        "pools": float(names.count("avg_pool_3x3")) + 0.1 * names.count("skip_connect"),
        "cost": float(names.count("nor_conv_1x1")),
    }


@pytest.fixture
def history(simulate: Callable[..., History]) -> History:
    return simulate(MAKE, convolutions, 60, others=(Objective("pools"),))


class TestWithCrossover(StrategyContract):
    @pytest.fixture(autouse=True)
    def _use_chain(self, chain: SearchSpace) -> None:
        self.space = chain

    def strategy(self, identify: Identify) -> Strategy:
        return Nsga2(self.space, identify, 6, 3, uniform_crossover(layout_of(self.space)))


class TestWithMutationAlone(TestWithCrossover):
    def strategy(self, identify: Identify) -> Strategy:
        return Nsga2(self.space, identify, 6, 3)


def test_it_starts_with_a_random_generation(history: History) -> None:
    origins = [trial.proposal.origin for trial in history.trials]
    assert set(origins[:10]) == {"initial"}
    assert set(origins[10:]) == {"crossover", "mutation"}
    assert origins[10:].count("crossover") > origins[10:].count("mutation") > 0


def test_parents_are_survivors_of_the_generations_before(history: History) -> None:
    for child in history.trials[10:]:
        begun = replace(history, trials=history.trials[: child.number // 5 * 5])
        assert child.proposal.parent in {trial.number for trial in survivors(begun, 10, 5)}


def test_survivors_are_the_fittest_of_the_survivors_and_the_new(history: History) -> None:
    before = survivors(replace(history, trials=history.trials[:55]), 10, 5)
    after = survivors(history, 10, 5)
    assert after == fittest(history, [*before, *history.trials[55:]])[:10]
    assert {trial.number for trial in front(history)[:1]} <= {trial.number for trial in after}


def test_a_generation_that_is_not_complete_has_no_say(history: History) -> None:
    begun, before = (survivors(replace(history, trials=history.trials[:count]), 10, 5) for count in (58, 55))
    assert begun == before


def test_what_is_still_measured_joins_later(history: History) -> None:
    last = history.trials[-1]
    waiting = replace(history, trials=(*history.trials[:-1], replace(last, status="pending", metrics={})))
    assert last not in survivors(waiting, 10, 5)
    proposals, _ = MAKE.propose(waiting, 7, np.random.default_rng(0))
    assert len({SPACE.canonical(p.graph) for p in proposals} - waiting.seen) == 7


def test_those_that_keep_the_constraints_survive(simulate: Callable[..., History]) -> None:
    bound = (Condition("cost", "<=", 0.0),)
    history = simulate(MAKE, convolutions, 100, others=(Objective("pools"),), constraints=bound)
    assert all(history.violation(trial) == 0 for trial in survivors(history, 10, 5))


def test_it_finds_both_ends(simulate: Callable[..., History]) -> None:
    found = front(simulate(MAKE, convolutions, 200, others=(Objective("pools"),)))
    assert found[0].metrics["score"] >= 5
    assert found[-1].metrics["pools"] >= 4
