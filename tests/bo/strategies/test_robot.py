"""RoBoT as a strategy: the search of `predictors.robot`, step by step, whatever is known when."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from archgen.testing import StrategyContract
from archgen.testing.objective import made_up_value
from bo.records import History, Objective
from bo.strategies.robot import Robot
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from graphs.spaces.nasbench201 import NasBench201
from predictors.robot import robot, robot_queries

SPACE = NasBench201()
RNG = np.random.default_rng(0)
POOL = list({SPACE.canonical(graph): graph for graph in (SPACE.sample(RNG) for _ in range(300))}.values())
VALUES = np.array([made_up_value(SPACE, graph) for graph in POOL])
METRICS = np.column_stack([RNG.standard_normal(len(POOL)), VALUES + 0.3 * RNG.standard_normal(len(POOL))])
BY_IDENTITY = {SPACE.canonical(graph): float(value) for graph, value in zip(POOL, VALUES, strict=True)}


def make() -> Robot:
    queries = partial(robot_queries, METRICS, len(POOL), seed=3, iterations=4)
    return Robot(SPACE, SPACE.canonical, POOL, queries)


def value(graph: ArchGraph) -> dict[str, float]:
    return {"score": BY_IDENTITY.get(SPACE.canonical(graph), 0.0)}


class TestContract(StrategyContract):
    @pytest.fixture(autouse=True)
    def _use_chain(self, chain: SearchSpace) -> None:
        self.space = chain

    def strategy(self, identify: Identify) -> Strategy:
        pool = list(self.space.networks)[::2]
        metrics = np.array([[len(self.space.network(graph)), made_up_value(self.space, graph)] for graph in pool])
        return Robot(self.space, identify, pool, partial(robot_queries, metrics, len(pool), iterations=4))


def test_one_after_the_other_it_is_the_search(simulate: Callable[..., History]) -> None:
    history = simulate(make(), value, 8)
    found = robot(METRICS, lambda place: float(VALUES[place]), 8, seed=3, iterations=4)
    assert [trial.graph for trial in history.trials] == [POOL[place] for place in found.queried]
    assert {trial.proposal.origin for trial in history.trials} == {"ranked"}


def test_a_process_that_goes_on_asks_what_the_old_one_would(simulate: Callable[..., History]) -> None:
    old, history = make(), simulate(make(), value, 6)
    for length in (0, 2, 3, 6):
        some = replace(history, trials=history.trials[:length])
        first, again = (one.propose(some, 2, np.random.default_rng(0))[0] for one in (old, make()))
        assert first == again


def test_what_is_measured_late_counts_from_then_on(simulate: Callable[..., History]) -> None:
    strategy, history = make(), simulate(make(), value, 6)
    waiting = [replace(trial, status="pending", metrics={}) for trial in history.trials[2:]]
    held = replace(history, trials=(*history.trials[:2], *waiting))
    batch, notes = strategy.propose(held, 3, np.random.default_rng(0))
    assert notes == {"from_pool": 3}
    assert not {SPACE.canonical(p.graph) for p in batch} & held.seen
    (after,), _ = strategy.propose(history, 1, np.random.default_rng(0))
    assert after == make().propose(history, 1, np.random.default_rng(0))[0][0]


def test_after_the_pool_come_random_architectures(chain: SearchSpace, simulate: Callable[..., History]) -> None:
    pool = list(chain.networks)[:3]
    strategy = Robot(chain, chain.canonical, pool, partial(robot_queries, np.eye(3), 3))
    history = simulate(strategy, lambda _: {"score": 1.0}, 5)
    assert [trial.proposal.origin for trial in history.trials] == ["ranked"] * 3 + ["random"] * 2
    _, notes = strategy.propose(History((), Objective("score")), 9, np.random.default_rng(0))
    assert notes == {"from_pool": 3}
