import itertools
import math
from collections import Counter

import networkx as nx
import numpy as np
import pytest

from archgen.testing import SpaceContract
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.convert import to_networkx
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.catalogue import CELL_OPERATIONS, get_space
from graphs.spaces.free_dag import FreeDag


def small(max_edges: int | None = 5) -> FreeDag:
    return FreeDag("small", 5, max_edges, ("a", "b"))


class TestFreeDag(SpaceContract):
    space = get_space("free-dag")
    edges_may_go = True

    def fresh(self) -> SearchSpace:
        return get_space(self.space.name)

    def test_edge_states_have_the_output_at_the_last_place(self) -> None:
        layout = self.layout()
        rows = layout.read(self.graphs())
        for states, row, graph in zip(layout.edge_states(rows), rows, layout.write(rows), strict=True):
            place = [*range(len(graph) - 1), self.space.max_nodes - 1]
            assert states.nonzero().tolist() == [[place[i], place[j]] for i, j in graph.edges], row


class TestSyntheticDag16(TestFreeDag):
    space = get_space("synthetic-dag-16")
    samples = 5


class TestSmallDag(TestFreeDag):
    space = small()

    def fresh(self) -> SearchSpace:
        return small()


class TestSmallDagOfAnyEdges(TestSmallDag):
    space = small(None)

    def fresh(self) -> SearchSpace:
        return small(None)


def listed(space: FreeDag) -> set[ArchGraph]:
    """All descriptions, by trying all sets of edges and asking networkx which nodes are on a path."""
    found = set()
    for nodes in range(2, space.max_nodes + 1):
        pairs = list(itertools.combinations(range(nodes), 2))
        for count in range(min(len(pairs), space.max_edges or len(pairs)) + 1):
            for edges in itertools.combinations(pairs, count):
                graph = nx.DiGraph(edges)
                graph.add_nodes_from(range(nodes))
                if len(nx.descendants(graph, 0)) == len(nx.ancestors(graph, nodes - 1)) == nodes - 1:
                    for ops in itertools.product(map(Op, space.operations), repeat=nodes - 2):
                        found.add(ArchGraph((INPUT, *ops, OUTPUT), edges))
    return found


@pytest.mark.parametrize("max_edges", [None, 4, 5, 7])
def test_every_description_has_one_number(max_edges: int | None) -> None:
    space = small(max_edges)
    expected = listed(space)
    assert space.size == len(expected)
    assert {space.graph_number(number) for number in range(space.size)} == expected


@pytest.mark.parametrize("max_edges", [None, 8, 10])
def test_counts_of_six_nodes(max_edges: int | None) -> None:
    """By their definition: no column and no row is empty."""
    counts = [0] * 5
    for nodes in range(2, 7):
        pairs = np.array(list(itertools.combinations(range(nodes), 2)))
        edges = (np.arange(1 << len(pairs))[:, None] >> np.arange(len(pairs))) & 1
        covered = np.ones(len(edges), dtype=bool)
        for node in range(nodes - 1):
            covered &= edges[:, pairs[:, 0] == node].any(1) & edges[:, pairs[:, 1] == node + 1].any(1)
        counts[nodes - 2] = int((covered & (edges.sum(1) <= (max_edges or 15))).sum())
    space = FreeDag("six", 6, max_edges, CELL_OPERATIONS)
    assert space.count.by_nodes == tuple(count * 3**inner for inner, count in enumerate(counts))


def test_without_a_limit_counts_are_those_of_the_largest_limit() -> None:
    limited = FreeDag("all", 9, 36, CELL_OPERATIONS)
    assert limited.count.by_nodes == FreeDag("any", 9, None, CELL_OPERATIONS).count.by_nodes


def test_samples_are_uniform_over_descriptions() -> None:
    space, rng, draws = small(), np.random.default_rng(0), 6_000
    expected = listed(space)
    found = Counter(space.sample(rng) for _ in range(draws))
    assert set(found) == expected
    each = draws / len(expected)
    chi_square = sum((found[graph] - each) ** 2 / each for graph in expected)
    freedom = len(expected) - 1
    assert abs(chi_square - freedom) < 5 * math.sqrt(2 * freedom)


def test_large_draws_reach_both_ends() -> None:
    """Numbers of 2,100 bits: each of the highest bits is set in about half of the draws."""
    count, rng, draws = get_space("synthetic-dag-64").count, np.random.default_rng(0), 2_000  # type: ignore[attr-defined]
    share = np.array([number / count.total for number in (count.draw(rng) for _ in range(draws))])
    histogram = np.histogram(share, bins=20, range=(0, 1))[0]
    assert ((histogram - draws / 20) ** 2 / (draws / 20)).sum() < 19 + 5 * math.sqrt(38)


def test_64_nodes() -> None:
    space, rng = get_space("synthetic-dag-64"), np.random.default_rng(0)
    graphs = [space.sample(rng) for _ in range(3)]
    for graph in graphs:
        assert space.parse(space.format(graph)) == graph
        other = space.mutate(graph, rng)
        assert space.simplify(other) == other != space.simplify(graph)
    assert 630 < space.log10_size < 640


def test_simplified_graphs_are_of_the_space_and_represent_it() -> None:
    space = small()
    for graph in map(space.graph_number, range(space.size)):
        network = space.simplify(graph)
        space.check(network)
        assert space.simplify(network) == network == space.representative(graph)


def test_neighbours_are_mutual_and_lead_everywhere() -> None:
    space = small()
    networks = {space.simplify(graph) for graph in listed(space)}
    near = {network: set(space.neighbours(network)) for network in networks}
    assert all(network in near[other] for network in networks for other in near[network])
    reached, front = set(), {space.parse("|0>1")}
    while front:
        reached |= front
        front = {other for network in front for other in near[network]} - reached
    assert reached == networks


def test_neighbours_of_a_chain() -> None:
    """Another operation, an edge more, a node more on each edge, a node less."""
    space = small(None)
    texts = ["b,b|0>1,1>2,2>3", "a,a|0>1,1>2,2>3", "a,b|0>1,1>2,2>3,0>2", "a,b|0>1,1>2,2>3,0>3", "a,b|0>1,1>2,2>3,1>3"]
    texts += [f"{ops}|0>1,1>2,2>3,3>4" for ops in ("a,a,b", "b,a,b", "a,b,b", "a,b,a")] + ["a|0>1,1>2", "b|0>1,1>2"]
    expected = {space.simplify(space.parse(text)) for text in texts}
    assert set(space.neighbours(space.parse("a,b|0>1,1>2,2>3"))) == expected


def test_neighbours_do_not_depend_on_the_numbering() -> None:
    """Either of two branches may come to read the other."""
    space = small()
    one, other = space.parse("a,b|0>1,0>2,1>3,2>3"), space.parse("b,a|0>1,0>2,1>3,2>3")
    assert space.simplify(one) == space.simplify(other)
    assert set(space.neighbours(one)) == set(space.neighbours(other))
    crossed = {space.simplify(space.parse(f"{ops}|0>1,0>2,1>2,1>3,2>3")) for ops in ("a,b", "b,a")}
    assert len(crossed & set(space.neighbours(one))) == 2


def test_mutations_are_all_neighbours_in_time() -> None:
    space, rng = small(), np.random.default_rng(0)
    graph = space.parse("a,b|0>1,0>2,1>3,2>3")
    assert {space.mutate(graph, rng) for _ in range(500)} == set(space.neighbours(graph))


def test_costs_against_networkx() -> None:
    space, rng = get_space("synthetic-dag-16"), np.random.default_rng(0)
    for graph in (space.sample(rng) for _ in range(50)):
        longest = nx.dag_longest_path_length(to_networkx(graph))
        assert space.costs(graph) == {"nodes": len(graph), "edges": len(graph.edges), "depth": longest}


@pytest.mark.parametrize(
    ("ops", "edges", "reason"),
    [
        ("a b", "01 02 13", "nothing reads node 2"),
        ("a b", "01 13 23", r"node 2 \(b\) reads nothing"),
        ("a b", "12 23 13", r"node 1 \(a\) reads nothing"),
        ("a b c", "01 12 23 34", "node 3 has operation 'c'"),
        ("a output", "01 12 23", "node 2 is output, expected one of a, b"),
        ("a b a", "01 02 03 14 24 34", "6 edges, at most 5 are allowed"),
        ("a b a b", "01 12 23 34 45", "6 nodes, at most 5"),
    ],
)
def test_wrong_graphs_name_the_rule(ops: str, edges: str, reason: str) -> None:
    graph = ArchGraph((INPUT, *map(Op, ops.split()), OUTPUT), tuple((int(i), int(j)) for i, j in edges.split()))
    for refuse in (small().check, small().format, small().canonical, lambda graph: list(small().neighbours(graph))):
        with pytest.raises(InvalidArchitecture, match=reason):
            refuse(graph)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b", "expected the operations of the inner nodes and the edges, in the form a,b|0>1"),
        ("a,b|", "in the form"),
        ("a,b|0>1,1>2,2>3,", "in the form"),
        ("a,b|0-1,1-2,2-3", "in the form"),
        ("a,b|0>1,1>2,2>3|", "in the form"),
        ("a|0>1,1>²", "in the form"),
        ("a|0>1,1>9999999", "in the form"),
        ("a,b|0>1,1>2,2>4", r"edge \(2, 4\) in a graph of 4 nodes"),
        ("a,b|1>0,1>2,2>3", r"edge \(1, 0\)"),
        ("a,b|0>1,0>1,1>2,2>3", r"edge \(0, 1\) stands twice"),
        ("a,c|0>1,1>2,2>3", "node 2 has operation 'c'"),
        ("a,|0>1,1>2,2>3", "node 2 has operation ''"),
    ],
)
def test_unreadable_strings(text: str, reason: str) -> None:
    with pytest.raises(InvalidArchitecture, match=reason):
        small().parse(text)


def test_strings() -> None:
    space = get_space("free-dag")
    graph = ArchGraph((INPUT, Op("conv3x3"), Op("maxpool3x3"), OUTPUT), ((0, 1), (0, 2), (1, 3), (2, 3)))
    assert space.format(graph) == "conv3x3,maxpool3x3|0>1,0>2,1>3,2>3"
    assert space.parse(" conv3x3,maxpool3x3|2>3,0>2,0>1,1>3\n") == graph
    assert space.format(space.parse("|0>1")) == "|0>1"


@pytest.mark.parametrize(
    ("nodes", "edges", "operations"),
    [(2, None, ("a",)), (5, 1, ("a",)), (5, 5, ()), (5, 5, ("a", "a")), (5, 5, ("input",)), (5, 5, ("a,b",))],
)
def test_impossible_spaces(nodes: int, edges: int | None, operations: tuple[str, ...]) -> None:
    with pytest.raises(InvalidOption, match="x: "):
        FreeDag("x", nodes, edges, operations)


def test_spaces_of_other_limits_have_other_fingerprints() -> None:
    assert len({small(edges).fingerprint for edges in (None, 4, 5)}) == 3
