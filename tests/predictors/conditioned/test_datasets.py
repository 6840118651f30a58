"""Data sets as sets: order and repetition do not matter, and nothing is not a data set."""

import pytest
import torch

from graphs.errors import InvalidOption
from graphs.spaces.nasbench201 import NasBench201
from predictors.conditioned.datasets import ClassSets, ItemSets, Pairs, StatisticVectors, check_targets


def test_order_and_repetition_of_classes_do_not_matter() -> None:
    one, other = ClassSets.of([[3, 1, 2], [5]], 5), ClassSets.of([[2, 2, 3, 1], (5, 5)], 5)
    assert one.members.equal(other.members)
    torch.testing.assert_close(one.vectors().norm(dim=1), torch.ones(2).double())
    assert one.vectors().equal(other.vectors())


def test_overlap_of_vectors_is_the_share_of_common_classes() -> None:
    vectors = ClassSets.of([[1, 2, 3, 4], [3, 4, 5, 6], [7, 8, 9, 6]], 9).vectors()
    expected = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.25], [0.0, 0.25, 1.0]]).double()
    torch.testing.assert_close(vectors @ vectors.T, expected)


def test_unknown_classes_are_one_class() -> None:
    vectors = ClassSets.of([[1, 8], [1, 9], [1, 2]], 5).vectors()
    assert vectors[0].equal(vectors[1])
    assert not vectors[0].equal(vectors[2])


@pytest.mark.parametrize("sets", [[[1], []], [[0]], [[-1, 3]]])
def test_empty_sets_and_wrong_numbers_are_told(sets: list[list[int]]) -> None:
    with pytest.raises(InvalidOption, match="expected at least one"):
        ClassSets.of(sets, 5)


def test_vectors_of_items_are_mean_and_deviation_of_prototypes() -> None:
    rng = torch.Generator().manual_seed(0)
    classes = [torch.randn(count, 3, generator=rng) for count in (2, 5)]
    vector = ItemSets.of([classes, [torch.ones(1, 3)] * 4]).vectors()[0]
    prototypes = torch.stack([one.mean(0) for one in classes]).double()
    expected = torch.cat([prototypes.mean(0), prototypes.std(0, correction=0)])
    torch.testing.assert_close(vector, expected)


@pytest.mark.parametrize(
    "sets", [[], [[]], [[torch.zeros(0, 3)]], [[torch.zeros(2, 3), torch.zeros(2, 4)]], [[torch.zeros(3)]]]
)
def test_item_sets_without_items_are_told(sets: list[list[torch.Tensor]]) -> None:
    with pytest.raises(InvalidOption, match="expected"):
        ItemSets.of(sets)


@pytest.mark.parametrize("place", [[0], [0, 2], [-1, 0]])
def test_pairs_need_a_data_set_each(place: list[int]) -> None:
    graph = NasBench201().build(("skip_connect",) * 6)
    with pytest.raises(InvalidOption, match="expected one each, below 2"):
        Pairs((graph, graph), torch.tensor(place), StatisticVectors(torch.zeros(2, 1)))


def test_labels_are_checked() -> None:
    graph = NasBench201().build(("skip_connect",) * 6)
    pairs = Pairs((graph, graph), torch.tensor([0, 1]), StatisticVectors(torch.zeros(2, 1)))
    assert pairs.take(torch.tensor([1])).place.tolist() == [1]
    for labels in ([1.0], [1.0, float("nan")]):
        with pytest.raises(InvalidOption, match="expected at least 2, one each, all finite"):
            check_targets(pairs, torch.tensor(labels))
