"""Every strategy keeps the contract on a space of 40 networks; broken ones do not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from archgen.testing import StrategyContract
from bo.records import History, Proposal
from bo.strategies import pool
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.local_search import LocalSearch
from bo.strategies.model_based import ModelBased
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import Identify, Strategy, draw_random
from bo.surrogate import Surrogate
from graphs.space import SearchSpace
from predictors.wl_gp import WLGP, feature_table

table_of = cache(feature_table)


class OnChain(StrategyContract):
    """The contract on the space of these tests."""

    @pytest.fixture(autouse=True)
    def _use_chain(self, chain: SearchSpace) -> None:
        self.space = chain


class TestRandomSearch(OnChain):
    def strategy(self, identify: Identify) -> Strategy:
        return RandomSearch(self.space, identify)


class TestRegularisedEvolution(OnChain):
    def strategy(self, identify: Identify) -> Strategy:
        return RegularisedEvolution(self.space, identify, population=6, sample=3)


class TestLocalSearch(OnChain):
    def strategy(self, identify: Identify) -> Strategy:
        return LocalSearch(self.space, identify)

    def waits(self, history: History) -> bool:
        return True  # a neighbourhood is measured before the walk moves on


class OfModel(OnChain):
    """Model-based search with WLGP: random until `initial` trials were asked for."""

    initial = 5

    def surrogate(self) -> Surrogate:
        return WLGP(table_of(self.space))

    def waits(self, history: History) -> bool:
        return len(history.trials) < self.initial or len(history.done) < 2


class TestModelBasedOnAList(OfModel):
    def strategy(self, identify: Identify) -> Strategy:
        return ModelBased(
            self.space, identify, self.surrogate, (pool.listed(list(self.space.enumerate())),), self.initial
        )


class TestModelBasedOnAPool(OfModel):
    def strategy(self, identify: Identify) -> Strategy:
        sources = (
            pool.neighbours_of_leaders(self.space, 2),
            pool.mutants_of_leaders(self.space, 2, 5),
            pool.random_draws(self.space, 5),
        )
        return ModelBased(self.space, identify, self.surrogate, sources, self.initial)


class TestModelBasedOnAPoolThatIsTooSmall(OfModel):
    def strategy(self, identify: Identify) -> Strategy:
        return ModelBased(self.space, identify, self.surrogate, (pool.random_draws(self.space, 1),), self.initial)


Rule = Callable[[History, list[Proposal], int], list[Proposal]]


@dataclass(frozen=True)
class Broken:
    """Random search whose proposals a rule spoils."""

    space: SearchSpace
    identify: Identify
    rule: Rule

    def propose(self, history: History, count: int, rng: np.random.Generator) -> tuple[list[Proposal], dict[str, Any]]:
        drawn = draw_random(self.space, self.identify, set(history.seen), count, rng, "random")
        return self.rule(history, drawn, count), {}


def learned(history: History) -> bool:
    return sum(sum(trial.metrics.values()) for trial in history.trials) > 0


BREACHES: dict[str, tuple[Rule, str]] = {
    "test_a_short_campaign": (lambda history, drawn, _: drawn[: 1 + (not history.trials)], "expected 2 to 2 proposals"),
    "test_the_last_of_a_space_are_found_and_then_none": (lambda *_: [], "expected"),
    "test_the_history_and_the_random_state_decide": (
        lambda _, drawn, __: [replace(proposal, mean=np.random.random()) for proposal in drawn],
        "depends on the proposals before it",
    ),
    "test_an_empty_history_is_a_start": (lambda _, drawn, count: [drawn[0]] * count, "proposes one identity twice"),
    "test_nothing_is_learned_from_failed_trials": (
        lambda history, drawn, _: drawn if learned(history) else drawn[::-1],
        "metrics of failed trials",
    ),
    "test_minimising_is_maximising_the_negative": (
        lambda history, drawn, _: [replace(p, mean=float(learned(history))) for p in drawn],
        "metric's own sign",
    ),
    "test_pending_and_failed_trials_are_not_proposed_again": (
        lambda history, drawn, _: [history.pending[0].proposal, *drawn[1:]],
        "proposed again",
    ),
}


@pytest.mark.parametrize("test", BREACHES)
def test_a_breach_is_found(test: str, chain: SearchSpace) -> None:
    rule, message = BREACHES[test]

    class Contract(StrategyContract):
        space = chain

        def strategy(self, identify: Identify) -> Strategy:
            return Broken(chain, identify, rule)

    arguments = {
        "test_a_short_campaign": ("network",),
        "test_the_last_of_a_space_are_found_and_then_none": ("network",),
        "test_an_empty_history_is_a_start": ("network", 3),
    }.get(test, ())
    with pytest.raises(AssertionError, match=message):
        getattr(Contract(), test)(*arguments)
