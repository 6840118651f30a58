"""Controllers: what pays becomes more probable, parts that are kept stay, entropies are those of the decisions."""

import math

import numpy as np
import pytest
import torch

from bo.strategies.controller import Controller, Learning
from bo.strategies.decisions import Decisions
from graphs.layout import layout_of
from graphs.spaces.free_dag import FreeDag
from graphs.spaces.nas_bench_graph import NasBenchGraph

DECISIONS = Decisions(layout_of(NasBenchGraph()))
WIRING, OP = 0, 1
ROW = torch.tensor([[0, 3, 1, 2, 3, 4]])
OTHER = torch.tensor([[0, 3, 5, 5, 6, 7]])


def controller(rate: float = 0.01, told: bool = True) -> Controller:
    parts = DECISIONS.classes if told else [DECISIONS.order]
    return Controller(DECISIONS, parts, Learning(rate, width=16, bonus=0.0), 0, told=told)


def likelihood(made: Controller, row: torch.Tensor, told: torch.Tensor | None) -> float:
    with torch.no_grad():
        return float(sum(made._look_back(row, told, range(len(made.parts)))[0].values()))


@pytest.mark.parametrize("told", [False, True])
def test_what_pays_becomes_more_probable_and_what_does_not_less(told: bool) -> None:
    given = OTHER if told else None
    for advantage in (1.0, -1.0):
        made = controller(told=told)
        before = likelihood(made, ROW, given)
        made.learn(ROW, given, range(len(made.parts)), advantage)
        assert math.copysign(1, likelihood(made, ROW, given) - before) == advantage


def test_only_the_parts_that_drew_learn() -> None:
    made = controller()
    weights = [[w.clone() for w in policy.parameters()] for policy in made.policies]
    made.learn(ROW, OTHER, {OP}, 1.0)
    same = [
        all(torch.equal(w, new) for w, new in zip(old, policy.parameters(), strict=True))
        for old, policy in zip(weights, made.policies, strict=True)
    ]
    assert same == [True, False]


def test_classes_that_are_not_redrawn_stay() -> None:
    made, rng = controller(), np.random.default_rng(0)
    rows = made.draw(50, rng, ROW, {OP})
    assert bool((rows[:, 1] == 3).all())
    assert len(set(rows[:, 2].tolist())) == 9
    rows = made.draw(50, rng, ROW, {WIRING})
    assert torch.equal(rows[:, 2:], ROW[:, 2:].expand(50, -1))
    assert len(set(rows[:, 1].tolist())) == 9


def test_what_no_longer_can_be_is_drawn_anew() -> None:
    space = FreeDag("small-dag", 5, 6, ("a", "b"))
    decisions = Decisions(layout_of(space))
    made = Controller(decisions, decisions.classes, Learning(0.01, width=8), 0, told=True)
    row = decisions.read([space.parse("a,b,a|0>1,1>2,2>3,3>4")])
    rows = made.draw(40, np.random.default_rng(0), row, {decisions.names.index("start")})
    graphs = decisions.write(rows)
    assert {len(graph) for graph in graphs} >= {4, 5}
    for graph in graphs:
        space.check(graph)
        assert len(graph) < 5 or space.format(graph) == "a,b,a|0>1,1>2,2>3,3>4"


def test_entropies_are_shares_of_a_uniform_draw_s() -> None:
    made = controller(rate=0.1)
    assert made.entropies(ROW) == pytest.approx([1.0, 1.0], abs=0.01)
    for _ in range(60):
        made.learn(ROW, ROW, {OP}, 1.0)
    sure = made.entropies(ROW)
    assert sure[WIRING] > 0.99
    assert sure[OP] < 0.5
    _, entropies, most = made._look_back(ROW, ROW, [OP])
    assert list(most.values()) == pytest.approx([math.log(9)] * 4)
    mean = sum(float(entropies[one].detach()) for one in DECISIONS.classes[OP]) / (4 * math.log(9))
    assert sure[OP] == pytest.approx(mean)


def test_a_bandit_is_learned_from_rewards_alone() -> None:
    made, rng = controller(rate=0.03, told=False), np.random.default_rng(0)
    wanted = torch.tensor([4, 2, 2, 2, 2])
    rewards = []
    for _ in range(150):
        row = made.draw(1, rng)
        reward = float((row[0, 1:] == wanted).sum())
        made.learn(row, None, {0}, made.baseline.advantage(reward))
        made.baseline = made.baseline.after(reward)
        rewards.append(reward)
    assert np.mean(rewards[:20]) < 1.5  # 5 / 9 by chance
    assert np.mean(rewards[-50:]) > 3.0
