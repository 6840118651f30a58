"""The denoiser: a small transformer over a graph's nodes that sees edges, known or unknown, as attention biases."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphs.layout import PRESENT, UNKNOWN, Layout

STATES = UNKNOWN + 1
IMPOSSIBLE = -1e9
"""The logit of a value that a slot does not have."""
DEGREES = 12


@dataclass(frozen=True)
class DenoiserConfig:
    """Size of the network.

    Args:
        width: features of a node.
        layers: attention blocks.
        heads: attention heads; divides `width`.
        levels: whether it takes a level of guidance, see `archgen.diffusion.tilting`.
    """

    width: int = 64
    layers: int = 3
    heads: int = 4
    levels: bool = False


class Denoiser(nn.Module):
    """Predicts the clean value of every slot from a partly hidden row.

    The number of hidden slots tells the time, so there is no time input (Sahoo et al. 2024, section 3.5). Where edges
    vary, each node also sees how many known and unknown edges it has: forced values become easy to see.

    Args:
        layout: gives slots, nodes and edges.
        config: the size.
    """

    def __init__(self, layout: Layout, config: DenoiserConfig) -> None:
        super().__init__()
        self.layout = layout
        self.config = config
        d = config.width
        self.choices = max(layout.sizes)
        self.varying = layout.wired or bool(layout.edge_slots)
        tokens = range(layout.nodes) if self.varying else sorted({node for node, _ in layout.node_slots})
        place = {node: at for at, node in enumerate(tokens)}
        first = int(layout.wired)
        self.node_range = slice(first, first + len(layout.node_slots))
        self.n = len(tokens)
        self.values = nn.Embedding(len(layout) * (self.choices + 1), d)
        self.position = nn.Embedding(self.n, d)
        self.degrees = nn.Linear(DEGREES, d) if self.varying else None
        self.level = _Level(d) if config.levels else None
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        fields = 1 + max((field for _, field in layout.node_slots), default=0)
        self.node_head = nn.Linear(d, fields * self.choices)
        self.wiring_head = nn.Linear(d, len(layout.wirings)) if layout.wired else None
        self.edge_head = _EdgeHead(d) if layout.edge_slots else None
        self._keep("owner", torch.tensor([place[node] for node, _ in layout.node_slots], dtype=torch.int64))
        self._keep("field", torch.tensor([field for _, field in layout.node_slots], dtype=torch.int64))
        self._keep("offsets", torch.arange(len(layout)) * (self.choices + 1))
        self._keep("impossible", torch.arange(self.choices) >= layout.hidden[:, None])
        self._keep("tokens", torch.tensor(list(tokens)))
        self._keep("pairs", torch.tensor(layout.edge_slots, dtype=torch.int64).view(-1, 2).T)
        self.one_each = [place[node] for node, _ in layout.node_slots] == list(range(self.n))
        self.several = self.varying and len(layout.node_slots) > self.n

    owner: Tensor
    field: Tensor
    offsets: Tensor
    impossible: Tensor
    tokens: Tensor
    pairs: Tensor

    def forward(self, values: Int[Tensor, "b s"], level: Float[Tensor, " b"] | None = None) -> Float[Tensor, "b s k"]:
        """Logits of each slot's choices; `IMPOSSIBLE` past a slot's last choice."""
        b = len(values)
        states = self.layout.edge_states(values)[:, self.tokens[:, None], self.tokens]
        h = self._embed(values, states)
        if self.level is not None:
            h = h + self.level(torch.zeros(b, device=h.device) if level is None else level)[:, None]
        relation = states * STATES + states.transpose(1, 2)
        for block in self.blocks:
            h = block(h, relation)
        return self._logits(self.norm(h)).masked_fill(self.impossible, IMPOSSIBLE)

    def _embed(self, values: Tensor, states: Tensor) -> Tensor:
        h: Tensor
        known: Tensor = self.values((values + self.offsets)[:, self.node_range])
        if self.one_each:
            h = known + self.position.weight
        else:
            h = self.position.weight.repeat(len(values), 1, 1).index_add(1, self.owner, known)
        if self.degrees is None:
            return h
        there, unknown = (states == PRESENT).float(), (states == UNKNOWN).float()
        counts = torch.stack([there.sum(1), there.sum(2), unknown.sum(1), unknown.sum(2)], -1)
        nodes = torch.cat([counts.sqrt(), (counts[..., :2] == 0).float()], -1)
        seen: Tensor = self.degrees(torch.cat([nodes, nodes.sum(1, keepdim=True).expand_as(nodes) / self.n**0.5], -1))
        return h + seen

    def _logits(self, h: Tensor) -> Tensor:
        b, k = len(h), self.choices
        if self.several:  # each node's features go through the head once, not once for each slot of the node
            nodes = self.node_head(h).view(b, self.n, -1, k)[:, self.owner, self.field]
        else:
            nodes = self.node_head(h if self.one_each else h[:, self.owner])
        if nodes.shape[-1] > k:
            index = (self.field[:, None] * k + torch.arange(k, device=h.device)).expand(b, -1, -1)
            nodes = nodes.gather(-1, index)
        parts = [nodes]
        if self.wiring_head is not None:
            wiring = self.wiring_head(h.mean(1))[:, None]
            parts.insert(0, nn.functional.pad(wiring, (0, k - wiring.shape[-1])))
        if self.edge_head is not None:
            odds = self.edge_head(h)[:, self.pairs[0], self.pairs[1]]
            parts.append(nn.functional.pad(odds[..., None], (1, k - 2)))
        return torch.cat(parts, 1)

    def _keep(self, name: str, tensor: Tensor) -> None:
        self.register_buffer(name, tensor, persistent=False)


class _Level(nn.Module):
    """A level in [0, 1] as features; zero at first, so that fine-tuning begins at the unguided network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        out = nn.Linear(width, width)
        nn.init.zeros_(out.weight)
        nn.init.zeros_(out.bias)
        self.net = nn.Sequential(nn.Linear(8, width), nn.SiLU(), out)

    def forward(self, level: Float[Tensor, " b"]) -> Float[Tensor, "b d"]:
        centres = torch.linspace(0, 1, 8, device=level.device)
        features: Tensor = self.net((level[:, None] - centres).square().mul(-16).exp())
        return features


class _EdgeHead(nn.Module):
    """Log-odds of the edge i->j from the features of both nodes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.source = nn.Linear(width, width)
        self.target = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, h: Float[Tensor, "b n d"]) -> Float[Tensor, "b n n"]:
        pair = nn.functional.gelu(self.source(h)[:, :, None] + self.target(h)[:, None])
        odds: Tensor = self.out(pair)[..., 0]
        return odds


class _Block(nn.Module):
    """Pre-norm attention, biased for each head by the states of the edges i->j and j->i, then a feed-forward layer."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.project = nn.Linear(config.width, config.width)
        self.bias = nn.Embedding(STATES**2, config.heads)
        self.feed_norm = nn.LayerNorm(config.width)
        self.feed = nn.Sequential(
            nn.Linear(config.width, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, config.width)
        )

    def forward(self, h: Float[Tensor, "b n d"], relation: Int[Tensor, "#b n n"]) -> Float[Tensor, "b n d"]:
        b, n, d = h.shape
        q, k, v = self.qkv(self.attention_norm(h)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.bias(relation).permute(0, 3, 1, 2)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        h = h + self.project(mixed.transpose(1, 2).reshape(b, n, d))
        fed: Tensor = self.feed(self.feed_norm(h))
        return h + fed
