"""The recurrent policy: distributions over what is allowed, drawn with their probabilities; an LSTM by hand."""

import math

import pytest
import torch

from bo.strategies.decisions import Decisions
from bo.strategies.recurrent_policy import LARGEST_LOGIT, RecurrentPolicy, Walk, draw, entropy
from graphs.layout import layout_of
from graphs.spaces.nas_bench_graph import NasBenchGraph

DECISIONS = Decisions(layout_of(NasBenchGraph()))


def policy(seed: int = 0, told: bool = False, mine: tuple[int, ...] = DECISIONS.order) -> RecurrentPolicy:
    generator = torch.Generator().manual_seed(seed)
    return RecurrentPolicy(DECISIONS, mine, generator, told=told, width=6, temperature=5.0)


def test_weights_follow_from_the_generator_and_lie_within_a_tenth() -> None:
    first, again, other = (torch.cat([w.detach().flatten() for w in policy(seed).parameters()]) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.09 < float(first.abs().max()) <= 0.1


def test_log_probabilities_are_those_of_an_lstm_computed_by_hand() -> None:
    made = policy()
    allowed = torch.ones(1, 9, dtype=torch.bool)
    walk = Walk([made], 1, None)
    found = [walk.look(1, allowed)]
    walk.make(1, torch.tensor([4]))
    found.append(walk.look(2, allowed))
    cell, hidden, memory = made.cell, torch.zeros(6), torch.zeros(6)
    inputs = [made.places.weight[0], made.places.weight[1] + made.values[0].weight[4]]
    for given, head, log_probs in zip(inputs, made.heads, found, strict=True):
        gates = cell.weight_ih @ given + cell.bias_ih + cell.weight_hh @ hidden + cell.bias_hh
        i, f, g, o = gates.split(6)
        memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * memory.tanh()
        logits = LARGEST_LOGIT * ((head.weight @ hidden + head.bias) / 5.0).tanh()  # type: ignore[operator]
        torch.testing.assert_close(log_probs[0], logits.log_softmax(0))


def test_only_what_is_allowed_has_a_probability() -> None:
    allowed = torch.zeros(1, 9, dtype=torch.bool)
    allowed[0, [2, 5]] = True
    log_probs = Walk([policy()], 1, None).look(1, allowed)
    assert float(log_probs.exp().sum()) == pytest.approx(1)
    assert (log_probs > -torch.inf).tolist() == allowed.tolist()
    assert 0 < float(entropy(log_probs)) <= math.log(2) + 1e-6


def test_what_it_is_told_changes_what_it_decides() -> None:
    made = policy(told=True)
    rows = torch.tensor([[0, 0, 1, 2, 3, 4], [0, 8, 1, 2, 3, 5]])
    log_probs = Walk([made], 2, rows).look(1, torch.ones(2, 9, dtype=torch.bool))
    assert not torch.allclose(log_probs[0], log_probs[1])


def test_draws_have_their_probabilities() -> None:
    p = torch.tensor([0.0, 0.5, 0.0, 0.2, 0.3, 0.0])
    count = 10_000
    grid = (torch.arange(count).double() + 0.5) / count
    values = draw(p.log().expand(count, -1), grid)
    assert (values.bincount(minlength=6) / count).tolist() == pytest.approx(p.tolist(), abs=1e-3)
    assert draw(p.log()[None], torch.zeros(1).double()).tolist() == [1]
