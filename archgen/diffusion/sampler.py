"""Sampling: draw a whole valid graph from the decoder, keep some of its slots, repeat.

At every step the denoiser's logits, with the known slots pinned, go through the space's constrained decoder, which
returns valid graphs that agree with what is known. A random share of the masked slots is then revealed with the values
of the drawn graph (the reverse step of masked diffusion). A valid completion therefore exists at every step, and the
last step's graphs are valid by construction.

The slots about to be revealed are first drawn from the denoiser's own marginals, and the decoder departs from that
proposal only where no valid graph agrees with it. The marginals account for validity already; a decoder that drew these
slots would count it twice and miss the learned law however many the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from archgen.diffusion.denoiser import Denoiser
from archgen.diffusion.guidance import Guide, choose
from archgen.diffusion.process import EDGE_MASK, Masked, Slots, hide
from graphs.archgraph import ArchGraph
from graphs.batch import GraphBatch, decode
from graphs.decoding import BIG, Decoder, gumbel
from graphs.space import SearchSpace

PROPOSED = BIG / 1000
"""The logit of a proposed value: beyond every logit of the denoiser, below what is known."""


@torch.no_grad()
def sample_graphs(
    space: SearchSpace,
    denoiser: Denoiser,
    slots: Slots,
    template: GraphBatch,
    count: int,
    steps: int,
    rng: torch.Generator,
    guide: Guide | None = None,
    watch: Callable[[Sequence[ArchGraph]], object] = lambda _: None,
) -> list[ArchGraph]:
    """`count` valid graphs in `steps` denoising steps.

    Args:
        template: one graph of the space, which gives the slots that never vary.
        guide: tilts the law towards high scores; None for the learned law.
        watch: called with the graphs that each step predicts.
    """
    decoder = space.decoder()
    start = GraphBatch(*(part.expand(count, *part.shape[1:]) for part in (template.codes, template.adj, template.mask)))
    state = hide(start, slots.nodes.expand(start.codes.shape), slots.edges.expand(start.adj.shape), denoiser.mask_codes)
    graphs: list[ArchGraph] = []
    for step in range(steps):
        logits = denoiser(state)
        node_logits, edge_logits = _pin(logits[0], logits[1], state)
        keep = 1 - (step + 1) / steps
        hidden_nodes, hidden_edges = _stay_hidden(state, keep / (1 - step / steps), rng)
        shown = (state.hidden_nodes & ~hidden_nodes, state.hidden_edges & ~hidden_edges)
        clean, graphs = _predict(space, decoder, node_logits, edge_logits, shown, guide, rng)
        watch(graphs)
        state = hide(clean, hidden_nodes, hidden_edges, denoiser.mask_codes)
    return graphs


def _predict(
    space: SearchSpace,
    decoder: Decoder,
    node_logits: Tensor,
    edge_logits: Tensor,
    shown: tuple[Tensor, Tensor],
    guide: Guide | None,
    rng: torch.Generator,
) -> tuple[GraphBatch, list[ArchGraph]]:
    """One clean graph a row: the decoder's draw around a proposal, or the guide's choice among several."""
    b, m = len(node_logits), 1 if guide is None else guide.candidates
    node_logits, edge_logits, shown_nodes, shown_edges = (
        part.repeat_interleave(m, 0) for part in (node_logits, edge_logits, *shown)
    )
    node_logits, edge_logits = _propose(node_logits, edge_logits, shown_nodes, shown_edges, rng)
    drawn = decoder(node_logits, edge_logits, rng)
    graphs = decode(space, drawn)
    if guide is None:
        return drawn, graphs
    rows = choose(guide, graphs, b, rng)
    return drawn[rows], [graphs[int(row)] for row in rows]


def _propose(
    node_logits: Tensor, edge_logits: Tensor, shown_nodes: Tensor, shown_edges: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The logits with one draw from each slot's own law preferred, in the slots that are shown next."""
    codes = (node_logits + gumbel(node_logits, rng)).argmax(-1, keepdim=True)
    present = torch.rand(edge_logits.shape, generator=rng, dtype=torch.float64) < edge_logits.sigmoid()
    nodes = torch.zeros_like(node_logits).scatter(-1, codes, PROPOSED) * shown_nodes[..., None]
    edges = torch.where(present, PROPOSED, -PROPOSED) * shown_edges
    return node_logits + nodes, edge_logits + edges


def _pin(node_logits: Tensor, edge_logits: Tensor, state: Masked) -> tuple[Tensor, Tensor]:
    """The logits with `BIG` for what is known, so that the decoder cannot leave it."""
    known = torch.nn.functional.one_hot(state.codes.clamp(max=node_logits.shape[-1] - 1), node_logits.shape[-1]).bool()
    pinned = torch.where(known, BIG, -BIG)
    nodes = torch.where(state.hidden_nodes[..., None], node_logits.double().clamp(min=-BIG), pinned)
    edges = torch.where(state.edges == EDGE_MASK, edge_logits.double(), torch.where(state.edges == 1, BIG, -BIG))
    return nodes, edges


def _stay_hidden(
    state: Masked, probability: float, rng: torch.Generator
) -> tuple[Bool[Tensor, "b n f"], Bool[Tensor, "b n n"]]:
    """Which masked slots stay masked, each with `probability` (the reverse process's conditional)."""
    nodes = torch.rand(state.codes.shape, generator=rng) < probability
    edges = torch.rand(state.edges.shape, generator=rng) < probability
    return state.hidden_nodes & nodes, state.hidden_edges & edges
