"""The noise process: absorbing ("masked") discrete diffusion over the slots of a graph.

A slot is one field of a node or one possible edge (i, j), i < j. At time t each slot is masked independently with
probability t (linear schedule), and stays masked (D3PM with an absorbing state, Austin et al. 2021; Sahoo et al. 2024).
Slots that never vary in a space, such as the input node, are never masked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.batch import GraphBatch

EDGE_MASK = 2
"""The state of an edge slot that is masked; 0 and 1 are absent and present."""


@dataclass(frozen=True)
class Slots:
    """Which slots of a space vary."""

    nodes: Bool[Tensor, "n f"]
    edges: Bool[Tensor, "n n"]

    @property
    def count(self) -> int:
        return int(self.nodes.sum() + self.edges.sum())


@dataclass(frozen=True)
class Masked:
    """b partly masked graphs.

    Args:
        codes: field codes; the number of a field's choices stands for masked.
        edges: 0 absent, 1 present, `EDGE_MASK` masked.
        hidden_nodes, hidden_edges: which slots are masked.
    """

    codes: Int[Tensor, "b n f"]
    edges: Int[Tensor, "b n n"]
    hidden_nodes: Bool[Tensor, "b n f"]
    hidden_edges: Bool[Tensor, "b n n"]

    def __len__(self) -> int:
        return len(self.codes)


def varying_slots(batch: GraphBatch) -> Slots:
    """The slots that take more than one value in `batch`, which must be graphs of equally many nodes."""
    return Slots(
        nodes=(batch.codes != batch.codes[:1]).any(0),
        edges=(batch.adj != batch.adj[:1]).any(0),
    )


def hide(batch: GraphBatch, hidden_nodes: Tensor, hidden_edges: Tensor, mask_codes: Int[Tensor, " f"]) -> Masked:
    """`batch` with the given slots masked; `mask_codes` is each field's number of choices."""
    return Masked(
        codes=torch.where(hidden_nodes, mask_codes, batch.codes),
        edges=torch.where(hidden_edges, EDGE_MASK, batch.adj.long()),
        hidden_nodes=hidden_nodes,
        hidden_edges=hidden_edges,
    )


def add_noise(
    batch: GraphBatch, slots: Slots, time: Float[Tensor, " b"], mask_codes: Int[Tensor, " f"], rng: torch.Generator
) -> Masked:
    """A draw of the forward process at `time` in (0, 1] for each graph."""
    nodes = torch.rand(batch.codes.shape, generator=rng) < time[:, None, None]
    edges = torch.rand(batch.adj.shape, generator=rng) < time[:, None, None]
    return hide(batch, nodes & slots.nodes, edges & slots.edges, mask_codes)


def negative_elbo(
    node_logits: Float[Tensor, "b n f k"],
    edge_logits: Float[Tensor, "b n n"],
    clean: GraphBatch,
    masked: Masked,
    time: Float[Tensor, " b"],
) -> Float[Tensor, " b"]:
    """The bound on -log p(graph) in nats: cross-entropy of the hidden slots over t (Sahoo et al. 2024, eq. 10)."""
    node_loss = -node_logits.log_softmax(-1).gather(-1, clean.codes[..., None])[..., 0]
    edge_loss = torch.nn.functional.binary_cross_entropy_with_logits(edge_logits, clean.adj.float(), reduction="none")
    total = (node_loss * masked.hidden_nodes).sum((1, 2)) + (edge_loss * masked.hidden_edges).sum((1, 2))
    return total / time
