"""Early exit: what breaks a known bound is never proposed, and how much of the space keeps it is noted."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bo.records import History, Objective, Trial
from bo.strategies.early_exit import Bounds, Gate
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.local_search import LocalSearch
from bo.strategies.nsga2 import Nsga2
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import draw_random
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.errors import InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.nasbench201 import NasBench201
from graphs.spaces.ofa_mobilenetv3 import OfaMobileNetV3

SPACE = NasBench201()
EMPTY = History((), Objective("score"))
MAKERS: dict[str, Callable[..., Any]] = {
    "random": RandomSearch,
    "evolution": RegularisedEvolution,
    "local-search": LocalSearch,
    "nsga2": Nsga2,
}


def params(graph: ArchGraph) -> float:
    return SPACE.costs(graph)["params"]


def below(most: float) -> Bounds:
    return Bounds((Condition("params", "<=", most),), {"params": params})


def layers(most: int) -> Bounds:
    return Bounds(
        (Condition("layers", "<=", most),), {"layers": lambda graph: sum(op.name in "abc" for op in graph.ops)}
    )


def test_a_bound_on_what_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidOption, match="latency<=5: not known without evaluation; costs that are: params"):
        Bounds((Condition("latency", "<=", 5.0),), {"params": params})


@pytest.mark.parametrize("name", ["evolution", "nsga2"])
def test_the_initial_population_keeps_the_bound_is_distinct_and_complete(name: str) -> None:
    proposals, _ = MAKERS[name](SPACE, SPACE.canonical, 50, bounds=below(0.3)).propose(
        EMPTY, 50, np.random.default_rng(0)
    )
    assert len({SPACE.canonical(p.graph) for p in proposals}) == 50
    assert max(params(p.graph) for p in proposals) <= 0.3
    assert {p.origin for p in proposals} == {"initial"}


@pytest.mark.parametrize("most", [0.15, 0.4, 0.9])
def test_the_acceptance_is_the_share_of_the_space_that_keeps_the_bound(most: float) -> None:
    _, notes = RandomSearch(SPACE, SPACE.format, below(most)).propose(EMPTY, 400, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    draws = np.array([params(SPACE.sample(rng)) <= most for _ in range(4_000)])
    found = notes["early_exit"]
    assert found["acceptance"] == found["kept"] / found["drawn"]
    variance = draws.var() * (1 / len(draws) + 1 / found["drawn"])
    assert abs(found["acceptance"] - draws.mean()) < 3 * variance**0.5


@pytest.mark.parametrize("name", MAKERS)
def test_every_proposal_of_a_campaign_keeps_the_bound(
    chain: SearchSpace, simulate: Callable[..., History], name: str
) -> None:
    few = {"evolution": {"population": 5, "sample": 2}, "nsga2": {"population": 5, "children": 5}}.get(name, {})
    strategy = MAKERS[name](chain, chain.canonical, bounds=layers(2), **few)
    history = simulate(strategy, lambda graph: {"score": float(len(set(graph.ops)))}, 40)
    assert len(history.trials) == 1 + 3 + 9, "all networks of two layers at most, and no other"
    assert all(layers(2).allow(trial.graph) for trial in history.trials)


def test_children_are_counted_apart(chain: SearchSpace, simulate: Callable[..., History]) -> None:
    strategy = RegularisedEvolution(chain, chain.canonical, 5, 5, layers(2))
    history = simulate(strategy, lambda graph: {"score": float(len(set(graph.ops)))}, 6)
    _, notes = strategy.propose(history, 2, np.random.default_rng(0))
    found = notes["early_exit"]
    assert found["kept_children"] == 2 <= found["children"]
    assert "acceptance" not in found
    assert found["drawn"] == 0


def test_nothing_is_noted_without_bounds(chain: SearchSpace) -> None:
    assert RandomSearch(chain, chain.canonical).propose(EMPTY, 3, np.random.default_rng(0))[1] == {}


def test_a_bound_that_nothing_keeps_is_named(chain: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidOption, match="layers<=-1: no architecture of chain keeps this; widen or drop"):
        draw_random(chain, chain.canonical, set(), 1, rng, "random", Gate(layers(-1)))
    none = Bounds((Condition("size", "<=", 0.0),), {"size": len})
    with pytest.raises(InvalidOption, match=r"size<=0: none of 10,000 random architectures of ofa-mobilenetv3 keeps"):
        draw_random(OfaMobileNetV3(), str, set(), 1, rng, "random", Gate(none))


def test_the_infeasible_are_no_parents_where_others_are(chain: SearchSpace, chain_value: Callable[..., Any]) -> None:
    rng, bound = np.random.default_rng(0), (Condition("cost", "<=", 2.0),)
    drawn = draw_random(chain, chain.canonical, set(), 20, rng, "random")
    trials = tuple(
        Trial(k, k, p, "", chain.canonical(p.graph), "done", chain_value(p.graph)) for k, p in enumerate(drawn)
    )
    history = History(trials, Objective("score"), constraints=bound)
    assert history.best is not None
    assert max(trials, key=history.gain) != history.best
    everybody = RegularisedEvolution(chain, chain.canonical, population=20, sample=20)
    proposals, _ = everybody.propose(history, 3, rng)
    assert {p.parent for p in proposals if p.origin == "mutation"} == {history.best.number}


def test_a_walk_turns_to_what_breaks_a_constraint_less(chain: SearchSpace, simulate: Callable[..., History]) -> None:
    def value(graph: ArchGraph) -> dict[str, float]:
        names = [op.name for op in graph.ops]
        return {"score": float(names.count("c")), "cost": float(names.count("c"))}

    strategy = LocalSearch(chain, chain.canonical)
    history = simulate(strategy, value, 40, constraints=(Condition("cost", "<=", 1.0),))
    walked = {trial.proposal.parent for trial in history.trials}
    steps = [trial for trial in history.trials if trial.number in walked and trial.proposal.parent is not None]
    for trial in steps:
        before = history.trials[trial.proposal.parent or 0]
        assert history.violation(trial) <= history.violation(before)
        assert history.merit(trial) > history.merit(before)
    assert any(history.gain(trial) < history.gain(history.trials[trial.proposal.parent or 0]) for trial in steps)
