"""A controller's state follows from the history: bit for bit the same whether it was there all along or begins anew."""

from dataclasses import replace

import numpy as np
import torch

from bo.records import History, Objective, Proposal, Trial
from bo.strategies.controller import Controller, Learning
from bo.strategies.decisions import Decisions
from bo.strategies.early_exit import UNBOUNDED, Gate
from bo.strategies.follower import DRAWS, Follower, draw_unseen
from graphs.condition import Condition
from graphs.layout import layout_of
from graphs.spaces.nas_bench_graph import NasBenchGraph

SPACE = NasBenchGraph()
DECISIONS = Decisions(layout_of(SPACE))


def history(count: int, seed: int = 0) -> History:
    rng = np.random.default_rng(seed)
    graphs = [SPACE.sample(rng) for _ in range(count)]
    metrics = [{"score": float(rng.normal()), "cost": float(rng.integers(3))} for _ in range(count)]
    return History(
        tuple(
            Trial(k, k, Proposal(graph, "controller"), "", SPACE.canonical(graph), "done", one)
            for k, (graph, one) in enumerate(zip(graphs, metrics, strict=True))
        ),
        Objective("score"),
    )


def teach(controller: Controller, _history: History, trial: Trial, advantage: float) -> None:
    controller.learn(DECISIONS.read([trial.graph]), None, (0,), advantage)


def follower(taught: list[tuple[int, float]] | None = None) -> Follower:
    def note(controller: Controller, told: History, trial: Trial, advantage: float) -> None:
        if taught is not None:
            taught.append((trial.number, advantage))
        teach(controller, told, trial, advantage)

    return Follower(
        lambda: Controller(DECISIONS, [DECISIONS.order], Learning(0.01, width=8), 0, told=False),
        note,
    )


def weights(controller: Controller) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for policy in controller.policies for w in policy.parameters()])


def first(whole: History, count: int) -> History:
    return replace(whole, trials=whole.trials[:count])


def test_step_by_step_is_all_at_once() -> None:
    whole, old = history(12), follower()
    for count in (1, 2, 5, 12):
        found = old.follow(first(whole, count))
    anew = follower().follow(whole)
    assert torch.equal(weights(found), weights(anew))
    assert found.baseline == anew.baseline


def test_another_history_begins_anew_and_the_same_one_teaches_nothing_twice() -> None:
    whole, other, taught = history(6), history(6, seed=1), list[tuple[int, float]]()
    old = follower(taught)
    before = weights(old.follow(whole))
    old.follow(other)
    assert torch.equal(weights(old.follow(whole)), before)
    assert len(taught) == 18
    old.follow(whole)
    assert len(taught) == 18
    shorter = weights(old.follow(first(whole, 3)))
    assert torch.equal(shorter, weights(follower().follow(first(whole, 3))))


def test_it_waits_for_the_first_pending_trial_and_learns_nothing_from_failures() -> None:
    whole, taught = history(8), list[tuple[int, float]]()
    trials = list(whole.trials)
    trials[2] = replace(trials[2], status="failed", metrics={})
    waiting = [*trials[:5], replace(trials[5], status="pending", metrics={}), *trials[6:]]
    old = follower(taught)
    old.follow(replace(whole, trials=tuple(waiting)))
    assert [number for number, _ in taught] == [0, 1, 3, 4]
    found = old.follow(replace(whole, trials=tuple(trials)))
    assert [number for number, _ in taught] == [0, 1, 3, 4, 5, 6, 7]
    assert torch.equal(weights(found), weights(follower().follow(replace(whole, trials=tuple(trials)))))


def test_what_breaks_a_constraint_is_a_deviation_below_the_mean_whatever_its_gain() -> None:
    taught = list[tuple[int, float]]()
    whole = replace(history(10), constraints=(Condition("cost", "<=", 1.0),))
    found = follower(taught).follow(whole)
    broken = [trial.number for trial in whole.trials if trial.metrics["cost"] > 1]
    assert broken
    assert {advantage for number, advantage in taught if number in broken} == {-1.0}
    kept = replace(whole, trials=tuple(trial for trial in whole.trials if trial.number not in broken))
    assert follower().follow(kept).baseline == found.baseline


def test_known_architectures_are_drawn_again_and_more_at_once() -> None:
    made, asked = follower().follow(history(0)), list[int]()
    row = DECISIONS.read([SPACE.parse("0012|gat|gcn|skip|fc")])

    def draw(count: int) -> torch.Tensor:
        asked.append(count)
        return row.expand(count, -1)

    seen = set[str]()
    assert len(draw_unseen(draw, made, 2, SPACE.canonical, seen, Gate(UNBOUNDED))) == 1
    assert asked == list(DRAWS)
    assert len(seen) == 1
    assert draw_unseen(draw, made, 1, SPACE.canonical, seen, Gate(UNBOUNDED)) == []
