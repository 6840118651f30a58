import pytest

from graphs.errors import UnknownName
from graphs.space import SearchSpace
from graphs.spaces.catalogue import SPACES, get_space


@pytest.mark.parametrize("name", sorted(SPACES))
def test_every_space_is_found_under_its_own_name(name: str) -> None:
    space = get_space(name)
    assert isinstance(space, SearchSpace)
    assert space.name == name
    assert space.summary


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("nasbench210", "nasbench201"), ("NASBench201", "nasbench201"), ("nasbench-graph", "nas-bench-graph")],
)
def test_did_you_mean(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean '{meant}'"):
        get_space(typed)


def test_a_name_like_no_other_lists_them_all() -> None:
    with pytest.raises(UnknownName) as caught:
        get_space("zzz")
    assert "Did you mean" not in str(caught.value)
    assert all(name in str(caught.value) for name in SPACES)
