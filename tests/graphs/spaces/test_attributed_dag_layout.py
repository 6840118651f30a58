"""The layouts' contract on small spaces, and `allowed` against all their architectures of as many nodes."""

from collections.abc import Iterator
from itertools import combinations, pairwise, product

import numpy as np
import pytest
import torch

from archgen.diffusion.sampler import fill_in_turn
from archgen.testing import LayoutContract
from graphs.archgraph import ArchGraph, Op
from graphs.errors import InvalidArchitecture
from graphs.layout import layout_of
from graphs.spaces.attributed_dag import AttributedDag
from graphs.spaces.catalogue import get_space

TOY = AttributedDag(
    "toy",
    "two operations that share an attribute, and one without",
    {"wide": {"bits": (1, 2), "kind": ("a", "b")}, "deep": {"bits": (2, 4)}, "plain": {}},
    input={"rate": (0.1, 0.2)},
    output={"bits": (8, 16), "fixed": (1,)},
    most=2,
)
CHAINS = AttributedDag("chains", "up to three in a row", TOY.inner, input=TOY.choices["input"], most=3, chain=True)
EMPTY = AttributedDag("empty", "perhaps no layer", {"only": {"bits": (1, 2)}}, fewest=0, most=2)
EMPTY_CHAINS = AttributedDag("empty-chains", "perhaps no layer", {"only": {}, "or": {}}, fewest=0, most=2, chain=True)
PAIR = AttributedDag("pair", "two layers", {"only": {"bits": (1, 2), "one": (3,)}}, fewest=2, most=2, chain=True)
MIXED_PAIR = AttributedDag("mixed", "two layers", TOY.inner, fewest=2, most=2, chain=True)
SINGLE = AttributedDag("single", "layers without a choice", {"only": {}}, fewest=1, most=3)
SMALL = [TOY, CHAINS, EMPTY, EMPTY_CHAINS, PAIR, MIXED_PAIR, SINGLE]


def every(space: AttributedDag) -> Iterator[ArchGraph]:
    """All architectures of a small space, by its rules alone."""
    kinds = {
        name: [Op(name, **dict(zip(choices, values, strict=True))) for values in product(*choices.values())]
        for name, choices in space.choices.items()
    }
    inner = [op for name in space.inner for op in kinds[name]]
    for count in range(space.fewest, space.most + 1):
        pairs = list(combinations(range(count + 2), 2))
        wirings = [edges for size in range(1, len(pairs) + 1) for edges in combinations(pairs, size)]
        if space.chain:
            wirings = [tuple(pairwise(range(count + 2)))]
        for edges in wirings:
            if {i for i, _ in edges} >= set(range(count + 1)) and {j for _, j in edges} >= set(range(1, count + 2)):
                for ops in product(kinds["input"], *[inner] * count, kinds["output"]):
                    yield ArchGraph(ops, edges)


@pytest.mark.parametrize("space", SMALL, ids=lambda space: space.name)
def test_allowed_is_what_some_graph_of_as_many_nodes_agrees_with(space: AttributedDag) -> None:
    layout, rng = layout_of(space), torch.Generator().manual_seed(0)
    everything = layout.read(list(every(space)))
    assert len(everything) == space.size
    rows = everything[torch.randint(len(everything), (80,), generator=rng)]
    hide = torch.rand(rows.shape, generator=rng) < torch.rand(len(rows), 1, generator=rng)
    values = torch.where(hide & (layout.start(rows) == layout.hidden), layout.hidden, rows)
    alike = (layout.start(rows)[:, None] == layout.start(everything)).all(2)
    for slot in range(len(layout)):
        given = layout.start(rows)[:, slot] != layout.hidden[slot]
        others = [other for other in range(len(layout)) if other != slot]
        agree = alike.clone()
        for other in others:
            known = values[:, other, None]
            agree &= (known == everything[:, other]) | (known == layout.hidden[other])
        takes = torch.nn.functional.one_hot(everything[:, slot], layout.sizes[slot])
        expected = agree.double() @ takes.double() > 0
        assert torch.equal(layout.allowed(values, slot)[~given], expected[~given]), layout.tell(slot, 0)


@pytest.mark.parametrize("space", SMALL, ids=lambda space: space.name)
def test_as_many_rows_are_valid_as_there_are_descriptions(space: AttributedDag) -> None:
    layout = layout_of(space)
    if np.prod(layout.sizes) > 3_000_000:
        pytest.skip("too many rows to list")
    rows = torch.cartesian_prod(*map(torch.arange, layout.sizes)).view(-1, len(layout))
    valid = rows[layout.valid(rows)]
    assert len(valid) == space.size
    graphs = layout.write(valid)
    assert set(graphs) == set(every(space))
    assert torch.equal(layout.read(graphs), valid)


@pytest.mark.parametrize("space", [*SMALL, get_space("gnn")], ids=lambda space: space.name)
def test_filling_at_once_is_filling_in_turn(space: AttributedDag) -> None:
    """The largest allowed value by fixed marks is taken either way."""
    layout, draws = layout_of(space), np.random.default_rng(0)
    rng = torch.Generator().manual_seed(0)
    start = layout.start(layout.read([space.sample(draws) for _ in range(100)]))
    found = []
    for fill in (layout.fill, lambda *args: fill_in_turn(layout, *args)):  # type: ignore[attr-defined]
        values, rng = start.clone(), rng.manual_seed(1)
        marks = torch.rand(len(values), len(layout), max(layout.sizes), generator=rng)
        for turn in range(3):
            shown = (torch.rand(values.shape, generator=rng) < 0.5) | (turn == 2)
            shown &= values == layout.hidden
            order, rows = shown.T[list(layout.restricted)].nonzero(as_tuple=True)
            slots = torch.tensor(layout.restricted, dtype=torch.int64)[order]

            def draw(some: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
                assert allowed.any(1).all()
                score = marks[rows[some], slots[some], : allowed.shape[1]].masked_fill(~allowed, -1)  # noqa: B023
                drawn = values[rows[some], slots[some]] = score.argmax(1)  # noqa: B023
                return drawn

            fill(values, rows, slots, draw)
        found.append(values)
    restricted = list(layout.restricted)
    assert torch.equal(found[0][:, restricted], found[1][:, restricted])
    free = [slot for slot in range(len(layout)) if slot not in restricted]
    found[0][:, free] = 0
    for graph in layout.write(found[0]):
        space.check(graph)


class TestAutoGnn(LayoutContract):
    space = get_space("auto-gnn")


class TestToy(LayoutContract):
    space = TOY


class TestChains(LayoutContract):
    space = CHAINS


class TestEmpty(LayoutContract):
    space = EMPTY


class TestEmptyChains(LayoutContract):
    space = EMPTY_CHAINS


class TestPair(LayoutContract):
    space = PAIR


def test_slots_of_a_graph() -> None:
    layout = layout_of(TOY)
    graph = TOY.parse("input(rate=0.2);deep(bits=4);output(bits=8,fixed=1)|0>1,1>2")
    row = layout.read([graph])[0].tolist()
    told = [layout.tell(slot, value) for slot, value in enumerate(row)]
    assert told[:8] == [
        "node 0: rate 0.2",
        "node 1: deep",
        "node 1: bits 4",
        "node 1: no kind",
        "node 2: absent",
        "node 2: no bits",
        "node 2: no kind",
        "node 3: bits 8",
    ]
    assert {text for text in told if text.startswith("edge")} == {"edge 0>1", "edge 1>3"}
    start = layout.start(torch.tensor([row]))
    assert [layout.tell(slot, value) for slot, value in enumerate(start[0].tolist()) if value < layout.sizes[slot]] == [
        *told[4:7],
        "no edge 0>2",
        "no edge 1>2",
        "no edge 2>3",
    ]


def test_rows_that_are_no_architecture_are_told() -> None:
    layout = layout_of(TOY)
    row = layout.read([TOY.parse("input(rate=0.2);deep(bits=4);output(bits=8,fixed=1)|0>1,1>2")])
    row[0, 3] = 0
    with pytest.raises(InvalidArchitecture, match=r"toy: row 0 is no architecture: .*node 1: kind a.*; expected"):
        layout.write(row)
    row[0, 3] = 9
    with pytest.raises(InvalidArchitecture, match="slot 3 is 9"):
        layout.write(row)


def test_auto_gnn_has_a_slot_for_each_attribute_of_a_layer_and_no_more() -> None:
    layout = layout_of(get_space("auto-gnn"))
    assert len(layout) == 12
    assert layout.restricted == ()
    assert [len(part) for part in layout.parts] == [6, 6]
    assert len(layout.alike[0]) == 6
    for size, table in zip(layout.sizes, layout.attributes, strict=True):
        assert table.shape == (size, 2)  # hidden size and heads are numbers
        assert table.mean(0).abs().max() < 1e-12


def test_gnn_has_places_for_four_layers() -> None:
    layout = layout_of(get_space("gnn"))
    assert len(layout) == 7 + 4 * 9 + 3 + 15
    assert len(layout.edge_slots) == 15
