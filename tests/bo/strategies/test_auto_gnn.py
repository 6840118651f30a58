"""Auto-GNN's search: the classes with the largest entropies are mutated, the incumbent is the best so far."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from archgen.testing import StrategyContract
from bo.records import History, Objective, Trial
from bo.strategies.auto_gnn import AutoGnn
from bo.strategies.controller import Learning
from bo.strategies.decisions import Decisions
from bo.strategies.early_exit import Bounds
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph

SPACE = NasBenchGraph()
LAYOUT = layout_of(SPACE)
DECISIONS = Decisions(LAYOUT)
WIRING, OP = 0, 1
MAKE = AutoGnn(LAYOUT, SPACE.canonical, Learning(0.02, width=16))


def gats(graph: ArchGraph) -> dict[str, float]:
    """The best are four GATs, and of them those with few leaves."""
    count, leaves = sum(op.name == "gat" for op in graph.ops), len(graph.predecessors[-1])
    return {"score": count - 0.01 * leaves, "cost": float(sum(op.name == "cheb" for op in graph.ops))}


class TestContract(StrategyContract):
    @pytest.fixture(autouse=True)
    def _use_chain(self, chain: SearchSpace) -> None:
        self.space = chain

    def strategy(self, identify: Identify) -> Strategy:
        return AutoGnn(layout_of(self.space), identify, Learning(0.02, width=8), initial=2)


@pytest.fixture(scope="module")
def history() -> History:
    return run(MAKE, 15)


def run(strategy: AutoGnn, budget: int, anew: bool = False) -> History:
    """A campaign of one process, or of one that is killed after every step."""
    told = History((), Objective("score"))
    for step in range(budget):
        living = replace(strategy) if anew else strategy
        ((proposal,), _) = living.propose(told, 1, np.random.default_rng([0, step]))
        identity = SPACE.canonical(proposal.graph)
        trial = Trial(step, step, proposal, str(step), identity, "done", gats(proposal.graph))
        told = replace(told, trials=(*told.trials, trial))
    return told


def test_the_incumbent_is_replaced_only_by_a_better_child(history: History) -> None:
    assert [trial.proposal.origin for trial in history.trials] == ["initial"] + ["mutation"] * 14
    incumbent = history.trials[0]
    for trial in history.trials[1:]:
        assert trial.proposal.parent == incumbent.number
        if history.gain(trial) > history.gain(incumbent):
            incumbent = trial
    assert incumbent.number > 0


def test_without_conservation_each_child_has_a_child() -> None:
    parents = [trial.proposal.parent for trial in run(replace(MAKE, conservative=False), 12).trials]
    assert parents == [None, *range(11)]


def test_children_differ_from_the_incumbent_in_the_chosen_classes_alone(history: History) -> None:
    for count in (2, 8, 14):
        told = replace(history, trials=history.trials[:count])
        proposals, notes = replace(MAKE).propose(told, 2, np.random.default_rng(count))
        parent, *children = DECISIONS.read([told.trials[notes["incumbent"]].graph, *(p.graph for p in proposals)])
        differ = {
            DECISIONS.names[DECISIONS.class_of[one]]
            for row in children
            for one in (row != parent).nonzero()[:, 0].tolist()
        }
        assert differ == set(notes["mutated"])


def test_the_classes_with_the_largest_entropies_are_chosen(history: History) -> None:
    rng = np.random.default_rng(0)
    entropies = np.array([0.5, 0.9, 0.2, 0.9])
    assert MAKE.order(entropies, rng) == [1, 3, 0, 2]
    unguided = {replace(MAKE, guided=False).order(entropies, rng)[0] for _ in range(50)}
    assert unguided == {0, 1, 2, 3}
    for count in (2, 3, 4, 5):
        _, notes = replace(MAKE).propose(replace(history, trials=history.trials[:count]), 1, rng)
        found = notes["entropies"]
        assert notes["mutated"] == [max(found, key=found.__getitem__)]


def test_a_campaign_that_is_killed_after_every_step_is_the_uninterrupted_one(history: History) -> None:
    assert run(MAKE, 15, anew=True) == history


def test_a_policy_learns_only_where_child_and_parent_differ(history: History) -> None:
    told = replace(history, trials=history.trials[:2])
    rows = DECISIONS.read([trial.graph for trial in told.trials])
    changed = {DECISIONS.class_of[one] for one in (rows[0] != rows[1]).nonzero()[:, 0].tolist()}
    assert len(changed) == 1
    learner = replace(MAKE)
    weights = [
        policy.places.weight.clone() for policy in learner.controller(replace(told, trials=told.trials[:1])).policies
    ]
    after = replace(told, trials=(told.trials[0], replace(told.trials[1], metrics={"score": 9.0})))
    moved = [
        not (old == policy.places.weight).all()
        for old, policy in zip(weights, learner.controller(after).policies, strict=True)
    ]
    assert moved == [kind in changed for kind in (WIRING, OP)]


# In a process of its own: checking every shape and type would take many times as long.
COMPARED = """
import sys
import numpy as np
from bo.records import History, Objective, Trial
from bo.strategies.auto_gnn import AutoGnn
from bo.strategies.controller import Learning
from bo.strategies.random_search import RandomSearch
from graphs.layout import layout_of
from graphs.spaces.nas_bench_graph import NasBenchGraph

space = NasBenchGraph()
strategies = {
    "auto-gnn": AutoGnn(layout_of(space), space.canonical, Learning(0.02)),
    "random": RandomSearch(space, space.canonical),
}
for strategy in strategies.values():
    best = []
    for seed in range(8):
        trials = ()
        for step in range(60):
            rng = np.random.default_rng([seed, step])
            (proposal,), _ = strategy.propose(History(trials, Objective("score")), 1, rng)
            value = float(sum(op.name == "gat" for op in proposal.graph.ops))
            trials += (Trial(step, step, proposal, "", space.canonical(proposal.graph), "done", {"score": value}),)
        best.append(max(trial.metrics["score"] for trial in trials))
    print(np.mean(best))
"""


def test_it_finds_better_ones_than_random_search() -> None:
    """Graphs of as many GATs as can be, of which there are four at most."""
    done = subprocess.run([sys.executable, "-c", COMPARED], stdout=subprocess.PIPE, text=True, check=True)
    learned, random = map(float, done.stdout.split())
    assert learned >= random + 0.5


def test_bounds_hold_for_every_child(simulate: Callable[..., History]) -> None:
    bounds = Bounds((Condition("cost", "<=", 0.0),), {"cost": lambda graph: gats(graph)["cost"]})
    found = simulate(replace(MAKE, bounds=bounds), gats, 12)
    assert all(trial.metrics["cost"] == 0 for trial in found.trials)
