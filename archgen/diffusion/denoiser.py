"""The denoiser: a small transformer over a graph's nodes that sees edges, present or masked, as attention biases."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from archgen.diffusion.process import EDGE_MASK, Masked
from graphs.space import SearchSpace


@dataclass(frozen=True)
class DenoiserConfig:
    """Size of the network."""

    width: int = 64
    layers: int = 3
    heads: int = 4


class Denoiser(nn.Module):
    """Predicts the clean value of every slot from a partly masked graph.

    The number of masked slots tells the time, so there is no time input (Sahoo et al. 2024, section 3.5).

    Args:
        space: gives the fields and the number of nodes.
        config: the size.
    """

    mask_codes: Tensor
    choices: Tensor

    def __init__(self, space: SearchSpace, config: DenoiserConfig) -> None:
        super().__init__()
        counts = [len(field.choices) for field in space.fields]
        self.fields = nn.ModuleList(nn.Embedding(count + 1, config.width) for count in counts)
        self.position = nn.Embedding(space.max_nodes, config.width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.node_head = nn.Linear(config.width, len(counts) * max(counts))
        self.edge_source = nn.Linear(config.width, config.width)
        self.edge_target = nn.Linear(config.width, config.width)
        self.edge_state = nn.Embedding(EDGE_MASK + 1, 1)
        self.register_buffer("mask_codes", torch.tensor(counts), persistent=False)
        self.register_buffer("choices", torch.arange(max(counts)) < torch.tensor(counts)[:, None], persistent=False)

    def forward(self, masked: Masked) -> tuple[Float[Tensor, "b n f k"], Float[Tensor, "b n n"]]:
        """Logits of each field's choices, `-inf` past a field's last choice, and log-odds of each edge."""
        b, n, f = masked.codes.shape
        h = self.position.weight + sum(
            (embed(masked.codes[:, :, k]) for k, embed in enumerate(self.fields)), torch.zeros(())
        )
        relation = masked.edges * (EDGE_MASK + 1) + masked.edges.transpose(1, 2)
        for block in self.blocks:
            h = block(h, relation)
        h = self.norm(h)
        node_logits = self.node_head(h).view(b, n, f, -1).masked_fill(~self.choices, -torch.inf)
        pair = self.edge_source(h) @ self.edge_target(h).transpose(1, 2) / h.shape[-1] ** 0.5
        return node_logits, pair + self.edge_state(masked.edges)[..., 0]


class _Block(nn.Module):
    """Pre-norm attention, biased for each head by the states of the edges i->j and j->i, then a feed-forward layer."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.project = nn.Linear(config.width, config.width)
        self.bias = nn.Embedding((EDGE_MASK + 1) ** 2, config.heads)
        self.feed_norm = nn.LayerNorm(config.width)
        self.feed = nn.Sequential(
            nn.Linear(config.width, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, config.width)
        )

    def forward(self, h: Float[Tensor, "b n d"], relation: Tensor) -> Float[Tensor, "b n d"]:
        b, n, d = h.shape
        q, k, v = self.qkv(self.attention_norm(h)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.bias(relation).permute(0, 3, 1, 2)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        h = h + self.project(mixed.transpose(1, 2).reshape(b, n, d))
        fed: Tensor = self.feed(self.feed_norm(h))
        return h + fed
