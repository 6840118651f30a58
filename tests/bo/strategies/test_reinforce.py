"""REINFORCE against gradients and averages computed by hand."""

import math

import pytest
import torch

from bo.strategies.recurrent_policy import entropy
from bo.strategies.reinforce import LARGEST, Baseline, reinforce_loss

LOGITS = [0.2, -0.3, 0.5]
EXPS = [math.exp(one) for one in LOGITS]
P = [one / sum(EXPS) for one in EXPS]
CHOSEN = 1


def gradient(advantage: float, bonus: float) -> list[float]:
    logits = torch.tensor([LOGITS], dtype=torch.float64, requires_grad=True)
    log_probs = logits.log_softmax(1)
    reinforce_loss(log_probs[:, CHOSEN], entropy(log_probs), advantage, bonus).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    found: list[float] = logits.grad[0].tolist()
    return found


@pytest.mark.parametrize("advantage", [0.7, -1.5])
def test_the_gradient_is_minus_the_advantage_times_that_of_the_log_probability(advantage: float) -> None:
    by_hand = [-advantage * ((value == CHOSEN) - p) for value, p in enumerate(P)]
    assert gradient(advantage, 0.0) == pytest.approx(by_hand)
    assert math.copysign(1, gradient(advantage, 0.0)[CHOSEN]) == -math.copysign(1, advantage)  # a step goes down it


def test_the_bonus_is_for_entropy() -> None:
    spread = -sum(p * math.log(p) for p in P)
    by_hand = [0.3 * p * (math.log(p) + spread) for p in P]
    assert gradient(0.0, 0.3) == pytest.approx(by_hand)


def test_advantages_are_against_the_mean_before_in_deviations() -> None:
    start = Baseline(decay=0.9)
    assert start.advantage(5.0) == 0.0
    first = start.after(5.0)
    assert (first.mean, first.square) == (5.0, 0.0)
    assert first.advantage(7.0) == 1.0
    second = first.after(7.0)
    assert (second.mean, second.square) == (pytest.approx(5.2), 4.0)
    assert second.advantage(4.2) == pytest.approx(-1.0 / math.sqrt(0.9 * 4.0 + 0.1 * 1.0))
    assert second.advantage(5.2) == 0.0


def test_units_do_not_matter_and_one_bad_reward_has_a_limit() -> None:
    one, other = Baseline(), Baseline()
    for reward in (1.0, 3.0, 2.0, 2.5):
        assert other.advantage(1000 * reward) == pytest.approx(one.advantage(reward))
        one, other = one.after(reward), other.after(1000 * reward)
    for _ in range(50):
        one = one.after(2.0)
    assert one.advantage(-1e6) == -LARGEST
