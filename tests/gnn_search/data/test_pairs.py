"""Parts of edges and pairs without an edge, in graphs so dense that few are left too."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gnn_search.data.edges import clean_edges
from gnn_search.data.pairs import split_pairs
from graphs.errors import DataError


@given(nodes=st.integers(7, 40), share=st.floats(0.2, 0.5), seed=st.integers(0, 999))
def test_pairs_are_edges_then_as_many_others(nodes: int, share: float, seed: int) -> None:
    all_pairs = torch.combinations(torch.arange(nodes))
    chosen = torch.randperm(len(all_pairs), generator=torch.Generator().manual_seed(seed))[
        : int(share * len(all_pairs))
    ]
    edge_index, weight = clean_edges(all_pairs[chosen].T, chosen.float() + 1, nodes)
    split = split_pairs("dense", edge_index, weight, nodes, seed)
    edges = set(map(tuple, all_pairs[chosen].tolist()))
    found: list[tuple[int, ...]] = []
    absent: list[tuple[int, ...]] = []
    for part in split.pairs:
        half = len(part) // 2
        found += map(tuple, part[:half].tolist())
        absent += map(tuple, part[half:].tolist())
    assert len(found) == len(edges) == len(set(absent)) == len(absent)
    assert set(found) == edges
    assert not set(absent) & edges
    assert all(low < high for low, high in absent)
    assert split.edge_weight is not None
    assert split.edge_index.shape[1] == 2 * (len(split.pairs[0]) // 2)
    weights = {
        tuple(pair): float(number) + 1 for pair, number in zip(all_pairs.tolist(), range(len(all_pairs)), strict=True)
    }
    for pair, value in zip(split.edge_index.T.tolist(), split.edge_weight.tolist(), strict=True):
        assert weights[tuple(sorted(pair))] == value


def test_refused() -> None:
    few = clean_edges(torch.tensor([[0, 1], [1, 2]]), None, 10)[0]
    with pytest.raises(DataError, match="2 undirected edges, expected at least 3"):
        split_pairs("path", few, None, 10, 0)
    complete = clean_edges(torch.combinations(torch.arange(6)).T, None, 6)[0]
    with pytest.raises(DataError, match="joins 15 of 15 pairs"):
        split_pairs("complete", complete, None, 6, 0)
