"""GraphNAS: whole architectures from one policy that learns, none twice."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from archgen.testing import StrategyContract
from bo.records import History, Objective, Proposal, Trial
from bo.strategies.controller import Learning
from bo.strategies.early_exit import Bounds
from bo.strategies.graphnas import ORIGIN, GraphNas
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph

SPACE = NasBenchGraph()
MAKE = GraphNas(layout_of(SPACE), SPACE.canonical, Learning(0.03, width=16))


def gats(graph: ArchGraph) -> dict[str, float]:
    return {"score": float(sum(op.name == "gat" for op in graph.ops))}


class TestContract(StrategyContract):
    @pytest.fixture(autouse=True)
    def _use_chain(self, chain: SearchSpace) -> None:
        self.space = chain

    def strategy(self, identify: Identify) -> Strategy:
        return GraphNas(layout_of(self.space), identify, Learning(0.02, width=8))


def test_it_learns_what_pays(simulate: Callable[..., History]) -> None:
    history = simulate(MAKE, gats, 70)
    assert {trial.proposal.origin for trial in history.trials} == {ORIGIN}
    scores = [trial.metrics["score"] for trial in history.trials]
    assert np.mean(scores[:20]) < 1.2  # 4 / 9 by chance
    assert np.mean(scores[-20:]) > 1.8


def test_it_learns_only_from_what_it_drew() -> None:
    rng = np.random.default_rng(0)
    graphs = [SPACE.sample(rng) for _ in range(8)]

    def weights(origin: str) -> list[float]:
        trials = tuple(
            Trial(k, k, Proposal(graph, origin), "", SPACE.canonical(graph), "done", gats(graph))
            for k, graph in enumerate(graphs)
        )
        (policy,) = replace(MAKE).controller(History(trials, Objective("score"))).policies
        found: list[float] = policy.places.weight.flatten().tolist()
        return found

    (policy,) = replace(MAKE).controller(History((), Objective("score"))).policies
    assert weights("random") == policy.places.weight.flatten().tolist()
    assert weights(ORIGIN) != weights("random")


def test_the_first_weights_follow_from_the_seed_and_bounds_hold() -> None:
    nothing = History((), Objective("score"))
    bounds = Bounds((Condition("score", ">=", 2.0),), {"score": lambda graph: gats(graph)["score"]})
    proposals, notes = replace(MAKE, bounds=bounds).propose(nothing, 5, np.random.default_rng(0))
    assert all(gats(proposal.graph)["score"] >= 2 for proposal in proposals)
    assert notes["early_exit"]["kept_children"] == 5
    first, again, other = (replace(MAKE, seed=seed).controller(nothing).policies[0].places.weight for seed in (0, 0, 1))
    assert first.equal(again)
    assert not first.equal(other)
