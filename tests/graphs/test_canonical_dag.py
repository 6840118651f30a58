"""Canonical forms against networkx, against the minimum over all renumberings, and on graphs whose nodes look alike."""

import itertools
from collections.abc import Iterable
from functools import cache

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.canonical_dag import canonical_dag, canonical_order, depths
from graphs.convert import to_networkx
from graphs.spaces.free_dag import FreeDag

Pairs = Iterable[tuple[int, int]]


def renumber(graph: ArchGraph, rng: np.random.Generator) -> ArchGraph:
    """`graph` in a random topological order."""
    missing, order = [len(read) for read in graph.predecessors], list[int]()
    ready = [node for node, count in enumerate(missing) if not count]
    while ready:
        order.append(ready.pop(int(rng.integers(len(ready)))))
        for node in graph.successors[order[-1]]:
            missing[node] -= 1
            if not missing[node]:
                ready.append(node)
    place = {node: at for at, node in enumerate(order)}
    return ArchGraph(tuple(graph.ops[node] for node in order), tuple((place[i], place[j]) for i, j in graph.edges))


def isomorphic(one: ArchGraph, other: ArchGraph) -> bool:
    same: bool = nx.is_isomorphic(to_networkx(one), to_networkx(other), node_match=lambda a, b: a == b)
    return same


@settings(deadline=None)
@given(data=st.data(), seed=st.integers(0, 999))
def test_renumbered_graphs_become_equal(
    any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject, seed: int
) -> None:
    """Any graph: without edges, in several components, with many sources, with attributes."""
    graph = data.draw(any_graph)
    canonical = canonical_dag(graph)
    assert canonical_dag(renumber(graph, np.random.default_rng(seed))) == canonical
    assert canonical_dag(canonical) == canonical
    assert isomorphic(canonical, graph)
    assert depths(canonical) == sorted(depths(canonical))


def test_equal_exactly_when_networkx_finds_an_isomorphism() -> None:
    """Pairs of one operation, of equal numbers of nodes and edges, so that both answers are common."""
    space, rng = FreeDag("one", 6, 7, ("a",)), np.random.default_rng(0)
    graphs = [graph for graph in (space.sample(rng) for _ in range(100)) if len(graph.edges) == 7]
    answers = []
    for one, other in itertools.combinations(graphs, 2):
        if len(one) == len(other):
            answers.append(isomorphic(one, other))
            assert (canonical_dag(one) == canonical_dag(other)) == answers[-1]
    assert answers.count(True) > 10
    assert answers.count(False) > 1_000


@pytest.mark.parametrize(("nodes", "edges"), [(5, None), (6, 6)])
def test_classes_are_those_of_the_least_renumbering(nodes: int, edges: int | None) -> None:
    """Every description of a space; the reference tries all orders of the inner nodes."""
    space = FreeDag("two", nodes, edges, ("a", "b"))
    of_least = {}
    for graph in map(space.graph_number, range(space.size)):
        forms = []
        for order in itertools.permutations(range(1, len(graph) - 1)):
            place = {node: at for at, node in enumerate((0, *order, len(graph) - 1))}
            pairs = sorted((place[i], place[j]) for i, j in graph.edges)
            forms.append((tuple(graph.ops[node].name for node in order), tuple(pairs)))
        canonical = canonical_dag(graph)
        assert of_least.setdefault(min(forms), canonical) == canonical
    assert len(set(of_least.values())) == len(of_least) < space.size


def two_layers(pairs: Pairs) -> ArchGraph:
    """Input, a layer of nodes, a second one that reads the first by `pairs`, output; all of one operation."""
    pairs = set(pairs)
    first, second = (1 + max(ends) for ends in zip(*pairs, strict=True))
    last = 1 + first + second
    edges = [(1 + i, 1 + first + j) for i, j in pairs]
    edges += [(0, 1 + i) for i in range(first)] + [(1 + first + j, last) for j in range(second)]
    return ArchGraph((INPUT, *[Op("a")] * (first + second), OUTPUT), tuple(edges))


def circles(length: int, number: int) -> Pairs:
    """Cycles through both layers."""
    return [
        (length * k + i, length * k + (i + step) % length)
        for k in range(number)
        for i in range(length)
        for step in (0, 1)
    ]


def incidence(blocks: Iterable[Iterable[int]]) -> Pairs:
    return [(point, number) for number, block in enumerate(blocks) for point in block]


def latin(rule: np.ndarray) -> Pairs:
    """Cells of a Latin square, each read by its row, column and symbol."""
    n = len(rule)
    return [(n * r + c, line) for r in range(n) for c in range(n) for line in (r, n + c, 2 * n + int(rule[r, c]))]


def strongly_regular(differences: Iterable[tuple[int, int]]) -> Pairs:
    """Edges of the Cayley graph of Z4 x Z4, each reading its two ends."""
    ends = {
        frozenset((4 * x + y, 4 * ((x + dx) % 4) + (y + dy) % 4)) for x, y in np.ndindex(4, 4) for dx, dy in differences
    }
    return incidence(sorted(map(sorted, ends)))


def regular(n: int, degree: int, seed: int) -> Pairs:
    """A random graph in which all nodes have one degree; refinement sees no difference, yet there is no symmetry."""
    rng = np.random.default_rng(seed)
    while True:
        pairs = {(i, int(j)) for _ in range(degree) for i, j in enumerate(rng.permutation(n))}
        if len(pairs) == degree * n:
            return pairs


_PLANE = (1, 5, 11, 24, 25, 27)  # a perfect difference set modulo 31
_ROOK = [(step, 0) for step in (1, 2, 3)] + [(0, step) for step in (1, 2, 3)]
_SHRIKHANDE = [(1, 0), (3, 0), (0, 1), (0, 3), (1, 1), (3, 3)]
_KLEIN = np.array([[a ^ b for b in range(4)] for a in range(4)])
_CYCLIC = np.array([[(a + b) % 4 for b in range(4)] for a in range(4)])

ALIKE = {
    "31 branches of two nodes": two_layers((i, i) for i in range(31)),
    "complete": two_layers(itertools.product(range(31), repeat=2)),
    "complete less a matching": two_layers(
        pair for pair in itertools.product(range(31), repeat=2) if pair[0] != pair[1]
    ),
    "a cycle of 60": two_layers(circles(30, 1)),
    "five cycles of 12": two_layers(circles(6, 5)),
    "ten cycles of 6": two_layers(circles(3, 10)),
    "projective plane of order 5": two_layers((i, (i + step) % 31) for i in range(31) for step in _PLANE),
    "pairs of ten": two_layers(incidence(itertools.combinations(range(10), 2))),
    "cyclic square": two_layers(latin(_CYCLIC)),
    "square of the four-group": two_layers(latin(_KLEIN)),
    "rook's graph": two_layers(strongly_regular(_ROOK)),
    "Shrikhande graph": two_layers(strongly_regular(_SHRIKHANDE)),
    "random of degree 3": two_layers(regular(20, 3, 0)),
    "another of degree 3": two_layers(regular(20, 3, 1)),
    "two of degree 3": two_layers(
        (i + 12 * k, j + 12 * k) for k, seed in enumerate((2, 3)) for i, j in regular(12, 3, seed)
    ),
    "62 twins": ArchGraph(
        (INPUT, *[Op("a")] * 62, OUTPUT), tuple(edge for i in range(1, 63) for edge in ((0, i), (i, 63)))
    ),
}


@cache
def canonical_alike(name: str) -> ArchGraph:
    return canonical_dag(ALIKE[name])


@pytest.mark.parametrize("name", ALIKE)
def test_graphs_whose_nodes_look_alike(name: str) -> None:
    """Colour refinement alone tells none of the inner nodes of a layer apart."""
    graph, rng = ALIKE[name], np.random.default_rng(0)
    order = canonical_order(renumber(graph, rng))
    assert sorted(order) == list(range(len(graph)))
    assert canonical_dag(renumber(graph, rng)) == canonical_alike(name)


@pytest.mark.parametrize("names", list(itertools.combinations(ALIKE, 2)))
def test_alike_but_different(names: tuple[str, str]) -> None:
    """Among them pairs that refinement takes for equal: unions of cycles, squares, strongly regular graphs."""
    assert canonical_alike(names[0]) != canonical_alike(names[1])


def test_a_changed_operation_is_placed_canonically() -> None:
    """Two marks on a cycle: what counts is their distance."""
    forms = set()
    for i, j in itertools.combinations(range(12), 2):
        ops = [Op("b") if node in (1 + i, 1 + j) else op for node, op in enumerate(two_layers(circles(12, 1)).ops)]
        forms.add(canonical_dag(ArchGraph(tuple(ops), two_layers(circles(12, 1)).edges)))
    assert len(forms) == 6
