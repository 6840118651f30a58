"""What is known about slots: the numbers of effects, and the terms that say how effects come about."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import InvalidOption
from predictors.slot_features import SlotFeatures, slot_features

SIZES = (3, 2, 3, 4)


def table(size: int, *columns: float) -> torch.Tensor:
    return torch.arange(size).double()[:, None] * torch.tensor(columns).double()


FULL = slot_features(
    SIZES,
    groups=[(0, 2), (1, 3)],
    shared=[[(0, 2)], [range(4)]],
    costs=[table(size, 1.0) for size in SIZES],
    attributes=[table(size, 1.0, -2.0) for size in SIZES],
)


def all_rows(sizes: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(list(itertools.product(*map(range, sizes))))


@pytest.mark.parametrize("features", [slot_features(SIZES), FULL], ids=["sizes alone", "all"])
def test_each_effect_is_of_one_value_or_pair(features: SlotFeatures) -> None:
    """Rows share an effect exactly when they agree on its slots."""
    rows = all_rows(SIZES)
    active = features.active(rows)
    places = [(slot,) for slot in range(4)] + list(features.pairs)
    assert active.shape[1] == len(places)
    for place, numbers in zip(places, active.T, strict=True):
        same = (rows[:, None, place] == rows[None, :, place]).all(2)
        assert torch.equal(numbers[:, None] == numbers, same)
    assert torch.equal(active.unique(), torch.arange(features.pair_offsets[-1])), "no number is unused"


def test_terms_are_scaled_alike() -> None:
    """Under uniform rows each term's function has a variance of 1, for coefficients of variance 1."""
    rows = all_rows(SIZES)
    for name, basis in FULL.terms.items():
        images = basis[FULL.singles(rows)].sum(1)
        assert images.var(0, correction=0).sum().item() == pytest.approx(1), name


def test_shared_terms_say_the_same_in_each_slot() -> None:
    both = FULL.terms["slots shared 0"].split(SIZES)
    assert torch.equal(both[0], both[2])
    assert not both[1].any()
    assert not both[3].any(), "slots outside all sets"
    count = FULL.terms["slots shared 1"][FULL.singles(torch.tensor([[1, 1, 1, 3]]))].sum(1)
    assert torch.allclose(count / count[0, 3], torch.tensor([[0.0, 3.0, 0.0, 1.0]]).double())


def test_a_constant_table_has_no_term() -> None:
    features = slot_features([2, 2], costs=[torch.ones(2, 1), torch.zeros(2, 1)])
    assert list(features.terms) == ["slots"]


def test_kinds_are_those_of_the_last_level() -> None:
    features = slot_features([2, 3, 2, 2], shared=[[range(4)], [(0, 1), (3,)]])
    kinds = torch.split(features.kinds, [2, 3, 2, 2])
    assert torch.equal(kinds[0], kinds[1][:2])
    assert kinds[2].tolist() == [0, 0], "in no set"
    assert not set(kinds[3].tolist()) & set(kinds[1].tolist())


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5).filter(lambda sizes: max(sizes) > 1))
def test_sizes_alone_are_enough(sizes: list[int]) -> None:
    features = slot_features(sizes)
    assert features.terms["slots"].shape == (sum(sizes), sum(sizes))
    assert features.active(torch.zeros(3, len(sizes), dtype=torch.int64)).shape == (3, len(sizes))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": [(0, 1), (1, 2)]}, "groups must be disjoint"),
        ({"groups": [(0, 4)]}, "slots 0 to 3"),
        ({"shared": [[(0, 0)]]}, "shared must be disjoint"),
        ({"costs": [table(size, 1.0) for size in SIZES[:3]]}, "costs must be one table a slot"),
        ({"costs": [table(size + 1, 1.0) for size in SIZES]}, "costs must be one table a slot"),
        ({"attributes": [table(size, 1.0, float("nan")) for size in SIZES]}, "attributes must be finite; row 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        slot_features(SIZES, **options)


@pytest.mark.parametrize("sizes", [[], [1, 1], [3, 0]])
def test_nothing_to_choose_is_refused(sizes: list[int]) -> None:
    with pytest.raises(InvalidOption, match="sizes"):
        slot_features(sizes)
