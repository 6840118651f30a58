"""Constrained decoders: from per-node and per-edge logits to graphs that are valid by construction.

The law of a decoder is the product distribution of the logits restricted to the space's valid graphs. A logit of
`-BIG` or `+BIG` pins a value that is already known; a pinned part must belong to at least one valid graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.batch import GraphBatch, encode
from graphs.space import SearchSpace

BIG = 1e6
"""A finite infinity: sums of it over a graph's parts stay exact in float64 and never cancel to NaN."""


@runtime_checkable
class Decoder(Protocol):
    """Draws graphs of one space."""

    def __call__(
        self,
        node_logits: Float[Tensor, "b n f k"],
        edge_logits: Float[Tensor, "b n n"],
        rng: torch.Generator,
    ) -> GraphBatch:
        """One valid graph a row.

        Args:
            node_logits: for each node and field a score for each choice, padded to the longest field.
            edge_logits: log-odds that the edge (i, j) is there; only i < j is read.
            rng: where chance comes from.
        """


def gumbel(like: Float[Tensor, "..."], rng: torch.Generator) -> Float[Tensor, "..."]:
    """Standard Gumbel noise: the arg-max of logits plus this is a draw from their softmax."""
    uniform = torch.rand(like.shape, generator=rng, dtype=torch.float64).clamp_(min=1e-300)
    return -(-uniform.log()).log()


class ListedDecoder:
    """Exact for every space that can be listed: scores all of its descriptions. Costs b times the size of the space."""

    def __init__(self, space: SearchSpace) -> None:
        self._all = encode(space, list(space.enumerate()))

    def __call__(
        self,
        node_logits: Float[Tensor, "b n f k"],
        edge_logits: Float[Tensor, "b n n"],
        rng: torch.Generator,
    ) -> GraphBatch:
        every = self._all
        k = node_logits.shape[-1]
        hot = torch.nn.functional.one_hot(every.codes, k) * every.mask[:, :, None, None]
        score = node_logits.double().flatten(1) @ hot.double().flatten(1).T
        score = score + edge_logits.double().flatten(1) @ every.adj.double().flatten(1).T
        return every[(score + gumbel(score, rng)).argmax(1)]


class ProductDecoder:
    """Exact for spaces whose descriptions are a list of wirings times free choices on each node, less a few.

    Args:
        wirings: the possible adjacency matrices.
        allowed: for each node and field the choices it may take.
        forbidden: operation codes of which not all free nodes may be at once (all-skip), or None.
    """

    def __init__(
        self,
        wirings: Bool[Tensor, "w n n"],
        allowed: Bool[Tensor, "n f k"],
        forbidden: int | None = None,
    ) -> None:
        self._wirings = wirings
        self._allowed = allowed
        self._forbidden = forbidden
        self._free = allowed[:, 0].sum(1) > 1

    def __call__(
        self,
        node_logits: Float[Tensor, "b n f k"],
        edge_logits: Float[Tensor, "b n n"],
        rng: torch.Generator,
    ) -> GraphBatch:
        b, n = node_logits.shape[:2]
        wiring_score = edge_logits.double().flatten(1) @ self._wirings.double().flatten(1).T
        wiring = (wiring_score + gumbel(wiring_score, rng)).argmax(1)
        logits = node_logits.double().masked_fill(~self._allowed, -4 * BIG)
        codes = (logits + gumbel(logits, rng)).argmax(-1)
        if self._forbidden is not None:
            refused = (codes[:, self._free, 0] == self._forbidden).all(1)
            codes[refused] = self._redraw(logits[refused], codes[refused], self._forbidden, rng)
        return GraphBatch(codes, self._wirings[wiring], torch.ones(b, n, dtype=torch.bool))

    def _redraw(
        self, logits: Float[Tensor, "b n f k"], codes: Int[Tensor, "b n f"], forbidden: int, rng: torch.Generator
    ) -> Int[Tensor, "b n f"]:
        """Given that not all are the forbidden one: draw the first that is not, then freely those after it."""
        log_p = logits[:, self._free, 0].log_softmax(-1)
        log_forbidden = log_p[..., forbidden]
        others = log_p.clone()
        others[..., forbidden] = -4 * BIG
        first_score = log_forbidden.cumsum(1) - log_forbidden + others.logsumexp(-1)
        first = (first_score + gumbel(first_score, rng)).argmax(1, keepdim=True)
        position = torch.arange(log_p.shape[1]).expand_as(log_forbidden)
        drawn = torch.where(
            position == first,
            (others + gumbel(others, rng)).argmax(-1),
            torch.where(position > first, (log_p + gumbel(log_p, rng)).argmax(-1), forbidden),
        )
        codes = codes.clone()
        codes[:, self._free, 0] = drawn
        return codes


def product_tables(
    space: SearchSpace, wirings: Sequence[ArchGraph]
) -> tuple[Bool[Tensor, "w n n"], Bool[Tensor, "n f k"]]:
    """The first two arguments of `ProductDecoder` for a space of one field whose inner nodes take any operation.

    Args:
        wirings: one graph for each possible wiring, all of `space.max_nodes` nodes.
    """
    batch = encode(space, wirings)
    choices = space.fields[0].choices
    inner = torch.tensor([choice not in ("input", "output") for choice in choices])
    allowed = inner.expand(space.max_nodes, 1, len(choices)).clone()
    allowed[0, 0] = torch.tensor([choice == "input" for choice in choices])
    allowed[-1, 0] = torch.tensor([choice == "output" for choice in choices])
    return batch.adj, allowed
