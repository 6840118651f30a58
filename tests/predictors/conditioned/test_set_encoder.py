"""Set encoders: what they must not see, and what they must."""

import pytest
import torch

from graphs.errors import InvalidOption
from predictors.conditioned.datasets import ClassSets, ItemSets, StatisticVectors
from predictors.conditioned.set_encoder import ClassSetEncoder, ItemSetEncoder, StatisticEncoder, encoder_of

WIDTH = 8


def encoder_of_classes() -> ClassSetEncoder:
    return ClassSetEncoder(ClassSets.of([[1, 2, 3], [5, 6, 7]], 9), WIDTH)


@torch.no_grad()
def test_order_of_classes_and_filling_do_not_matter() -> None:
    encoder = encoder_of_classes()
    sets = torch.tensor([[1, 2, 5, 0], [5, 1, 2, 0], [0, 2, 1, 5]])
    found = encoder((sets,))
    torch.testing.assert_close(found, found[:1].expand(3, -1))
    torch.testing.assert_close(encoder((sets[:2, :3],)), found[:2])
    assert not torch.allclose(encoder((torch.tensor([[1, 2, 6]]),)), found[:1])


@torch.no_grad()
def test_classes_that_were_not_in_training_are_the_zero_vector() -> None:
    """The same whichever they are, also beyond the known numbers; but they count."""
    encoder = encoder_of_classes()
    found = encoder((torch.tensor([[1, 4], [1, 9], [1, 40]]),))
    torch.testing.assert_close(found, found[:1].expand(3, -1))
    assert not torch.allclose(found[0], encoder((torch.tensor([[1]]),))[0])


@torch.no_grad()
def test_order_of_items_and_classes_does_not_matter() -> None:
    rng = torch.Generator().manual_seed(0)
    classes = [torch.randn(count, 4, generator=rng) for count in (3, 5, 2)]
    encoder = ItemSetEncoder(4, WIDTH)
    shuffled = [one[torch.randperm(len(one), generator=rng)] for one in (classes[2], classes[0], classes[1])]
    filled = [torch.randn(9, 4, generator=rng)] * 6
    found = encoder(ItemSets.of([classes, shuffled, filled]).tensors())
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(encoder(ItemSets.of([classes]).tensors())[0], found[0])


@torch.no_grad()
def test_it_matters_which_class_an_item_is_in() -> None:
    items, encoder = torch.arange(8.0).view(4, 2), ItemSetEncoder(2, WIDTH)
    sets = [[items[:2], items[2:]], [items[::2], items[1::2]]]
    found = encoder(ItemSets.of(sets).tensors())
    assert not torch.allclose(found[0], found[1])


def test_each_kind_of_data_sets_has_its_encoder() -> None:
    items = ItemSets.of([[torch.zeros(1, 3)]])
    assert isinstance(encoder_of(ClassSets.of([[1]], 2), WIDTH), ClassSetEncoder)
    assert isinstance(encoder_of(items, WIDTH), ItemSetEncoder)
    assert isinstance(encoder_of(StatisticVectors(torch.zeros(1, 2)), WIDTH), StatisticEncoder)

    class Others:
        def __len__(self) -> int:
            return 0

        def vectors(self) -> torch.Tensor:
            return torch.zeros(0, 0, dtype=torch.float64)

        def tensors(self) -> tuple[torch.Tensor, ...]:
            return ()

    with pytest.raises(InvalidOption, match="no encoder of Others"):
        encoder_of(Others(), WIDTH)
