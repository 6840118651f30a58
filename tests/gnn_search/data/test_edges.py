"""Edges against sets of pairs."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from gnn_search.data.edges import clean_edges, induced_edges

NODES = 7
pairs = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1), st.integers(1, 9)), max_size=30)


def tensors(edges: list[tuple[int, int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    table = torch.tensor(edges, dtype=torch.long).reshape(-1, 3)
    return table[:, :2].T, table[:, 2].float()


@given(edges=pairs, directed=st.booleans())
def test_each_edge_once_with_its_greatest_weight(edges: list[tuple[int, int, int]], directed: bool) -> None:
    expected: dict[tuple[int, int], float] = {}
    for source, target, weight in edges:
        for pair in [(source, target)] if directed else [(source, target), (target, source)]:
            if source != target:
                expected[pair] = max(expected.get(pair, 0), weight)
    edge_index, weight_of = tensors(edges)
    cleaned, weights = clean_edges(edge_index, weight_of, NODES, directed=directed)
    assert weights is not None
    assert dict(zip(map(tuple, cleaned.T.tolist()), weights.tolist(), strict=True)) == expected
    assert cleaned.T.tolist() == sorted(map(list, expected))
    again, weights_again = clean_edges(cleaned, weights, NODES, directed=directed)
    assert torch.equal(again, cleaned)
    assert weights_again is not None
    assert torch.equal(weights_again, weights)


@given(edges=pairs, kept=st.lists(st.booleans(), min_size=NODES, max_size=NODES))
def test_induced_edges_are_those_between_kept_nodes(edges: list[tuple[int, int, int]], kept: list[bool]) -> None:
    edge_index, weight = tensors(edges)
    inside, weights = induced_edges(edge_index, weight, torch.tensor(kept))
    numbers = [node for node in range(NODES) if kept[node]]
    expected = [[s, t, w] for s, t, w in edges if kept[s] and kept[t]]
    assert weights is not None
    assert [
        [numbers[s], numbers[t], w] for (s, t), w in zip(inside.T.tolist(), weights.tolist(), strict=True)
    ] == expected
    assert induced_edges(edge_index, None, torch.tensor(kept))[1] is None
