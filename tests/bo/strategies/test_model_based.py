"""The model-based step, with a small real surrogate on a space that can be scored whole."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from bo.acquisition import score
from bo.beliefs import fit_beliefs
from bo.campaign import Evaluator
from bo.records import History, Objective, Proposal, Trial
from bo.strategies import pool
from bo.strategies.model_based import ModelBased, Source
from bo.surrogate import GraphScore, Surrogate
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

Make = Callable[..., ModelBased]


@pytest.fixture
def make(chain: SearchSpace, surrogate: Callable[[], Surrogate]) -> Make:
    def build(*sources: Source, initial: int = 6) -> ModelBased:
        return ModelBased(chain, chain.canonical, surrogate, sources or (pool.listed(chain.networks),), initial)

    return build


@pytest.fixture
def history(make: Make, chain_value: Evaluator, simulate: Callable[..., History]) -> History:
    """Nine evaluated trials."""
    return simulate(make(), chain_value, 9)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_first_trials_are_random_and_no_step_reaches_beyond_them(make: Make, history: History) -> None:
    assert [t.proposal.origin for t in history.trials] == ["initial"] * 6 + ["listed"] * 3
    four = replace(history, trials=history.trials[:4])
    proposals, notes = make().propose(four, 5, rng())
    assert [p.origin for p in proposals] == ["initial"] * 2
    assert notes == {}


def test_two_values_are_needed_for_a_fit(make: Make, history: History) -> None:
    failed = [replace(t, status="failed", metrics={}) for t in history.trials[:8]]
    for done in (0, 1):
        trials = (*failed, *history.trials[8 : 8 + done])
        ((proposal,), _) = make().propose(replace(history, trials=trials), 3, rng())
        assert proposal.origin == "initial"
        assert proposal.mean is None


def test_a_step_takes_the_best_log_ei_and_says_what_it_expects(
    make: Make, history: History, chain: SearchSpace, surrogate: Callable[[], Surrogate]
) -> None:
    ((proposal,), notes) = make().propose(history, 1, rng())
    model = surrogate()
    model.fit([t.graph for t in history.done], np.array([t.metrics["score"] for t in history.done]))
    new = [graph for graph in chain.networks if chain.canonical(graph) not in history.seen]
    values = score(fit_beliefs(history, surrogate, {}), history)(new)
    assert proposal.graph == new[int(values.argmax())]
    assert proposal.acquisition == pytest.approx(values.max())
    mean, std = model.predict([proposal.graph])
    assert (proposal.mean, proposal.std) == (pytest.approx(mean[0]), pytest.approx(std[0]))
    assert notes["pool"] == {"listed": 40 - 9}


def test_it_finds_the_best_of_forty_networks_soon(
    make: Make, chain_value: Evaluator, simulate: Callable[..., History]
) -> None:
    for seed in range(3):
        best = simulate(make(), chain_value, 20, seed).best
        assert best is not None
        assert best.arch == "c-c-c"


def test_minimising_turns_the_prediction_back(make: Make, history: History) -> None:
    turned = tuple(replace(t, metrics={"score": -t.metrics["score"]}) for t in history.trials)
    ((up,), _) = make().propose(history, 1, rng())
    ((down,), _) = make().propose(History(turned, Objective("score", maximize=False)), 1, rng())
    assert down.graph == up.graph
    assert up.mean is not None
    assert (down.mean, down.std) == (-up.mean, up.std)


def test_the_pool_names_each_new_network_once_and_by_its_first_source(
    make: Make, history: History, chain: SearchSpace
) -> None:
    graphs = list(chain.enumerate())  # 64 descriptions of 40 networks, those known included

    def first(*_: object) -> list[Proposal]:
        return [Proposal(graph, "random") for graph in graphs[::3]]

    _, notes = make(first, pool.listed(graphs)).propose(history, 1, rng())
    new = {chain.canonical(g) for g in graphs} - history.seen
    by_first = {chain.canonical(g) for g in graphs[::3]} - history.seen
    assert notes["pool"] == {"random": len(by_first), "listed": len(new - by_first)}


def test_a_pool_of_known_networks_only_is_answered_by_random_draws(make: Make, history: History) -> None:
    proposals, _ = make(pool.listed([t.graph for t in history.trials])).propose(history, 2, rng())
    assert [p.origin for p in proposals] == ["random"] * 2


def test_a_batch_is_distinct_and_the_pending_are_left_alone(make: Make, history: History, chain: SearchSpace) -> None:
    batch, _ = make().propose(history, 4, rng())
    assert len({chain.canonical(p.graph) for p in batch}) == 4
    waiting = Trial(9, 9, batch[0], "", chain.canonical(batch[0].graph))
    ((other,), _) = make().propose(replace(history, trials=(*history.trials, waiting)), 1, rng())
    assert chain.canonical(other.graph) != waiting.identity


def test_sources_get_log_ei_as_their_score(make: Make, history: History, chain: SearchSpace) -> None:
    scores: list[np.ndarray] = []

    def ask(_: History, score: GraphScore, __: np.random.Generator) -> list[Proposal]:
        graphs = list(chain.enumerate())
        scores.extend((score(graphs), score(graphs[::-1])[::-1]))
        return pool.listed(graphs)(_, score, __)

    ((proposal,), _) = make(ask).propose(history, 1, rng())
    assert (scores[0] == scores[1]).all(), "each network is scored once"
    by_network: dict[str, set[float]] = {}
    for graph, value in zip(chain.enumerate(), scores[0], strict=True):
        by_network.setdefault(chain.canonical(graph), set()).add(float(value))
    assert {len(values) for values in by_network.values()} == {1}, "descriptions of a network score the same"
    assert proposal.acquisition is not None


def test_what_one_process_has_seen_does_not_change_the_next_proposal(make: Make, history: History) -> None:
    old = make()
    for length in range(6, 9):
        old.propose(replace(history, trials=history.trials[:length]), 1, rng())
    assert old.propose(history, 1, rng(4))[0] == make().propose(history, 1, rng(4))[0]


class Drawer:
    """A generator that draws from a fixed list, the best scores first."""

    def __init__(self, graphs: Sequence[ArchGraph]) -> None:
        self.graphs = graphs

    def draw(self, count: int, score: GraphScore, seed: int) -> list[ArchGraph]:
        order = np.argsort(-score(self.graphs), kind="stable")
        return [self.graphs[int(k)] for k in order[:count]]


def test_a_generator_takes_part(make: Make, history: History, chain: SearchSpace) -> None:
    ((best,), _) = make().propose(history, 1, rng())
    new = [graph for graph in chain.networks if chain.canonical(graph) not in history.seen]
    ((drawn,), notes) = make(pool.generated(Drawer(new), 3)).propose(history, 1, rng())
    assert drawn == replace(best, origin="generator")
    assert notes["pool"] == {"generator": 3}
