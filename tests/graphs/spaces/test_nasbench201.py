import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path

import numpy as np
import pytest

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.spaces.nasbench201 import CELL_EDGES, OPERATIONS, NasBench201, expression

SPACE = NasBench201()
CELLS = list(itertools.product(OPERATIONS, repeat=6))
BEST_ON_CIFAR100 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def partition(labels: Iterable[Hashable]) -> set[frozenset[int]]:
    """Which of the cells, by number, share a label."""
    groups = defaultdict(set)
    for number, label in enumerate(labels):
        groups[label].add(number)
    return set(map(frozenset, groups.values()))


def refines(fine: set[frozenset[int]], coarse: set[frozenset[int]]) -> bool:
    """Whether each group of `fine` lies in one of `coarse`."""
    home = {number: group for group in coarse for number in group}
    return all(group <= home[min(group)] for group in fine)


@pytest.fixture(scope="module")
def ours() -> set[frozenset[int]]:
    return partition(map(expression, CELLS))


def test_cells_that_compute_the_same_numbers(ours: set[frozenset[int]]) -> None:
    """Each operation as a fixed random nonlinear function that keeps zero: equal expressions, equal numbers."""
    x = np.random.default_rng(0).uniform(-1, 1, size=8)
    a, b, c = np.random.default_rng(1).uniform(0.5, 1.5, size=(3, len(OPERATIONS), 1))
    codes = np.array(list(itertools.product(range(len(OPERATIONS)), repeat=6)))
    sums = [np.tile(x, (len(codes), 1)), *np.zeros((3, len(codes), 8))]
    for edge, (source, target) in enumerate(CELL_EDGES):
        y, k = sums[source], codes[:, edge]
        out = np.sin(a[k] * y) + b[k] * np.tanh(c[k] * y + y**2)
        out[k == OPERATIONS.index("none")] = 0
        skips = k == OPERATIONS.index("skip_connect")
        out[skips] = y[skips]
        sums[target] = sums[target] + out
    numbers = partition(map(tuple, np.round(sums[3], 9) + 0.0))
    assert len(ours) == 4_930
    assert numbers == ours


def nested(ops: tuple[str, ...]) -> Hashable:
    """An independent reference by recursion: the multiset of what is summed, where a skipped sum stays a bracket."""

    def node(target: int) -> Hashable:
        if target == 0:
            return "x"
        terms = []
        for op, (source, end) in zip(ops, CELL_EDGES, strict=True):
            inner = node(source) if end == target and op != "none" else None
            if inner is not None:
                terms.append(inner if op == "skip_connect" else (op, inner))
        if len(terms) == 1:
            return terms[0]
        return ("sum", *sorted(terms, key=repr)) if terms else None

    return node(3)


def test_with_nested_sums_kept_the_cells_are_5773(ours: set[frozenset[int]]) -> None:
    kept = partition(map(nested, CELLS))
    assert len(kept) == 5_773
    assert refines(kept, ours)


def unique_string(ops: tuple[str, ...], consider_zero: bool | None) -> str:
    """`Structure.to_unique_str` of the authors' code (Dong and Yang, AutoDL-Projects, genotypes.py)."""
    names = {0: "0"}
    for target in (1, 2, 3):
        terms = []
        for op, (source, end) in zip(ops, CELL_EDGES, strict=True):
            if end != target:
                continue
            inner = names[source]
            if consider_zero is None:
                terms.append(f"({inner})@{op}")
            elif consider_zero:
                if op == "none" or inner == "#":
                    terms.append("#")
                else:
                    terms.append(inner if op == "skip_connect" else f"({inner})@{op}")
            else:
                terms.append(inner if op == "skip_connect" else f"({inner})@{op}")
        names[target] = "+".join(sorted(terms))
    return names[3]


@pytest.mark.parametrize(("consider_zero", "count"), [(None, 15_625), (False, 12_751), (True, 6_466)])
def test_the_authors_weaker_rules(ours: set[frozenset[int]], consider_zero: bool | None, count: int) -> None:
    theirs = partition(unique_string(ops, consider_zero) for ops in CELLS)
    assert len(theirs) == count
    assert refines(theirs, ours)


def test_the_simplified_graph_is_the_expression(ours: set[frozenset[int]]) -> None:
    """Different expressions give different graphs and ids; cells of one expression give one graph."""
    firsts = [SPACE.simplify(SPACE.build(CELLS[min(group)])) for group in sorted(ours, key=min)[::3]]
    assert len(set(firsts)) == len(firsts) > 1_600
    for group in sorted(ours, key=min)[::50]:
        numbers = sorted(group)[:5]
        assert len({SPACE.canonical(SPACE.build(CELLS[number])) for number in numbers}) == 1


def test_string_of_the_benchmark() -> None:
    graph = SPACE.parse(BEST_ON_CIFAR100)
    assert SPACE.format(graph) == BEST_ON_CIFAR100
    assert [op.name for op in graph.ops[1:-1]].count("nor_conv_3x3") == 5
    assert len({SPACE.format(SPACE.build(ops)) for ops in CELLS[::7]}) == len(CELLS[::7])


def test_strings_of_the_table(data_dir: Path) -> None:
    lines = (data_dir / "nasbench201" / "nasbench201.csv").read_text().splitlines()
    strings = [line.split(",")[0] for line in lines[1::40]]
    assert len(strings) == 391
    assert all(SPACE.format(SPACE.parse(text)) == text for text in strings)


@pytest.mark.parametrize(
    "text",
    ["|none~0|", "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", "|none~0|+|none~0|none~1|+|none~0|nonne~1|none~2|"],
)
def test_unreadable_strings(text: str) -> None:
    with pytest.raises(InvalidArchitecture, match=r"cannot read|node 5 has operation 'nonne'"):
        SPACE.parse(text)


def test_a_chain_is_no_cell() -> None:
    with pytest.raises(InvalidArchitecture, match="six operations"):
        SPACE.check(ArchGraph((INPUT, Op("none"), OUTPUT), ((0, 1), (1, 2))))


def test_a_dead_cell_is_input_and_output_alone() -> None:
    assert SPACE.simplify(SPACE.build(("none",) * 6)) == ArchGraph((INPUT, OUTPUT), ())


def test_ids_do_not_change_between_versions() -> None:
    assert SPACE.canonical(SPACE.parse(BEST_ON_CIFAR100)) == "1-f3c7d23c0974424744df"
