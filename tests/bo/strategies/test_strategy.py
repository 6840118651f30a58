"""What every strategy must hold, and the random draws that they share."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bo.campaign import Evaluator, identifier
from bo.records import History, Objective
from bo.strategies import pool
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.local_search import LocalSearch
from bo.strategies.model_based import ModelBased
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import Strategy, draw_new, draw_random
from bo.surrogate import Surrogate
from graphs.space import SearchSpace

Make = Callable[[str], Strategy]
NAMES = ["random", "evolution", "evolution-small", "local-search", "model-based"]
DISTINCT = ["network", "description"]


@pytest.fixture
def make(chain: SearchSpace, surrogate: Callable[[], Surrogate], distinct: str) -> Make:
    identify = identifier(chain, distinct)
    sources = (
        pool.neighbours_of_leaders(chain, 2),
        pool.mutants_of_leaders(chain, 2, 5),
        pool.random_draws(chain, 5),
    )
    made: dict[str, Strategy] = {
        "random": RandomSearch(chain, identify),
        "evolution": RegularisedEvolution(chain, identify),
        "evolution-small": RegularisedEvolution(chain, identify, population=4, sample=2),
        "local-search": LocalSearch(chain, identify),
        "model-based": ModelBased(chain, identify, surrogate, sources, initial=5),
    }
    return made.__getitem__


@pytest.mark.parametrize("distinct", DISTINCT)
@pytest.mark.parametrize("name", NAMES)
class TestEveryStrategy:
    def test_the_same_history_and_seed_give_the_same_proposals(
        self, make: Make, chain_value: Evaluator, simulate: Callable[..., History], name: str
    ) -> None:
        whole = simulate(make(name), chain_value, 15, seed=2)
        for length in (0, 1, 7, 14):
            history = History(whole.trials[:length], whole.objective)
            first, notes = make(name).propose(history, 2, np.random.default_rng([2, length]))
            again, _ = make(name).propose(history, 2, np.random.default_rng([2, length]))
            assert first == again
            assert json.loads(json.dumps(dict(notes))) == dict(notes)
            (alone,), _ = make(name).propose(history, 1, np.random.default_rng([2, length]))
            assert alone.graph == whole.trials[length].graph

    def test_proposals_are_new_and_distinct(
        self, make: Make, chain_value: Evaluator, simulate: Callable[..., History], name: str
    ) -> None:
        whole = simulate(make(name), chain_value, 28)
        assert len(whole.seen) == 28
        proposals, _ = make(name).propose(whole, 8, np.random.default_rng(9))
        strategy: Any = make(name)
        fresh = [strategy.identify(p.graph) for p in proposals]
        assert fresh
        assert len(set(fresh)) == len(fresh) <= 8
        assert not set(fresh) & whole.seen


@pytest.mark.parametrize("distinct", DISTINCT)
def test_random_draws_find_every_identity_and_then_none(chain: SearchSpace, distinct: str) -> None:
    identify, seen, rng = identifier(chain, distinct), set[str](), np.random.default_rng(0)
    size = {"network": 40, "description": 64}[distinct]
    found = draw_random(chain, identify, seen, size + 1, rng, "initial")
    assert len(found) == len(seen) == size
    assert {p.origin for p in found} == {"initial"}
    assert draw_new(chain, identify, seen, rng) is None
    assert draw_random(chain, identify, seen, 1, rng, "random") == []


def test_random_search_is_uniform_over_descriptions(chain: SearchSpace) -> None:
    strategy, empty = RandomSearch(chain, chain.format), History((), Objective("score"))
    firsts = [strategy.propose(empty, 1, np.random.default_rng(seed))[0][0] for seed in range(2000)]
    counts = np.unique([chain.format(p.graph) for p in firsts], return_counts=True)[1]
    chi2 = float(((counts - 2000 / 64) ** 2 / (2000 / 64)).sum())
    assert len(counts) == 64
    assert chi2 < 63 + 4 * (2 * 63) ** 0.5
