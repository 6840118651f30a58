"""Parts are disjoint, hold what they should of each class, and depend on the seed alone."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from gnn_search.data.splits import Parts, random_graph_split, random_node_split

label_lists = st.integers(0, 3).flatmap(
    lambda some: st.lists(st.integers(-1, 3), max_size=200).map(lambda others: torch.tensor([some, *others]))
)
seeds = st.integers(0, 2**32)


def check_parts(parts: Parts, labels: torch.Tensor) -> None:
    together = torch.cat(parts)
    assert together.sort().values.tolist() == (labels >= 0).nonzero().flatten().tolist()
    assert all(part.tolist() == sorted(part.tolist()) for part in parts)


def counts(part: torch.Tensor, labels: torch.Tensor) -> list[int]:
    return torch.bincount(labels[part], minlength=4).tolist()


@given(labels=label_lists, seed=seeds)
def test_nodes(labels: torch.Tensor, seed: int) -> None:
    parts = random_node_split(labels, seed)
    check_parts(parts, labels)
    for members, train, valid, test in zip(
        counts(labels >= 0, labels), *(counts(part, labels) for part in parts), strict=True
    ):
        assert (train, valid) == (20, 30) if members > 50 else train >= valid >= test >= train - 1
    assert all(torch.equal(*both) for both in zip(parts, random_node_split(labels, seed), strict=True))


@given(labels=label_lists.map(lambda labels: labels.clamp(min=0)), seed=seeds)
def test_graphs(labels: torch.Tensor, seed: int) -> None:
    parts = random_graph_split(labels, seed)
    check_parts(parts, labels)
    for members, train, valid, test in zip(
        counts(labels >= 0, labels), *(counts(part, labels) for part in parts), strict=True
    ):
        assert valid == test
        assert abs(valid - members / 10) <= 1
        assert valid >= 1 or members < 3
        assert train >= 1 or members == 0


def test_another_seed_draws_other_parts() -> None:
    labels = torch.arange(400) % 4
    assert not torch.equal(random_node_split(labels, 0)[0], random_node_split(labels, 1)[0])
