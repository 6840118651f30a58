"""BANANAS: mutants of the leaders, drawn values, and an ensemble that is trained at fixed lengths of the history."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from archgen.testing import StrategyContract
from archgen.testing.objective import made_up_value
from bo.records import History
from bo.strategies.bananas import Bananas, Members
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from graphs.spaces.nasbench201 import NasBench201

SPACE = NasBench201()


def value(graph: ArchGraph) -> dict[str, float]:
    return {"score": made_up_value(SPACE, graph)}


class Recorder:
    """An ensemble that knows the objective, each member somewhat off it, and remembers what it was trained on."""

    def __init__(self, space: SearchSpace, spread: float = 0.0) -> None:
        self.space, self.spread, self.trained = space, spread, list[int]()

    def __call__(self, graphs: Sequence[ArchGraph], values: np.ndarray, seed: int) -> Members:
        self.trained.append(len(graphs))
        sign = 1 if values[0] > 0 else -1
        off = self.spread * np.array([-1.0, 0.0, 1.0])[:, None]
        return lambda some: sign * np.array([made_up_value(self.space, graph) for graph in some]) + off


class TestContract(StrategyContract):
    @pytest.fixture(autouse=True)
    def _use_chain(self, chain: SearchSpace) -> None:
        self.space = chain

    def strategy(self, identify: Identify) -> Strategy:
        return Bananas(self.space, identify, Recorder(self.space, 0.1), initial=5, every=3)


def test_it_is_trained_after_ten_and_then_after_every_ten(simulate: Callable[..., History]) -> None:
    fit = Recorder(SPACE)
    strategy = Bananas(SPACE, SPACE.canonical, fit, candidates=10)
    history = simulate(strategy, value, 41)
    assert fit.trained == [10, 20, 30, 40]
    origins = [trial.proposal.origin for trial in history.trials]
    assert origins == ["initial"] * 10 + ["mutation"] * 31
    new = Recorder(SPACE)
    some = replace(history, trials=history.trials[:37])
    Bananas(SPACE, SPACE.canonical, new).propose(some, 1, np.random.default_rng(0))
    assert new.trained == [30]


def test_mutants_of_leaders_are_taken_best_first(simulate: Callable[..., History]) -> None:
    strategy = Bananas(SPACE, SPACE.canonical, Recorder(SPACE), leaders=3)
    history = simulate(strategy, value, 12)
    proposals, notes = strategy.propose(history, 5, np.random.default_rng(0))
    best = sorted(history.done, key=history.merit, reverse=True)[:3]
    assert {p.parent for p in proposals} <= {trial.number for trial in best}
    means = [p.mean or 0.0 for p in proposals]
    assert means == sorted(means, reverse=True)
    assert means == pytest.approx([value(p.graph)["score"] for p in proposals])
    assert [p.acquisition for p in proposals] == means, "members that agree leave nothing to chance"
    assert notes["trained_on"] == 10


def test_values_are_drawn_for_each_mutant_apart(simulate: Callable[..., History]) -> None:
    strategy = Bananas(SPACE, SPACE.canonical, Recorder(SPACE, 2.0))
    history = simulate(strategy, value, 10)
    proposals, _ = strategy.propose(history, 100, np.random.default_rng(0))
    drawn = [p for p in proposals if p.origin == "mutation"]
    off = np.array([((p.acquisition or 0.0) - (p.mean or 0.0)) / (p.std or 1.0) for p in drawn])
    assert [p.std for p in drawn] == pytest.approx([2.0] * len(drawn))
    assert len(off) > 60
    assert abs(off.mean()) < 4 / len(off) ** 0.5
    assert abs(off.std() - 1) < 4 / (2 * len(off)) ** 0.5
