from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs.archgraph import ArchGraph
from graphs.batch import GraphBatch, decode, encode
from graphs.errors import InvalidArchitecture
from graphs.spaces.catalogue import get_space
from graphs.spaces.nas_bench_graph import NasBenchGraph


def sample(name: str, seed: int, count: int) -> list[ArchGraph]:
    rng = np.random.default_rng(seed)
    return [get_space(name).sample(rng) for _ in range(count)]


@given(name=st.sampled_from(["nas-bench-graph", "nasbench201"]), seed=st.integers(0), count=st.integers(0, 5))
def test_round_trip(name: str, seed: int, count: int) -> None:
    graphs = sample(name, seed, count)
    assert decode(get_space(name), encode(get_space(name), graphs)) == graphs


def test_layout() -> None:
    space = NasBenchGraph()
    batch = encode(space, [space.parse("0012|gat|gcn|skip|fc")])
    assert batch.codes[0, :, 0].tolist() == [0, 1, 2, 9, 8, 10]
    assert batch.adj[0].nonzero().tolist() == [[0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 5]]
    assert batch.mask.all()
    assert (batch.codes.dtype, batch.adj.dtype, batch.mask.dtype) == (torch.int64, torch.bool, torch.bool)


def test_rows() -> None:
    space, graphs = NasBenchGraph(), sample("nas-bench-graph", 0, 5)
    batch = encode(space, graphs)
    assert len(batch) == 5
    assert decode(space, batch[1:3]) == graphs[1:3]
    assert decode(space, batch[torch.tensor([4, 0])]) == [graphs[4], graphs[0]]
    assert decode(space, batch[torch.tensor([True, False, False, True, False])]) == [graphs[0], graphs[3]]


def test_shapes_are_checked_while_tests_run() -> None:
    codes, adj = torch.zeros(2, 3, 1, dtype=torch.int64), torch.zeros(2, 4, 4, dtype=torch.bool)
    with pytest.raises(TypeError):
        GraphBatch(codes, adj, torch.ones(2, 3, dtype=torch.bool))


def broken(**changes: torch.Tensor) -> GraphBatch:
    return replace(encode(NasBenchGraph(), sample("nas-bench-graph", 1, 1)), **changes)


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (broken(codes=torch.full((1, 6, 1), 11)), "code 11 of op"),
        (broken(codes=torch.full((1, 6, 1), -1)), "code -1 of op"),
        (broken(adj=torch.ones(1, 6, 6, dtype=torch.bool)), "topological order"),
        (broken(mask=torch.tensor([[True, False, True, True, True, True]])), "gap"),
        (broken(mask=torch.tensor([[True, True, True, True, True, False]])), "edge"),
    ],
)
def test_what_is_not_of_the_space_is_refused(batch: GraphBatch, reason: str) -> None:
    with pytest.raises(InvalidArchitecture, match=reason):
        decode(NasBenchGraph(), batch)
