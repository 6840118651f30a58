"""Figures against slow implementations and laws whose distance is known; the floor; networks counted by hand."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archgen.fidelity import WIDTH, between_halves, compare
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.layout import Layout, ListedLayout, ProductLayout, layout_of
from graphs.space import Field, SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph

NAMES = ("a", "b", "c", "skip")


class Listed(SearchSpace):
    """A space that is the list of its graphs."""

    name = "listed"
    summary = "a list of graphs"
    fields = (Field("op", ("input", *NAMES, "output")),)

    def __init__(self, graphs: Sequence[ArchGraph]) -> None:
        self.listed = tuple(graphs)
        self.max_nodes = max(map(len, graphs))

    @property
    def log10_size(self) -> float:
        return math.log10(len(self.listed))

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if graph not in self.listed:
            raise InvalidArchitecture(f"{graph} is not listed")

    def enumerate(self) -> Iterator[ArchGraph]:
        return iter(self.listed)

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return self.listed[int(rng.integers(len(self.listed)))]

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        return (other for other in self.listed if other != graph)

    def parse(self, text: str) -> ArchGraph:
        return self.listed[int(text)]

    def format(self, graph: ArchGraph) -> str:
        return str(self.listed.index(graph))

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return graph


def chain(names: Sequence[str]) -> ArchGraph:
    return ArchGraph((INPUT, *map(Op, names), OUTPUT), tuple((i, i + 1) for i in range(len(names) + 1)))


class Chains(Listed):
    """Chains of a number of layers; a skip is left out, so networks have any number of nodes."""

    name = "chains"

    def __init__(self, layers: int) -> None:
        super().__init__([chain(["a"] * layers)])

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)

    def enumerate(self) -> Iterator[ArchGraph]:
        return map(chain, itertools.product(NAMES, repeat=self.max_nodes - 2))

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return chain([op.name for op in graph.ops[1:-1] if op.name != "skip"])

    def layout(self) -> Layout:
        return ProductLayout(self, self.listed)


LAYOUT = layout_of(Chains(4))
SKIP = NAMES.index("skip")


def draw(layout: Layout, rows: int, seed: int, law: Sequence[float] | None = None) -> Tensor:
    """Valid rows of `layout` whose slots are independent, uniform or of the law given."""
    rng = torch.Generator().manual_seed(seed)
    columns = [torch.ones(size) if law is None else torch.tensor(law) for size in layout.sizes]
    values = torch.stack([torch.multinomial(column, 2 * rows, True, generator=rng) for column in columns], 1)
    return values[layout.valid(values)][:rows]


def rows_of(layout: Layout, *descriptions: str) -> Tensor:
    return layout.read([chain(text.split()) for text in descriptions])


def laws(rows: Tensor, slots: Sequence[int]) -> Counter[tuple[int, ...]]:
    return Counter(tuple(row[slot] for slot in slots) for row in rows.tolist())


def variation(left: Tensor, right: Tensor, *slots: int) -> float:
    one, other = laws(left, slots), laws(right, slots)
    return sum(abs(one[key] / len(left) - other[key] / len(right)) for key in one | other) / 2


def labels(graph: ArchGraph) -> Counter[tuple[str, int, str]]:
    """What the nodes look like from 0, 1 and 2 edges away, over the nodes that they lead to and that they read."""

    def seen(links: Sequence[Sequence[int]], node: int, level: int) -> str:
        if level == 0:
            return str(graph.ops[node])
        around = sorted(seen(links, other, level - 1) for other in links[node])
        return f"{seen(links, node, level - 1)}[{' '.join(around)}]"

    inner = range(1, len(graph) - 1)
    after = [("after", level, seen(graph.successors, node, level)) for node in inner for level in range(3)]
    before = [("before", level, seen(graph.predecessors, node, level)) for node in inner for level in (1, 2)]
    return Counter(after + before)


def kernel(one: ArchGraph, other: ArchGraph) -> float:
    units = []
    for counts in (labels(one), labels(other)):
        norm = math.sqrt(sum(count**2 for count in counts.values()))
        units.append({label: count / norm for label, count in counts.items()})
    left, right = units
    squared = sum((left.get(label, 0.0) - right.get(label, 0.0)) ** 2 for label in {**left, **right})
    return math.exp(-squared / (2 * WIDTH**2))


def discrepancy(left: Sequence[ArchGraph], right: Sequence[ArchGraph]) -> float:
    within = [
        sum(kernel(one, other) for one, other in itertools.permutations(side, 2)) / (len(side) * (len(side) - 1))
        for side in (left, right)
    ]
    across = sum(kernel(one, other) for one in left for other in right) / (len(left) * len(right))
    return sum(within) - 2 * across


def rows(least: int, most: int, slots: int = 4) -> st.SearchStrategy[Tensor]:
    row = st.lists(st.integers(0, 3), min_size=slots, max_size=slots)
    return st.lists(row, min_size=least, max_size=most).map(torch.tensor)


@given(rows(1, 12), rows(1, 12))
@settings(max_examples=40, deadline=None)
def test_laws_of_slots_and_pairs(samples: Tensor, reference: Tensor) -> None:
    found = compare(LAYOUT, samples, reference)
    slots = [variation(samples, reference, slot) for slot in range(4)]
    pairs = [variation(samples, reference, *pair) for pair in itertools.combinations(range(4), 2)]
    assert found.marginals == pytest.approx(np.mean(slots))
    assert found.worst_marginal == pytest.approx(max(slots))
    assert found.pairs == pytest.approx(np.mean(pairs))
    assert found.worst_pair == pytest.approx(max(pairs))


@given(rows(2, 6), rows(2, 6))
@settings(max_examples=25, deadline=None)
def test_discrepancy_of_networks(samples: Tensor, reference: Tensor) -> None:
    """Networks of 2 to 6 nodes; the one without any inner node among them."""
    space = LAYOUT.space
    left, right = ([space.simplify(graph) for graph in LAYOUT.write(side)] for side in (samples, reference))
    assert compare(LAYOUT, samples, reference).wl_mmd == pytest.approx(discrepancy(left, right), abs=1e-9)


def test_graphs_of_different_numbers_of_nodes() -> None:
    """Slots of different sizes, among them the wiring."""
    layout = ListedLayout(Listed([chain(names) for n in (1, 2, 3) for names in itertools.product("ab", repeat=n)]))
    assert len(set(layout.sizes)) > 1
    rng = np.random.default_rng(0)
    left, right = ([layout.space.sample(rng) for _ in range(size)] for size in (20, 30))
    samples, reference = layout.read(left), layout.read(right)
    found = compare(layout, samples, reference)
    slots = [variation(samples, reference, slot) for slot in range(len(layout))]
    pairs = [variation(samples, reference, *pair) for pair in itertools.combinations(range(len(layout)), 2)]
    assert found.marginals == pytest.approx(np.mean(slots))
    assert found.pairs == pytest.approx(np.mean(pairs))
    assert found.wl_mmd == pytest.approx(discrepancy(left, right), abs=1e-9)


def test_only_so_many_pairs() -> None:
    """15 pairs of which any number is looked at, each at most once, the same ones each time."""
    layout = layout_of(Chains(6))
    samples, reference = draw(layout, 50, 0), draw(layout, 50, 1)
    each = [variation(samples, reference, *pair) for pair in itertools.combinations(range(6), 2)]
    one, most, every, more = (compare(layout, samples, reference, most_pairs=pairs) for pairs in (1, 14, 15, 99))
    assert any(one.pairs == one.worst_pair == pytest.approx(found) for found in each)
    assert any(14 * most.pairs == pytest.approx(sum(each) - found) for found in each)
    assert (every.pairs, every.worst_pair) == (more.pairs, more.worst_pair)
    assert every.pairs == pytest.approx(np.mean(each))
    some, again = (compare(layout, samples, reference, most_pairs=7).pairs for _ in range(2))
    assert some == again


def test_product_laws_of_known_distance() -> None:
    """A law of (0.7, 0.1, 0.1, 0.1) is 0.45 from the uniform one, in pairs 0.54."""
    law = (0.7, 0.1, 0.1, 0.1)
    pair = sum(abs(p * q - 1 / 16) for p, q in itertools.product(law, repeat=2)) / 2
    found = compare(LAYOUT, draw(LAYOUT, 20_000, 0, law), draw(LAYOUT, 20_000, 1))
    assert found.marginals == pytest.approx(0.45, abs=0.01)
    assert found.worst_marginal == pytest.approx(0.45, abs=0.02)
    assert found.pairs == pytest.approx(pair, abs=0.01)


def test_two_samples_of_one_law_are_at_the_floor() -> None:
    size = 1_000
    floor = between_halves(LAYOUT, draw(LAYOUT, 2 * size, 0))
    found = compare(LAYOUT, draw(LAYOUT, size, 1), draw(LAYOUT, size, 2))
    assert (floor.rows, floor.splits) == (size, 10)
    for name in ("marginals", "worst_marginal", "pairs", "worst_pair", "wl_mmd"):
        assert abs(getattr(found, name) - getattr(floor.mean, name)) < 5 * getattr(floor.deviation, name), name
    assert floor.mean.marginals == pytest.approx(0.4 * math.sqrt(3 * 2 / size), rel=0.2)
    assert floor.mean.pairs == pytest.approx(0.4 * math.sqrt(15 * 2 / size), rel=0.2)
    assert abs(floor.mean.wl_mmd) < 2 * floor.deviation.wl_mmd, "the estimator is unbiased"


def test_floor_of_as_many_rows_as_there_are_samples() -> None:
    data = draw(LAYOUT, 4_000, 0)
    many, few = between_halves(LAYOUT, data, splits=4), between_halves(LAYOUT, data, splits=4, rows=500)
    assert (many.rows, few.rows) == (2_000, 500)
    assert few.mean.pairs == pytest.approx(2 * many.mean.pairs, rel=0.15)
    assert asdict(few.mean) != asdict(between_halves(LAYOUT, data, splits=4, rows=500, seed=1).mean)
    assert between_halves(LAYOUT, data, splits=4, rows=500).mean.pairs == few.mean.pairs


def test_planted_dependence_is_found_by_pairs_and_not_by_marginals() -> None:
    """Two slots that are always equal, all laws of single slots uniform: 0.75 from independent ones."""
    data = draw(LAYOUT, 4_000, 0)
    samples = draw(LAYOUT, 2_000, 1)
    samples[:, 3] = samples[:, 1]
    floor, found = between_halves(LAYOUT, data), compare(LAYOUT, samples, data[:2_000])
    assert abs(found.worst_marginal - floor.mean.worst_marginal) < 4 * floor.deviation.worst_marginal
    assert found.worst_pair == pytest.approx(0.75, abs=0.03)
    assert found.pairs > floor.mean.pairs + 10 * floor.deviation.pairs
    assert found.pairs == pytest.approx((0.75 + 5 * floor.mean.pairs) / 6, rel=0.05)


@pytest.mark.parametrize("law", [(0.4, 0.2, 0.2, 0.2), (0.1, 0.3, 0.3, 0.3)])
def test_discrepancy_of_different_laws_is_above_the_floor(law: Sequence[float]) -> None:
    data = draw(LAYOUT, 2_000, 0)
    floor, found = between_halves(LAYOUT, data), compare(LAYOUT, draw(LAYOUT, 1_000, 1, law), data[:1_000])
    assert found.wl_mmd > floor.mean.wl_mmd + 8 * floor.deviation.wl_mmd


def test_discrepancy_sees_the_order_of_layers() -> None:
    """The same operations as often, in another order."""
    found = compare(LAYOUT, rows_of(LAYOUT, *["a a b b"] * 3), rows_of(LAYOUT, *["a b a b"] * 3))
    assert found.wl_mmd > 0.1


def test_discrepancy_sees_which_nodes_are_read_twice() -> None:
    """Two a, each read by one b: the same b or one each. What a node leads to is alike, what it reads is not."""
    ops = (INPUT, Op("a"), Op("a"), Op("b"), Op("b"), OUTPUT)
    ends = ((0, 1), (0, 2), (3, 5), (4, 5))
    same = ArchGraph(ops, (*ends, (0, 3), (1, 4), (2, 4)))
    each = ArchGraph(ops, (*ends, (1, 3), (2, 4)))
    layout = ListedLayout(Listed([same, each]))
    assert compare(layout, layout.read([same] * 3), layout.read([each] * 3)).wl_mmd > 0.1


def test_discrepancy_of_some_of_many_graphs() -> None:
    """Rows may be sorted: the graphs that are looked at come from everywhere."""
    data = draw(LAYOUT, 4_000, 0)
    by_length = data[(data == SKIP).sum(1).argsort()]
    floor = between_halves(LAYOUT, data, rows=1_000)
    assert abs(compare(LAYOUT, by_length, data, most_graphs=1_000).wl_mmd) < 5 * floor.deviation.wl_mmd
    assert compare(LAYOUT, by_length[:1_000], data[:1_000]).wl_mmd > 10 * floor.deviation.wl_mmd


def test_order_of_rows_and_choice_of_descriptions() -> None:
    """Rows may come in any order; another description of each network changes laws of slots and nothing else."""
    samples, reference = draw(LAYOUT, 200, 0), draw(LAYOUT, 300, 1, (0.4, 0.3, 0.2, 0.1))
    rng = torch.Generator().manual_seed(2)
    mixed = [side[torch.randperm(len(side), generator=rng)] for side in (samples, reference)]
    found = compare(LAYOUT, samples, reference, set())
    assert astuple(compare(LAYOUT, mixed[0], mixed[1], set())) == pytest.approx(astuple(found), abs=1e-12)
    skips = samples == SKIP
    moved = samples.gather(1, skips.long().argsort(dim=1, stable=True))
    assert not torch.equal(moved, samples)
    other = compare(LAYOUT, moved, reference, set())
    assert other.wl_mmd == pytest.approx(found.wl_mmd, abs=1e-12)
    assert (other.distinct, other.uniqueness) == (found.distinct, found.uniqueness)
    assert other.pairs != found.pairs


def test_networks_are_counted_and_not_descriptions() -> None:
    """Six rows: a-b in three descriptions, one of them twice; a; b."""
    same = ("a b skip skip", "a skip b skip", "skip skip a b", "skip skip a b")
    samples = rows_of(LAYOUT, *same, "skip a skip skip", "b skip skip skip")
    known = {LAYOUT.space.canonical(chain(text.split())) for text in ("skip a skip b", "c c c c")}
    found = compare(LAYOUT, samples, samples, known)
    assert (found.validity, found.distinct, found.uniqueness) == (1.0, 3 / 6, 3 / 6)
    assert found.unique_rows == 5 / 6
    assert found.novelty == 2 / 3
    assert compare(LAYOUT, samples, samples, []).novelty == 1.0
    assert math.isnan(compare(LAYOUT, samples, samples).novelty)


def test_rows_that_are_not_valid() -> None:
    """Shares are of the valid rows, `distinct` of all; nothing but skips is no network of NAS-Bench-Graph."""
    space = NasBenchGraph()
    layout = layout_of(space)
    good = layout.read([space.parse(text) for text in ("0000|gcn|gcn|gcn|gcn", "0012|gat|gcn|skip|fc")])
    bad = good[:1].clone()
    bad[:, 1:] = layout.read([space.parse("0000|skip|gcn|gcn|gcn")])[0, 1]
    found = compare(layout, torch.cat([good, bad, bad, good[:1]]), good)
    assert found.validity == 3 / 5
    assert (found.distinct, found.uniqueness, found.unique_rows) == (2 / 5, 2 / 3, 2 / 3)
    assert found.marginals == pytest.approx((0.3 + 0.4 + 0.4 + 0.1 + 0.4) / 5), "by hand, of all five rows"
    with pytest.raises(InvalidArchitecture):
        compare(layout, good, bad)
    none = compare(layout, bad, good, set())
    assert (none.validity, none.distinct) == (0.0, 0.0)
    assert all(map(math.isnan, (none.wl_mmd, none.uniqueness, none.unique_rows, none.novelty)))
    assert none.worst_marginal == 1.0


def test_one_slot_has_no_pairs() -> None:
    layout = layout_of(Chains(1))
    found = compare(layout, rows_of(layout, "a", "b"), rows_of(layout, "a", "a"))
    assert found.marginals == 0.5
    assert math.isnan(found.pairs)
    assert math.isnan(found.worst_pair)


def test_short_integers_give_the_same() -> None:
    samples, reference = draw(LAYOUT, 20, 0), draw(LAYOUT, 20, 1)
    short = compare(LAYOUT, samples.to(torch.int16), reference.to(torch.int16), set())
    assert short == compare(LAYOUT, samples, reference, set())


def test_what_cannot_be_compared_is_refused() -> None:
    good = draw(LAYOUT, 8, 0)
    hidden = good.clone()
    hidden[2, 1] = LAYOUT.hidden[1]
    with pytest.raises(InvalidOption, match="of 4 slots, got 8 of 3"):
        compare(LAYOUT, good[:, :3], good[:, :3])
    for samples in (good[:0], hidden, good - 9):
        with pytest.raises(InvalidOption):
            compare(LAYOUT, samples, good)
        with pytest.raises(InvalidOption):
            compare(LAYOUT, good, samples)
    with pytest.raises(InvalidOption, match="row 2 holds 4 in slot 1, expected 0 to 3"):
        compare(LAYOUT, hidden, good)
    for pairs, graphs in ((0, 1), (1, 0)):
        with pytest.raises(InvalidOption):
            compare(LAYOUT, good, good, most_pairs=pairs, most_graphs=graphs)
    for options in ({"splits": 1}, {"rows": 5}, {"rows": 0}):
        with pytest.raises(InvalidOption):
            between_halves(LAYOUT, good, **options)
    with pytest.raises(InvalidOption):
        between_halves(LAYOUT, good[:1])
