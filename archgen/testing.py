"""Contract tests that a user's own search space runs: subclass `SpaceContract` in a test file and pytest does the rest.

class TestMySpace(SpaceContract):
    space = MySpace()
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from graphs.archgraph import INPUT, ArchGraph, Op
from graphs.batch import GraphBatch, decode, encode
from graphs.convert import from_networkx, from_pyg, to_networkx, to_pyg
from graphs.decoding import BIG
from graphs.errors import InvalidArchitecture
from graphs.graph_json import graph_from_json, graph_to_json
from graphs.space import ID_VERSION, SearchSpace


class SpaceContract:
    """What every `SearchSpace` must hold. Override the attributes where your space is special."""

    space: SearchSpace
    samples = 20  # graphs that each test looks at
    edges_may_go = False  # whether a graph of the space may stay in it when it loses an edge
    largest_listed = 100_000  # descriptions up to which `size` is checked by counting
    largest_law = 2_000  # descriptions up to which the decoder's law is checked

    def fresh(self) -> SearchSpace:
        """Another instance of the same space."""
        return type(self.space)()

    def graphs(self, seed: int = 0) -> list[ArchGraph]:
        """`samples` graphs of the space."""
        rng = np.random.default_rng(seed)
        return [self.space.sample(rng) for _ in range(self.samples)]

    def test_samples_are_valid_and_repeat_with_the_seed(self) -> None:
        graphs = self.graphs(1)
        for graph in graphs:
            self.space.check(graph)
        assert graphs == self.graphs(1)

    def test_encode_round_trip(self) -> None:
        graphs = self.graphs()
        batch = encode(self.space, graphs)
        assert batch.codes.shape == (len(graphs), self.space.max_nodes, len(self.space.fields))
        assert decode(self.space, batch) == graphs

    def test_json_round_trip(self) -> None:
        for graph in self.graphs():
            assert graph_from_json(graph_to_json(graph, self.space.name)) == (graph, self.space.name)

    def test_networkx_and_pyg_round_trips(self) -> None:
        for graph in self.graphs():
            assert from_networkx(to_networkx(graph)) == graph
            assert from_pyg(self.space, to_pyg(self.space, graph)) == graph

    def test_format_round_trip(self) -> None:
        for graph in self.graphs():
            assert self.space.parse(self.space.format(graph)) == graph

    @pytest.mark.parametrize("text", ["", "no such architecture", "²"])
    def test_parse_refuses_nonsense(self, text: str) -> None:
        with pytest.raises(InvalidArchitecture):
            self.space.parse(text)

    def test_neighbours_are_valid_and_all_different_networks(self) -> None:
        for graph in self.graphs()[:5]:
            neighbours = list(self.space.neighbours(graph))
            assert neighbours, f"{graph} has no neighbours"
            for neighbour in neighbours:
                self.space.check(neighbour)
            ids = [self.space.canonical(one) for one in (graph, *neighbours)]
            assert len(set(ids)) == len(ids)

    def test_mutate_gives_a_neighbour(self) -> None:
        rng = np.random.default_rng(2)
        for graph in self.graphs()[:5]:
            assert self.space.mutate(graph, rng) in list(self.space.neighbours(graph))

    def test_canonical_id(self) -> None:
        other = self.fresh()
        graphs = [one for graph in self.graphs()[:5] for one in (graph, *self.space.neighbours(graph))]
        id_of: dict[ArchGraph, str] = {}
        for graph in graphs:
            found = self.space.canonical(graph)
            assert found.startswith(f"{ID_VERSION}-")
            assert other.canonical(graph) == found
            assert id_of.setdefault(self.space.simplify(graph), found) == found
        assert len(set(id_of.values())) == len(id_of), "two networks share an id"

    def test_fingerprint_is_stable(self) -> None:
        assert self.fresh().fingerprint == self.space.fingerprint

    def test_foreign_operations_and_attributes_are_refused(self) -> None:
        for graph in self.graphs()[:5]:
            for node in range(len(graph)):
                for op in (Op("no such operation"), Op(graph.ops[node].name, no_such_attribute=1)):
                    self.refuses(ArchGraph((*graph.ops[:node], op, *graph.ops[node + 1 :]), graph.edges))

    def test_surplus_nodes_are_refused(self) -> None:
        for graph in self.graphs()[:5]:
            surplus = self.space.max_nodes + 1 - len(graph)
            self.refuses(ArchGraph((*graph.ops, *[graph.ops[-1]] * surplus), graph.edges))
        self.refuses(ArchGraph((), ()))
        self.refuses(ArchGraph((INPUT,), ()))

    def test_a_removed_edge_is_refused(self) -> None:
        for graph in self.graphs()[:5]:
            self.refuses(ArchGraph(graph.ops, ()))
            for gone in graph.edges:
                rest = ArchGraph(graph.ops, tuple(edge for edge in graph.edges if edge != gone))
                try:
                    self.space.check(rest)
                except InvalidArchitecture:
                    continue
                assert self.edges_may_go, f"{rest} lacks the edge {gone} and was accepted"
                assert decode(self.space, encode(self.space, [rest])) == [rest]

    def refuses(self, graph: ArchGraph) -> None:
        """Both `check` and `encode` must raise `InvalidArchitecture`."""
        with pytest.raises(InvalidArchitecture):
            self.space.check(graph)
        with pytest.raises(InvalidArchitecture):
            encode(self.space, [graph])

    def test_size_is_the_number_of_descriptions(self) -> None:
        space = self.space
        if space.size is not None:
            assert math.isclose(space.log10_size, math.log10(space.size), abs_tol=1e-9)
        if space.enumerable and (space.size or 0) <= self.largest_listed:
            listed = list(space.enumerate())
            assert len(listed) == len(set(listed)) == space.size
            assert set(self.graphs()) <= set(listed)
        elif not space.enumerable:
            with pytest.raises(InvalidArchitecture):
                space.enumerate()

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
