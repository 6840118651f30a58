"""The spaces of GNNs: their contracts, what has no effect in an architecture, and the networks of NAS-Bench-Graph."""

import math

import numpy as np
import pytest

from archgen.testing import SpaceContract
from graphs.archgraph import Op
from graphs.space import SearchSpace
from graphs.spaces.attributed_dag import AttributedDag
from graphs.spaces.catalogue import get_space
from graphs.spaces.gnn import LAYERS, OUTPUT, RECIPE, Gnn, Recipe, auto_gnn, embed, recipe_of
from graphs.spaces.nas_bench_graph import NasBenchGraph

INPUT = "consistency={},drop_node={},dropout=0.0,feature_dropout=0.0,learning_rate=0.01,norm=none,weight_decay=0.0005"
TWO = "gin(activation=relu,hidden=16);fc(activation=relu,hidden=8)"


class TestGnn(SpaceContract):
    space = Gnn()
    edges_may_go = True


class TestAutoGnn(SpaceContract):
    space = get_space("auto-gnn")

    def fresh(self) -> SearchSpace:
        return auto_gnn()


def text(consistency: float = 0.0, drop: float = 0.0, end: str = "jumping=cat,steps=2,teleport=0.1") -> str:
    return f"input({INPUT.format(consistency, drop)});{TWO};output({end})"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (text(end="jumping=cat,steps=0,teleport=0.1"), text(end="jumping=cat,steps=0,teleport=0.5"), True),
        (text(end="jumping=cat,steps=2,teleport=0.1"), text(end="jumping=cat,steps=2,teleport=0.5"), False),
        (text(0.0), text(1.0), True),
        (text(0.0, 0.2), text(1.0, 0.2), False),
    ],
)
def test_attributes_without_effect_do_not_tell_networks_apart(one: str, other: str, same: bool) -> None:
    space = Gnn()
    ids = {space.canonical(space.parse(f"{graph}|0>1,1>2,2>3,1>3")) for graph in (one, other)}
    assert len(ids) == (1 if same else 2)


def test_jumping_knowledge_needs_two_that_the_output_reads() -> None:
    space = Gnn()
    one, other = (text(end=f"jumping={how},steps=0,teleport=0.05") for how in ("cat", "max"))
    for edges, same in (("0>1,1>2,2>3", True), ("0>1,1>2,2>3,1>3", False)):
        assert (
            space.canonical(space.parse(f"{one}|{edges}")) == space.canonical(space.parse(f"{other}|{edges}"))
        ) == same


def test_simplified_graphs_are_of_the_space_and_their_own() -> None:
    space, rng = Gnn(), np.random.default_rng(0)
    for _ in range(200):
        network = space.simplify(space.sample(rng))
        space.check(network)
        assert space.simplify(network) == network
        assert space.parse(space.format(network)) == network


def test_neighbours_have_an_effect() -> None:
    space, rng = Gnn(), np.random.default_rng(1)
    for _ in range(5):
        graph = space.sample(rng)
        for one in space.neighbours(graph):
            assert space.simplify(one) == one != space.simplify(graph)


def test_recipes() -> None:
    usual = Recipe()
    assert recipe_of(auto_gnn().sample(np.random.default_rng(0))) == usual
    graph = Gnn().parse(f"{text(0.5, 0.2)}|0>1,1>2,2>3")
    assert recipe_of(graph) == Recipe(0.0, 0.0, 0.2, 0.5, 0.01, 5e-4, "none")
    assert set(RECIPE) == set(Recipe.__dataclass_fields__)
    assert all(getattr(usual, name) in options for name, options in RECIPE.items())


def test_sizes() -> None:
    attention = 7 * 7 * 6 * 4 * 2 * 8
    assert auto_gnn().size == auto_gnn().network_count == attention**2
    assert Gnn().network_count is None
    plain, recipe, end = 7 * 8, math.prod(map(len, RECIPE.values())), math.prod(map(len, OUTPUT.values()))
    kinds = attention + 2 * plain * 3 * 4 + plain * 3 + 6 * plain
    assert Gnn().size == recipe * end * sum(w * kinds**n for n, w in ((1, 2), (2, 10), (3, 122), (4, 3346)))


@pytest.mark.parametrize("hidden", [8, 64, 256])
def test_networks_of_nas_bench_graph_are_of_the_space(hidden: int) -> None:
    table, space, rng = NasBenchGraph(), Gnn(), np.random.default_rng(0)
    for _ in range(100):
        graph = table.sample(rng)
        found = embed(graph, hidden)
        space.check(found)
        widths = {int(op.get("hidden") or 0) * int(op.get("heads") or 1) for op in found.ops[1:-1]}
        assert widths <= {hidden}


def test_networks_of_nas_bench_graph_stay_apart() -> None:
    """But for those whose output reads one thing by way of two skips or more."""
    table, space, rng = NasBenchGraph(), Gnn(), np.random.default_rng(0)
    graphs = [graph for graph in (table.sample(rng) for _ in range(1000)) if graph.ops.count(Op("skip")) < 2]
    networks = {table.canonical(graph) for graph in graphs}
    assert len({space.canonical(embed(graph)) for graph in graphs}) == len(networks) > 500
    twice, once = (embed(table.parse(text)) for text in ("0000|gat|gat|skip|skip", "0011|gat|gat|skip|skip"))
    assert space.canonical(twice) == space.canonical(once)


def test_a_layer_that_is_passed_by() -> None:
    found = embed(NasBenchGraph().parse("0012|gcn|skip|gat|fc"))
    assert [op.name for op in found.ops[1:-1]].count("attention") == 2
    assert recipe_of(found).norm == "batch"


def test_users_may_take_parts_of_the_space() -> None:
    """The tables of choices are public, to make a smaller space of one's own."""
    small = AttributedDag(
        "small-gnn", "two layers", {name: LAYERS[name] for name in ("gin", "fc")}, output=OUTPUT, most=2
    )
    graph = small.sample(np.random.default_rng(0))
    assert small.parse(small.format(graph)) == graph
