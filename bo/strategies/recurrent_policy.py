"""A recurrent policy: an LSTM that makes decisions one after another, each knowing those before it.

That of GraphNAS (Gao et al. 2019), which has it from ENAS (Pham et al. 2018): weights uniform in [-0.1, 0.1], logits
2.5 tanh(logits / temperature), one head for all decisions of a kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bo.strategies.decisions import Decisions

SCALE = 0.1
LARGEST_LOGIT = 2.5
State = tuple[Tensor, Tensor]


class RecurrentPolicy(nn.Module):
    """Some decisions in their order, given a whole architecture if it is told one.

    Args:
        decisions: all decisions.
        mine: those that it makes.
        generator: where the first weights come from.
        told: whether `begin` takes rows.
        width: of the LSTM.
        temperature: what logits are divided by.
    """

    def __init__(
        self,
        decisions: Decisions,
        mine: Sequence[int],
        generator: torch.Generator,
        *,
        told: bool,
        width: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.mine, self.width, self.temperature = tuple(mine), width, temperature
        kinds = {one: (decisions.class_of[one], decisions.sizes[one]) for one in self.mine}
        heads = list(dict.fromkeys(kinds.values()))
        self._head = {one: heads.index(kind) for one, kind in kinds.items()}
        self.cell = nn.LSTMCell(width, width)
        self.heads = nn.ModuleList(nn.Linear(width, size) for _, size in heads)
        self.values = nn.ModuleList(nn.Embedding(size, width) for _, size in heads)
        self.places = nn.Embedding(len(self.mine), width)
        self.told = nn.Embedding(sum(decisions.sizes), width) if told else None
        self._first = torch.tensor([0, *decisions.sizes[:-1]]).cumsum(0)
        for name, weights in self.named_parameters():
            with torch.no_grad():
                weights.uniform_(-SCALE, SCALE, generator=generator)
                if name.startswith("heads") and name.endswith("bias"):
                    weights.zero_()

    def begin(self, count: int, rows: Int[Tensor, "b s"] | None = None) -> State:
        """The state before the first decision, which knows `rows` where the policy is told them."""
        hidden = torch.zeros(count, self.width)
        if self.told is not None:
            assert rows is not None
            hidden = hidden + self.told(rows + self._first).sum(1)
        return hidden, torch.zeros(count, self.width)

    def step(self, place: int, before: Int[Tensor, " b"] | None, state: State) -> State:
        """The state at the decision `mine[place]`.

        Args:
            place: number of the decision among its own.
            before: the values of the one before; None for the first.
            state: at the one before.
        """
        inputs = self.places.weight[place].expand(len(state[0]), -1)
        if before is not None:
            inputs = inputs + self.values[self._head[self.mine[place - 1]]](before)
        hidden, memory = self.cell(inputs, state)
        return hidden, memory

    def log_probs(self, place: int, state: State, allowed: Bool[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Log-probabilities of the decision `mine[place]` at its state, minus infinity where it is not allowed."""
        logits = self.heads[self._head[self.mine[place]]](state[0]) / self.temperature
        log_probs: Tensor = (LARGEST_LOGIT * logits.tanh()).masked_fill(~allowed, -torch.inf).log_softmax(1)
        return log_probs


class Walk:
    """Policies that walk through the decisions of rows together, each at its own ones.

    Args:
        policies: one for each part of the decisions.
        count: rows.
        told: rows that policies are told.
    """

    def __init__(self, policies: Sequence[RecurrentPolicy], count: int, told: Int[Tensor, "b s"] | None) -> None:
        self._at = {one: (policy, place) for policy in policies for place, one in enumerate(policy.mine)}
        self._count, self._told = count, told
        self._states: dict[int, tuple[int, State]] = {}
        self._made: dict[int, Int[Tensor, " b"]] = {}

    def look(self, decision: int, allowed: Bool[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Log-probabilities of a decision's values; its policy first walks past those that nobody looked at."""
        policy, place = self._at[decision]
        passed, state = self._states.get(id(policy)) or (0, policy.begin(self._count, self._told))
        for at in range(passed, place + 1):
            state = policy.step(at, self._made[policy.mine[at - 1]] if at else None, state)
        self._states[id(policy)] = place + 1, state
        return policy.log_probs(place, state, allowed)

    def make(self, decision: int, values: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """Note what was decided."""
        self._made[decision] = values
        return values


def draw(log_probs: Float[Tensor, "b k"], uniforms: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
    """Values with these probabilities, by inversion of their distribution at uniform numbers."""
    reached = log_probs.exp().double().cumsum(1)
    values = (reached <= (uniforms * reached[:, -1])[:, None]).sum(1)
    return values.clamp(max=log_probs.shape[1] - 1)


def entropy(log_probs: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
    """The entropies of distributions, in nats; what is not allowed adds nothing."""
    return -(log_probs.exp() * log_probs.masked_fill(log_probs == -torch.inf, 0.0)).sum(1)
