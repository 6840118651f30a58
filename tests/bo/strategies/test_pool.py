"""Each source of candidates gives what its name says."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bo.campaign import Evaluator
from bo.records import History
from bo.strategies import pool
from bo.strategies.random_search import RandomSearch
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace


@pytest.fixture
def history(chain: SearchSpace, chain_value: Evaluator, simulate: Callable[..., History]) -> History:
    return simulate(RandomSearch(chain, chain.canonical), chain_value, 12)


def no_score(graphs: Sequence[ArchGraph]) -> np.ndarray:
    return np.zeros(len(graphs))


def test_leaders_are_the_best_first_and_the_earlier_of_equals(history: History) -> None:
    gains = sorted((-history.gain(t), t.number) for t in history.trials)
    assert [t.number for t in pool.leaders(history, 5)] == [number for _, number in gains[:5]]
    assert len(pool.leaders(history, 99)) == 12


def test_neighbours_are_all_those_of_the_leaders(chain: SearchSpace, history: History) -> None:
    found = pool.neighbours_of_leaders(chain, 2)(history, no_score, np.random.default_rng(0))
    wanted = [(t.number, graph) for t in pool.leaders(history, 2) for graph in chain.neighbours(t.graph)]
    assert [(p.parent, p.graph) for p in found] == wanted
    assert {p.origin for p in found} == {"neighbour"}


def test_mutants_are_one_to_three_mutations_from_a_leader(chain: SearchSpace, history: History) -> None:
    found = pool.mutants_of_leaders(chain, 2, 80)(history, no_score, np.random.default_rng(0))
    within: dict[int, list[set[ArchGraph]]] = {}
    for leader in pool.leaders(history, 2):
        rings = [{leader.graph}]
        for _ in range(3):
            rings.append({graph for inner in rings[-1] for graph in chain.neighbours(inner)})
        within[leader.number] = rings
    assert len(found) == 80
    for proposal in found:
        assert proposal.parent is not None
        assert proposal.graph in set.union(*within[proposal.parent][1:])
    assert {p.parent for p in found} == set(within)
    only_one = pool.mutants_of_leaders(chain, 1, 30, most=1)(history, no_score, np.random.default_rng(1))
    best = pool.leaders(history, 1)[0]
    assert {p.graph for p in only_one} <= set(chain.neighbours(best.graph))


def test_random_draws_and_lists(chain: SearchSpace, history: History) -> None:
    drawn = pool.random_draws(chain, 7)(history, no_score, np.random.default_rng(3))
    again = np.random.default_rng(3)
    assert [p.graph for p in drawn] == [chain.sample(again) for _ in range(7)]
    listed = pool.listed(chain.networks)(history, no_score, np.random.default_rng(0))
    assert [p.graph for p in listed] == list(chain.networks)
    assert {p.origin for p in drawn + listed} == {"random", "listed"}
