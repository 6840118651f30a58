"""SpaceContract: the tests that a search space of a user's own runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archgen.testing.layout import LayoutContract
from graphs.archgraph import INPUT, ArchGraph, Op
from graphs.batch import decode, encode
from graphs.convert import from_networkx, from_pyg, to_networkx, to_pyg
from graphs.errors import InvalidArchitecture
from graphs.graph_json import graph_from_json, graph_to_json
from graphs.space import ID_VERSION, SearchSpace


class SpaceContract(LayoutContract):
    """What every `SearchSpace` must hold, its layout's part included.

    Override the attributes where your space is special:

        from archgen.testing import SpaceContract
        from my_space import MySpace

        class TestMySpace(SpaceContract):
            space = MySpace()
    """

    edges_may_go = False  # whether a graph of the space may stay in it when it loses an edge
    largest_listed = 100_000  # descriptions up to which `size` is checked by counting

    def fresh(self) -> SearchSpace:
        """Another instance of the same space."""
        return type(self.space)()

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
