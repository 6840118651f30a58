"""DecoderContract: the half of `SpaceContract` that asks whether the space's decoder draws what it should."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from graphs.archgraph import ArchGraph
from graphs.batch import GraphBatch, decode, encode
from graphs.decoding import BIG
from graphs.space import SearchSpace


class DecoderContract:
    """What the decoder of every `SearchSpace` must hold; part of `SpaceContract`, which is what to subclass."""

    space: SearchSpace
    samples = 20  # graphs that each test looks at
    largest_law = 2_000  # descriptions up to which the decoder's law is checked

    def graphs(self, seed: int = 0) -> list[ArchGraph]:
        """`samples` graphs of the space."""
        rng = np.random.default_rng(seed)
        return [self.space.sample(rng) for _ in range(self.samples)]

    def logits(self, seed: int, b: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The same random node and edge logits in all b rows."""
        n, f, k = self.space.max_nodes, len(self.space.fields), max(len(field.choices) for field in self.space.fields)
        rng = torch.Generator().manual_seed(seed)
        node, edge = torch.randn(1, n, f, k, generator=rng), torch.randn(1, n, n, generator=rng)
        return node.expand(b, -1, -1, -1).clone(), edge.expand(b, -1, -1).clone()

    def test_decoder_draws_are_valid_and_repeat_with_the_seed(self) -> None:
        decoder, (node, edge) = self.space.decoder(), self.logits(3, 500)
        first, again = (decoder(node, edge, torch.Generator().manual_seed(4)) for _ in range(2))
        assert decode(self.space, first) == decode(self.space, again)

    def test_decoder_keeps_pinned_values(self) -> None:
        graphs = self.graphs(5)
        batch, (node, edge) = encode(self.space, graphs), self.logits(6, len(graphs))
        rng = torch.Generator().manual_seed(7)
        for share in (0.2, 0.6, 1.0):
            pinned = (torch.rand(batch.codes.shape, generator=rng) < share) & batch.mask[..., None]
            certain = torch.nn.functional.one_hot(batch.codes, node.shape[-1]) * pinned[..., None] * BIG
            drawn = self.space.decoder()(node + certain, edge, rng)
            assert torch.equal(drawn.codes[pinned], batch.codes[pinned])
            wires = (torch.rand(batch.adj.shape, generator=rng) < share).triu(1)
            signs = torch.where(batch.adj, BIG, -BIG)
            drawn = self.space.decoder()(node, torch.where(wires, signs, edge), rng)
            assert torch.equal(drawn.adj[wires], batch.adj[wires])
            drawn = self.space.decoder()(node + certain, torch.where(wires, signs, edge), rng)
            assert torch.equal(drawn.codes[pinned], batch.codes[pinned])
            assert torch.equal(drawn.adj[wires], batch.adj[wires])

    def test_decoder_law_is_the_restricted_product(self) -> None:
        """Total variation stays below its expectation at this number of draws by more than chance once in a million."""
        if not self.space.enumerable or (self.space.size or math.inf) > self.largest_law:
            pytest.skip("too large a space to list its law")
        decoder, draws, (node, edge) = self.space.decoder(), 20_000, self.logits(8, 500)
        rng = torch.Generator().manual_seed(9)
        found = Counter(key for _ in range(draws // 500) for key in _keys(decoder(node, edge, rng)))
        law = dict(self._law(node[0].double(), edge[0].double()))
        assert set(found) <= set(law)
        distance = sum(abs(found[key] / draws - p) for key, p in law.items()) / 2
        floor = sum(math.sqrt(p * (1 - p) / draws) for p in law.values()) / 2
        assert distance < floor + math.sqrt(math.log(1e6) / (2 * draws))

    def _law(self, node: torch.Tensor, edge: torch.Tensor) -> Iterator[tuple[bytes, float]]:
        """Each description's probability, from its definition: the softmax of the sum of its parts' logits."""
        every = encode(self.space, list(self.space.enumerate()))
        scores = []
        for codes, adj, mask in zip(every.codes, every.adj, every.mask, strict=True):
            score = edge[adj].sum()
            for n, f in np.ndindex(*codes.shape):
                score = score + node[n, f, codes[n, f]] * mask[n]
            scores.append(score)
        yield from zip(_keys(every), torch.stack(scores).softmax(0).tolist(), strict=True)


def _keys(batch: GraphBatch) -> list[bytes]:
    parts = zip(batch.codes.numpy(), batch.adj.numpy(), batch.mask.numpy(), strict=True)
    return [codes.tobytes() + adj.tobytes() + mask.tobytes() for codes, adj, mask in parts]
