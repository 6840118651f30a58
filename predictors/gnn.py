"""GraphMembers: graph neural networks on architectures, with messages along and against edges and along paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from predictors.graph_inputs import RELATIONS, GraphTensors
from predictors.members import MemberLinear, MemberNorm, Members


@dataclass(frozen=True)
class GnnSize:
    """Of each member.

    Args:
        width: numbers a node.
        layers: rounds of messages.
        hidden: numbers between the pooled nodes and the output.
        dropout: share of numbers that a training step hides.
    """

    width: int = 32
    layers: int = 3
    hidden: int = 128
    dropout: float = 0.2


class _Layer(nn.Module):
    """x + W relu(norm(sum over relations of messages)), as GIN but with a map for each relation (Xu et al. 2019)."""

    def __init__(self, members: int, size: GnnSize, rng: torch.Generator) -> None:
        super().__init__()
        width = size.width
        self.own = MemberLinear(members, width, width, rng, gain=(1 + RELATIONS) ** -0.5)
        self.others = MemberLinear(members, RELATIONS * width, width, rng, gain=(RELATIONS / (1 + RELATIONS)) ** 0.5)
        self.norm = MemberNorm(members, width)
        self.update = MemberLinear(members, width, width, rng)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Float[Tensor, "e mn d"], relations: Float[Tensor, "m rn n"]) -> Float[Tensor, "e mn d"]:
        (e, _, d), (m, _, n) = x.shape, relations.shape
        side_by_side = x.view(e, m, n, d).permute(1, 2, 0, 3).reshape(m, n, e * d)
        gathered = (relations @ side_by_side).view(m, RELATIONS, n, e, d)
        gathered = gathered.permute(3, 0, 2, 1, 4).reshape(e, m * n, RELATIONS * d)
        hidden = self.norm(self.own(x) + self.others(gathered)).relu()
        if self.training:  # one choice for all nodes of a graph, which is drawn sooner
            kept = self.dropout(x.new_ones(e, m, 1, d))
            hidden = (hidden.view(e, m, n, d) * kept).view(e, m * n, d)
        found: Tensor = x + self.update(hidden)
        return found


@final
class GraphMembers(Members[GraphTensors]):
    """Encoders of e members, each with a perceptron on its pooled nodes.

    Args:
        members: e.
        inputs: numbers a node, `GraphInputs.width`.
        outputs: numbers a graph.
        size: of each member.
        rng: where the weights come from.
    """

    def __init__(self, members: int, inputs: int, outputs: int, size: GnnSize, rng: torch.Generator) -> None:
        super().__init__()
        self.first = MemberLinear(members, inputs, size.width, rng)
        self.layers = nn.ModuleList([_Layer(members, size, rng) for _ in range(size.layers)])
        self.norm = MemberNorm(members, 3 * size.width)
        self.hidden = MemberLinear(members, 3 * size.width, size.hidden, rng)
        self.dropout = nn.Dropout(size.dropout)
        self.last = MemberLinear(members, size.hidden, outputs, rng, gain=0.5)

    def forward(self, inputs: GraphTensors) -> Float[Tensor, "e m o"]:
        """From the mean node, the sum of nodes and the output node."""
        m, n, c = inputs.nodes.shape
        members = len(self.first.weight)
        x = self.first(inputs.nodes.reshape(1, m * n, c).expand(members, -1, -1))
        relations = inputs.relations.flatten(1, 2)
        for layer in self.layers:
            x = layer(x, relations)
        share = inputs.present / inputs.present.sum(1, keepdim=True)
        pools = torch.stack([share, inputs.present / 8, inputs.ends], 1)
        pooled = torch.einsum("mpn,emnd->empd", pools, x.view(members, m, n, -1)).flatten(2)
        hidden = self.hidden(self.dropout(self.norm(pooled))).relu()
        found: Tensor = self.last(self.dropout(hidden))
        return found

    def start_from(self, other: GraphMembers) -> None:
        """Take the weights of another's members in turn, all but the last map's."""
        own, count = dict(self.named_parameters()), len(self.first.weight)
        with torch.no_grad():
            for name, value in other.named_parameters():
                if not name.startswith("last."):
                    own[name].copy_(value[torch.arange(count) % len(value)])
