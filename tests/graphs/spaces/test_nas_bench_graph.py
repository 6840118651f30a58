import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from nas_bench_graph.architecture import Arch

from graphs.archgraph import ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.spaces.nas_bench_graph import LINKS, OPERATIONS, NasBenchGraph

SPACE = NasBenchGraph()


def oracle(graph: ArchGraph) -> int:
    """The benchmark's own key of a description."""
    links = [graph.predecessors[node][0] for node in range(1, 5)]
    key: int = Arch(links, [op.name for op in graph.ops[1:-1]]).valid_hash()
    return key


def check_against_oracle(graphs: Iterable[ArchGraph]) -> int:
    """Two graphs have one id exactly when the benchmark gives them one key, and `table_key` is that key; counts ids."""
    key_of: dict[str, int] = {}
    for graph in graphs:
        key = oracle(graph)
        assert SPACE.table_key(graph) == key, SPACE.format(graph)
        assert key_of.setdefault(SPACE.canonical(graph), key) == key, SPACE.format(graph)
    assert len(set(key_of.values())) == len(key_of)
    return len(key_of)


def test_sampled_descriptions_against_the_benchmarks_own_code() -> None:
    """Descriptions of few operations, skip among them, so that many build the same network."""
    few = [graph for graph in SPACE.enumerate() if {op.name for op in graph.ops[1:-1]} <= {"skip", "gat", "fc"}]
    rng = np.random.default_rng(0)
    assert check_against_oracle([*few, *(SPACE.sample(rng) for _ in range(800))]) > 800


def test_the_benchmark_has_26206_keys() -> None:
    every = itertools.product(LINKS, itertools.product(OPERATIONS, repeat=4))
    keys = {Arch(list(links), list(ops)).valid_hash() for links, ops in every if set(ops) != {"skip"}}
    assert len(keys) == 26_206


@pytest.mark.slow
def test_all_descriptions_against_the_benchmarks_own_code() -> None:
    assert check_against_oracle(SPACE.enumerate()) == 26_206


@pytest.mark.parametrize("links", LINKS)
def test_all_skip_is_refused_with_the_reason(links: tuple[int, int, int, int]) -> None:
    graph = SPACE.build(links, ("skip",) * 4)
    for refuse in (SPACE.check, SPACE.format, SPACE.canonical):
        with pytest.raises(InvalidArchitecture, match="every layer is skip, so there is no network to train"):
            refuse(graph)
    with pytest.raises(InvalidArchitecture, match="every layer is skip"):
        SPACE.parse("".join(map(str, links)) + "|skip" * 4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0012|gat|gcn|skip", "expected the form"),
        ("00120|gat|gcn|skip|fc", "expected the form"),
        ("0021|gat|gcn|skip|fc", "parent list 0021 is not one of"),
        ("00²1|gat|gcn|skip|fc", "expected the form"),
        ("0012|gat|gnc|skip|fc", "node 2 has operation 'gnc'"),
        ("0012|gat|input|skip|fc", "node 2 is input"),
    ],
)
def test_unreadable_strings(text: str, reason: str) -> None:
    with pytest.raises(InvalidArchitecture, match=reason):
        SPACE.parse(text)


@pytest.mark.parametrize(
    ("edges", "reason"),
    [
        (((0, 1), (0, 2), (1, 3), (2, 3), (2, 4), (3, 5), (4, 5)), "node 3 reads 2 nodes"),
        (((0, 1), (0, 2), (2, 3), (2, 4), (1, 5), (3, 5), (4, 5)), "renumber the layers"),
        (((0, 1), (0, 2), (1, 3), (2, 4), (3, 5)), "the output must read exactly"),
        (((0, 1), (0, 2), (1, 3), (2, 4), (2, 5), (3, 5), (4, 5)), "the output must read exactly"),
    ],
)
def test_wrong_wirings_name_the_rule(edges: tuple[tuple[int, int], ...], reason: str) -> None:
    with pytest.raises(InvalidArchitecture, match=reason):
        SPACE.check(ArchGraph(SPACE.parse("0012|gat|gcn|gin|fc").ops, edges))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0123|skip|gat|gcn|fc", "0123|gat|skip|gcn|fc", True),  # a skip on a chain is the identity wherever it stands
        ("0000|gat|gcn|gin|fc", "0000|fc|gin|gcn|gat", True),  # branches have no order
        ("0112|gat|skip|gcn|fc", "0111|gat|skip|gcn|fc", False),
        ("0000|skip|gat|gcn|fc", "0000|skip|skip|gat|gcn", False),
        ("0011|gat|gcn|skip|fc", "0011|gat|gcn|fc|skip", True),
    ],
)
def test_equal_networks(one: str, other: str, same: bool) -> None:
    ids = [SPACE.canonical(SPACE.parse(text)) for text in (one, other)]
    assert (ids[0] == ids[1]) == same


def test_unread_skip_keeps_its_parent_in_the_output() -> None:
    network = SPACE.simplify(SPACE.parse("0111|gat|skip|gcn|fc"))
    assert Op("skip") in network.ops
    assert SPACE.simplify(SPACE.parse("0000|skip|gat|gcn|fc")).ops.count(Op("skip")) == 0


def test_ids_do_not_change_between_versions() -> None:
    assert SPACE.canonical(SPACE.parse("0012|gat|gcn|skip|fc")) == "1-035f6d16fa8823ea6e97"
