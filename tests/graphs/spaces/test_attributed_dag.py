"""The space contract on small spaces of operations with attributes, their sizes by listing, and what they refuse."""

import numpy as np
import pytest

from archgen.testing import SpaceContract
from graphs.archgraph import ArchGraph, Op
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.attributed_dag import AttributedDag


def toy(chain: bool = False, fewest: int = 1) -> AttributedDag:
    return AttributedDag(
        "toy",
        "two operations that share an attribute, and one without",
        {"wide": {"bits": (1, 2, 4), "kind": ("a", "b")}, "deep": {"bits": (2, 4)}, "plain": {}},
        input={"rate": (0.1, 0.2)},
        output={"bits": (8, 16)},
        fewest=fewest,
        most=3,
        chain=chain,
    )


class TestToy(SpaceContract):
    space = toy()
    edges_may_go = True

    def fresh(self) -> SearchSpace:
        return toy()


class TestChains(SpaceContract):
    space = toy(chain=True)

    def fresh(self) -> SearchSpace:
        return toy(chain=True)


@pytest.mark.parametrize("chain", [True, False])
@pytest.mark.parametrize("fewest", [0, 1, 2])
def test_size_counts_wirings_and_operations(chain: bool, fewest: int) -> None:
    """Nine operations; 1, 1, 4 - 1 - ... wirings of 0, 1, 2 inner nodes: see the layouts' tests for lists of all."""
    space = toy(chain, fewest)
    wirings = {0: 1, 1: 1, 2: 1, 3: 1} if chain else {0: 1, 1: 2, 2: 10, 3: 122}
    assert space.size == sum(2 * 2 * 9**count * wirings[count] for count in range(fewest, 4))


def test_simplified_graphs_are_canonical() -> None:
    """Nodes in another order build the same network, and the canonical form is its own."""
    space, rng = toy(), np.random.default_rng(0)
    one = space.parse("input(rate=0.1);deep(bits=2);plain;output(bits=8)|0>1,0>2,1>3,2>3")
    two = space.parse("input(rate=0.1);plain;deep(bits=2);output(bits=8)|0>1,0>2,1>3,2>3")
    other = space.parse("input(rate=0.1);plain;deep(bits=4);output(bits=8)|0>1,0>2,1>3,2>3")
    assert space.canonical(one) == space.canonical(two) != space.canonical(other)
    for _ in range(50):
        graph = space.sample(rng)
        network = space.simplify(graph)
        space.check(network)
        assert space.simplify(network) == network == space.representative(graph)


def test_neighbours_change_attributes_operations_edges_and_nodes() -> None:
    space = toy()
    graph = space.parse("input(rate=0.1);deep(bits=2);output(bits=8)|0>1,1>2")
    found = {space.format(one) for one in space.neighbours(graph)}
    assert {
        "input(rate=0.2);deep(bits=2);output(bits=8)|0>1,1>2",
        "input(rate=0.1);deep(bits=4);output(bits=8)|0>1,1>2",
        "input(rate=0.1);wide(bits=2,kind=b);output(bits=8)|0>1,1>2",
        "input(rate=0.1);plain;output(bits=8)|0>1,1>2",
        "input(rate=0.1);deep(bits=2);output(bits=16)|0>1,1>2",
        "input(rate=0.1);deep(bits=2);output(bits=8)|0>1,0>2,1>2",
    } < found
    assert sum(text.count("(") + text.count("plain") == 4 for text in found) == 6  # one of three on one of two edges


def test_no_move_leads_below_the_fewest_nodes() -> None:
    space, rng = toy(fewest=2), np.random.default_rng(0)
    for _ in range(20):
        graph = space.sample(rng)
        assert all(len(one) >= 4 for one in space.neighbours(graph))
        assert len(space.mutate(graph, rng)) >= 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input(rate=0.1);deep(bits=1);output(bits=8)|0>1,1>2", "cannot read 'bits=1' of deep"),
        ("input(rate=0.1);deep(bits=2,bits=2);output(bits=8)|0>1,1>2", "cannot read 'bits=2' of deep"),
        ("input(rate=0.1);deep;output(bits=8)|0>1,1>2", r"node 1 \(deep\) lacks 'bits'; add it"),
        ("input;deep(bits=2);output(bits=8)|0>1,1>2", r"node 0 \(input\) lacks 'rate'; add it"),
        ("input(rate=0.1);tall;output(bits=8)|0>1,1>2", "expected one of wide, deep, plain"),
        ("input(rate=0.1);plain(bits=2);output(bits=8)|0>1,1>2", "expected attribute=value, one of no attribute"),
        ("input(rate=0.1);plain;plain;output(bits=8)|0>1,1>3,0>2", r"nothing reads node 2 \(plain\); wire it"),
        ("input(rate=0.1);plain;plain;output(bits=8)|0>1,1>3,2>3", r"node 2 \(plain\) reads nothing; wire it"),
        ("input(rate=0.1);output(bits=8)|0>1", "0 inner nodes, expected 1 to 3"),
        ("plain;plain;output(bits=8)|0>1,1>2", "expected input, inner nodes and output"),
        ("input(rate=0.1);deep(bits=2;output(bits=8)|0>1,1>2", "in the form"),
        ("input(rate=0.1);plain;output(bits=8)|0>1,1>", "in the form"),
    ],
)
def test_errors_say_what_is_expected(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitecture, match=message):
        toy().parse(text)


def test_values_of_another_type_are_refused() -> None:
    """True is 1 for Python, but another id."""
    space = toy()
    graph = space.parse("input(rate=0.1);wide(bits=1,kind=a);output(bits=8)|0>1,1>2")
    for value in (True, 1.0):
        ops = (graph.ops[0], Op("wide", bits=value, kind="a"), graph.ops[2])
        with pytest.raises(InvalidArchitecture, match="expected one of"):
            space.check(ArchGraph(ops, graph.edges))


def test_a_chain_has_no_other_edges() -> None:
    with pytest.raises(InvalidArchitecture, match="expected a chain"):
        toy(chain=True).parse("input(rate=0.1);plain;output(bits=8)|0>1,0>2,1>2")


@pytest.mark.parametrize(
    "change",
    [
        {"inner": {}},
        {"inner": {"input": {}}},
        {"inner": {"no blank": {}}},
        {"inner": {"a": {"op": (1,)}}},
        {"inner": {"a": {"of;": (1,)}}},
        {"inner": {"a": {"bits": ()}}},
        {"inner": {"a": {"bits": (1, 1)}}},
        {"inner": {"a": {"bits": (1, True)}}},
        {"inner": {"a": {"bits": (1,)}, "b": {"bits": (1.0,)}}},
        {"inner": {"a": {"bits": (1, "1")}}},
        {"inner": {"a": {"bits": ("x,y",)}}},
        {"inner": {"a": {"bits": ("",)}}},
        {"inner": {"a": {"bits": (float("nan"),)}}},
        {"inner": {"a": {"bits": (None,)}}},
        {"input": {"op": (1,)}},
        {"fewest": 3, "most": 2},
        {"fewest": -1},
        {"fewest": 0, "most": 0},
    ],
    ids=str,
)
def test_spaces_that_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(InvalidOption, match=r"expected|write both"):
        AttributedDag("bad", "no space", **{"inner": {"a": {"bits": (1, 2)}}, **change})  # type: ignore[arg-type]


def test_fingerprints_tell_spaces_apart() -> None:
    assert len({toy(chain, fewest).fingerprint for chain in (False, True) for fewest in (0, 1, 2)}) == 6
