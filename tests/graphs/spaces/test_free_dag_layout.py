"""`allowed` against all completions; that layouts end at valid graphs is checked by `SpaceContract`, see the space."""

import networkx as nx
import numpy as np
import pytest
import torch

from graphs.errors import InvalidArchitecture
from graphs.layout import ABSENT, PRESENT
from graphs.spaces.catalogue import get_space
from graphs.spaces.free_dag import FreeDag
from graphs.spaces.free_dag_matching import by_paths, by_subsets, matching_sizes


@pytest.mark.parametrize(
    ("nodes", "edges", "operations"),
    [(5, 5, "ab"), (5, None, "ab"), (6, 5, "a"), (6, 6, "a"), (6, 7, "a"), (3, 2, "a")],
)
def test_allowed_is_what_some_graph_of_as_many_nodes_agrees_with(
    nodes: int, edges: int | None, operations: str
) -> None:
    space = FreeDag("small", nodes, edges, tuple(operations))
    layout, rng = space.layout(), torch.Generator().manual_seed(0)
    every = layout.read([space.graph_number(number) for number in range(space.size)])
    rows = every[torch.randint(len(every), (100,), generator=rng)]
    hide = torch.rand(rows.shape, generator=rng) < torch.rand(len(rows), 1, generator=rng)
    values = torch.where(hide & (layout.start(rows) == layout.hidden), layout.hidden, rows)
    alike = (layout.start(rows)[:, None] == layout.start(every)).all(2)
    same = ((values[:, None] == every) | (values == layout.hidden)[:, None]).transpose(0, 2)
    for slot in range(len(layout)):
        agree = alike.T & same[:slot].all(0) & same[slot + 1 :].all(0)
        takes = torch.nn.functional.one_hot(every[:, slot], layout.sizes[slot])
        expected = agree.T.double() @ takes.double() > 0
        assert torch.equal(layout.allowed(values, slot), expected), f"slot {slot}"


@pytest.mark.parametrize("preferred", [ABSENT, PRESENT, None])
@pytest.mark.parametrize(("nodes", "edges"), [(9, 8), (9, 9), (9, 20), (12, 12), (13, None)])
def test_filling_with_allowed_values_ends_at_valid_graphs(nodes: int, edges: int | None, preferred: int | None) -> None:
    """Also where one value is taken whenever it may be; more than nine nodes need another way to match."""
    space, rng = FreeDag("filled", nodes, edges, ("a", "b")), torch.Generator().manual_seed(0)
    layout = space.layout()
    draws = np.random.default_rng(0)
    start = values = layout.start(layout.read([space.sample(draws) for _ in range(60)]))
    values = start.clone()
    for slot in torch.randperm(len(layout), generator=rng).tolist():
        weights = layout.allowed(values, slot).double()
        if preferred is not None and layout.sizes[slot] == 2:
            weights[:, preferred] *= 1e9
        drawn = torch.multinomial(weights, 1, generator=rng)[:, 0]
        values[:, slot] = torch.where(values[:, slot] == layout.hidden[slot], drawn, values[:, slot])
    for graph in layout.write(values):
        space.check(graph)
    assert torch.equal(layout.start(values), start)


def test_64_nodes() -> None:
    space, rng = get_space("synthetic-dag-64"), torch.Generator().manual_seed(0)
    layout = space.layout()
    assert layout is not None
    assert len(layout) == 62 + 2016
    values = layout.start(layout.read([space.sample(np.random.default_rng(0)) for _ in range(4)]))
    for slot in torch.randperm(len(layout), generator=rng).tolist():
        allowed = layout.allowed(values, slot).double()
        drawn = torch.multinomial(
            allowed * torch.tensor([1.0, 1e-9, *[1.0] * (allowed.shape[1] - 2)]), 1, generator=rng
        )
        values[:, slot] = torch.where(values[:, slot] == layout.hidden[slot], drawn[:, 0], values[:, slot])
    graphs = layout.write(values)
    assert torch.equal(layout.read(graphs), values)
    assert max(len(graph.edges) for graph in graphs) < 130  # edges only where a node would else have none


def test_slots_of_a_graph() -> None:
    space = FreeDag("small", 5, 5, ("a", "b"))
    layout = space.layout()
    row = layout.read([space.parse("b,a|0>1,0>2,1>3,2>3")])[0].tolist()
    assert row[:3] == [1, 0, 2]  # b, a, no node
    assert [pair for pair, state in zip(layout.edge_slots, row[3:], strict=True) if state] == [
        (0, 1),
        (0, 2),
        (1, 4),
        (2, 4),
    ]
    start = layout.start(torch.tensor([row]))[0].tolist()
    assert start[:3] == [3, 3, 2]
    assert {pair for pair, state in zip(layout.edge_slots, start[3:], strict=True) if state == ABSENT} == {
        (0, 3),
        (1, 3),
        (2, 3),
        (3, 4),
    }


@pytest.mark.parametrize(
    ("slot", "value"),
    [(0, 2), (2, 0), (0, 3), (3, 2), (3, 0), (5, 1), (3, -1), (7, 1)],
    ids=[
        "gap",
        "node nobody reads",
        "hidden",
        "hidden edge",
        "not covered",
        "edge at no node",
        "negative",
        "sixth edge",
    ],
)
def test_rows_that_are_no_architecture(slot: int, value: int) -> None:
    space = FreeDag("small", 5, 5, ("a", "b"))
    layout = space.layout()
    good = layout.read([space.parse("b,a|0>1,0>2,1>3,2>3,0>3")])
    wrong = good.clone()
    wrong[0, slot] = value
    assert layout.valid(torch.cat([good, wrong])).tolist() == [True, False]
    with pytest.raises(InvalidArchitecture, match=r"small: row 1 is no architecture.*at most 5 edges"):
        layout.write(torch.cat([good, wrong]))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_matchings_against_networkx(share: float) -> None:
    """Edges of 8 rows and 8 columns, and of 12 and 10 by paths alone."""
    rng = torch.Generator().manual_seed(0)
    for rows, columns in ((8, 8), (3, 5), (12, 10)):
        source, target = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).T
        joined = torch.rand(len(source), 100, generator=rng) < share
        expected = []
        for one in joined.T:
            graph = nx.Graph()
            graph.add_nodes_from(("row", k) for k in range(rows))
            graph.add_edges_from(
                (("row", i), ("column", j)) for i, j in zip(source[one].tolist(), target[one].tolist(), strict=True)
            )
            top = [("row", k) for k in range(rows)]
            expected.append(len(nx.bipartite.maximum_matching(graph, top_nodes=top)) // 2)
        for sizes in (matching_sizes, by_paths, by_subsets)[: 3 if rows <= 8 else 2]:
            assert sizes(joined, source, target).tolist() == expected
