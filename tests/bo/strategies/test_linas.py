"""LINAS: rounds whose candidates follow from the rounds before, computed costs, and nothing twice."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from archgen.testing import StrategyContract
from bo.records import History, Objective, Trial
from bo.strategies.early_exit import Bounds
from bo.strategies.linas import Linas, RowScore
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.nasbench201 import NasBench201
from predictors.ridge import fit_ridge

SPACE = NasBench201()
LAYOUT = layout_of(SPACE)
FIT = partial(fit_ridge, LAYOUT.sizes)
MAKE = Linas(LAYOUT, SPACE.canonical, FIT, population=12, evaluations=600)


def value(graph: ArchGraph) -> dict[str, float]:
    names = [op.name for op in graph.ops]
    return {
        "score": float(names.count("nor_conv_3x3")) + 0.1 * names.count("nor_conv_1x1"),
        "cost": float(2 * names.count("nor_conv_3x3") + names.count("nor_conv_1x1")),
    }


def cost_of(rows: np.ndarray) -> np.ndarray:
    return np.array([value(graph)["cost"] for graph in LAYOUT.write(torch.from_numpy(rows))])


class TestContract(StrategyContract):
    @pytest.fixture(autouse=True)
    def _use_chain(self, chain: SearchSpace) -> None:
        self.space = chain

    def strategy(self, identify: Identify) -> Strategy:
        layout = layout_of(self.space)
        return Linas(layout, identify, partial(fit_ridge, layout.sizes), population=6, evaluations=60)


@pytest.fixture
def history(simulate: Callable[..., History]) -> History:
    return simulate(MAKE, value, 40, others=(Objective("cost", maximize=False),))


def test_the_first_round_is_random_and_the_others_are_predicted(history: History) -> None:
    origins = [trial.proposal.origin for trial in history.trials]
    assert origins == ["initial"] * 12 + ["predicted"] * 28
    assert len(history.seen) == 40


def test_a_round_is_decided_when_it_begins(history: History) -> None:
    begun = replace(history, trials=history.trials[:24])
    at_once, notes = MAKE.propose(begun, 12, np.random.default_rng(5))
    assert [p.graph for p in at_once] == [trial.graph for trial in history.trials[24:36]]
    assert notes == {"round": 2}


def test_costs_are_computed_and_never_learned() -> None:
    learned: list[float] = []

    def fit(rows: np.ndarray, targets: np.ndarray) -> RowScore:
        learned.extend(targets.tolist())
        return FIT(rows, targets)

    strategy = replace(MAKE, fit=fit, known={"cost": cost_of})
    first, _ = MAKE.propose(History((), Objective("score")), 12, np.random.default_rng(0))
    trials = tuple(
        Trial(k, k, p, "", SPACE.canonical(p.graph), "done", {"score": 0.5, "cost": 99.0}) for k, p in enumerate(first)
    )
    told = History(trials, Objective("score"), (Objective("cost", maximize=False),))
    strategy.propose(told, 1, np.random.default_rng(0))
    assert learned == [0.5] * 12


def test_constraints_hold_in_the_evolution_and_bounds_before_it(simulate: Callable[..., History]) -> None:
    bound = Condition("cost", "<=", 5.0)
    history = simulate(replace(MAKE, known={"cost": cost_of}), value, 36, constraints=(bound,))
    assert all(history.violation(trial) == 0 for trial in history.trials[12:])
    exact = Bounds((bound,), {"cost": lambda graph: value(graph)["cost"]})
    assert all(trial.metrics["cost"] <= 5 for trial in simulate(replace(MAKE, bounds=exact), value, 30).trials)


def test_it_reaches_the_best_of_an_additive_objective(history: History) -> None:
    assert history.best is not None
    assert history.best.metrics["score"] == 6.0
    assert min(trial.metrics["cost"] for trial in history.trials) == 0.0
