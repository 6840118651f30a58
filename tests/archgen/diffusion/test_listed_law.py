"""Laws over listed rows: exact draws, exact tilting, and the lists themselves."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archgen.diffusion.listed_law import (
    ListedLaw,
    alias_table,
    all_rows,
    configurations,
    strength_for_effective_size,
    tilted,
)
from graphs.errors import InvalidOption
from graphs.layout import ListedLayout, layout_of
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

INF = math.inf


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def law_of(log_weight: list[float]) -> ListedLaw:
    return ListedLaw(torch.arange(len(log_weight))[:, None], torch.tensor(log_weight, dtype=torch.float64))


def distance(found: torch.Tensor, p: torch.Tensor) -> tuple[float, float]:
    """Total variation between drawn numbers and a law, and what chance exceeds at most once in a million."""
    share = torch.bincount(found, minlength=len(p)).double() / len(found)
    floor = float((p * (1 - p) / len(found)).sqrt().sum()) / 2
    return float((share - p).abs().sum()) / 2, floor + math.sqrt(math.log(1e6) / (2 * len(found)))


weights = st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1.0), st.just(1.0)), min_size=1, max_size=40)


@given(st.lists(weights.filter(any), min_size=1, max_size=5))
@settings(deadline=None)
def test_the_alias_table_holds_the_law_of_each_group(groups: list[list[float]]) -> None:
    p = torch.cat([torch.tensor(group, dtype=torch.float64) / sum(group) for group in groups])
    bounds = torch.tensor([0, *map(len, groups)]).cumsum(0)
    table = alias_table(p, bounds)
    found = table.threshold.clone().index_add_(0, table.other, 1 - table.threshold)
    of = torch.repeat_interleave(torch.arange(len(groups)), bounds.diff())
    assert torch.equal(of[table.other], of)
    assert torch.allclose(found / bounds.diff()[of], p, rtol=0, atol=1e-13)
    assert not bool(table.threshold[p == 0].any()), "a place without weight is drawn"
    assert bool((p[table.other][table.threshold < 1] > 0).all())


def test_groups_are_drawn_by_their_own_weights() -> None:
    p = normal(50).softmax(0)
    table = alias_table(torch.cat([p, torch.ones(1).double(), p.flip(0)]), torch.tensor([0, 50, 51, 101]))
    group = torch.randint(3, (300_000,), generator=rng(1))
    place = table.draw(len(group), group, rng(2))
    assert bool((place[group == 1] == 50).all())
    for number, law, first in ((0, p, 0), (2, p.flip(0), 51)):
        found, limit = distance(place[group == number] - first, law)
        assert found < limit


@pytest.mark.parametrize("strength", [0.0, 1.0, 20.0, -2.0])
def test_draws_follow_the_tilted_law(strength: float) -> None:
    base, f = normal(300), normal(300, seed=1)
    values = torch.randint(9, (300, 4), generator=rng())
    law = tilted(ListedLaw(values, base), f, strength)
    p = (base + strength * f).softmax(0)
    assert torch.allclose(law.probability, p, rtol=1e-12)
    found, limit = distance(law.draw_rows(200_000, rng(3)), p)
    assert found < limit
    assert torch.equal(law.draw(200_000, rng(3)), values[law.draw_rows(200_000, rng(3))])
    assert not torch.equal(law.draw(1000, rng(3)), law.draw(1000, rng(4)))
    assert law.draw(0, rng()).shape == (0, 4)


def test_forbidden_rows_are_never_drawn() -> None:
    f = normal(40)
    f[::4] = -INF
    base = torch.zeros(40)
    base[1::4] = -INF
    law = tilted(ListedLaw(torch.arange(40)[:, None], base), f, 0.0, torch.arange(40) % 4 != 2)
    assert set(law.draw_rows(5000, rng()).tolist()) == set(range(3, 40, 4))
    assert law.entropy() == pytest.approx(math.log(10))
    assert law.effective_size() == pytest.approx(10)
    assert law.mean(f) == pytest.approx(float(f[3::4].mean()))


@pytest.mark.parametrize("strength", [1e4, -1e4, 1e308, -1e308])
@pytest.mark.parametrize("shift", [0.0, 1e6, -1e6])
def test_extreme_strengths_keep_the_best_alone(strength: float, shift: float) -> None:
    law = tilted(law_of([0.0, -700.0, 0.0, -INF]), torch.tensor([1.0, 5.0, 3.0, 9.0]) + shift, strength)
    best = 1 if strength > 0 else 0
    assert set(law.draw_rows(100, rng()).tolist()) == {best}
    assert law.probability[best] == 1


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_strength_meets_the_effective_size(share: float, unit: float) -> None:
    for base in (torch.zeros(2000).double(), 0.5 * normal(2000)):
        law, f = ListedLaw(torch.zeros(2000, 1).long(), base), normal(2000, seed=1) * unit + 3
        beta = strength_for_effective_size(law, f, share)
        assert tilted(law, f, beta).effective_size() == pytest.approx(share * law.effective_size(), rel=1e-6)


def test_strength_where_the_size_cannot_be_met() -> None:
    flat = law_of([0.0] * 10)
    assert strength_for_effective_size(flat, torch.ones(10), 0.2) == 0
    beta = strength_for_effective_size(flat, torch.tensor([1.0] * 6 + [0.0] * 4), 0.2)  # six share the top score
    assert tilted(flat, torch.tensor([1.0] * 6 + [0.0] * 4), beta).effective_size() == pytest.approx(6)
    assert strength_for_effective_size(flat, torch.tensor([1.0, 0.0] + [-INF] * 8), 0.5) == 0


def test_what_is_not_a_law_is_refused() -> None:
    law = law_of([0.0, 0.0])
    for score in ([math.nan, 0.0], [INF, 0.0], [0.0], [-INF, -INF]):
        with pytest.raises(InvalidOption):
            tilted(law, torch.tensor(score), 1.0)
    for log_weight in ([math.nan, 0.0], [INF, 0.0], [-INF], []):
        with pytest.raises(InvalidOption):
            law_of(log_weight)
    with pytest.raises(InvalidOption, match="none of the 2 rows"):
        tilted(law, torch.zeros(2), 1.0, torch.zeros(2, dtype=torch.bool))
    with pytest.raises(InvalidOption, match="finite"):
        tilted(law, torch.zeros(2), math.nan)
    for share in (0.0, 1.1, math.nan):
        with pytest.raises(InvalidOption, match="share"):
            strength_for_effective_size(law, torch.zeros(2), share)


def test_all_rows_lists_a_space_once(toy) -> None:
    layout = layout_of(toy)
    listed = layout.read(toy.listed)
    rows = all_rows(layout)
    assert len(rows) == toy.size
    assert torch.equal(rows.unique(dim=0), listed.unique(dim=0))


@pytest.mark.parametrize("space", [NasBench201(), NasBenchGraph()], ids=lambda space: space.name)
def test_all_rows_of_the_benchmarks(space) -> None:
    layout = layout_of(space)
    rows = all_rows(layout)
    assert len(rows.unique(dim=0)) == len(rows) == space.size
    assert bool(layout.valid(rows).all())
    some = rows[torch.randint(len(rows), (200,), generator=rng())]
    assert torch.equal(layout.read(layout.write(some)), some)


def test_configurations_are_those_of_valid_rows(tree_space) -> None:
    layout = ListedLayout(tree_space)
    rows = layout.read(tree_space.listed)
    for slots in ([0], [1, 2], [2, 1], [0, 3, 5]):
        assert torch.equal(configurations(layout, slots), rows[:, slots].unique(dim=0))


def test_what_is_too_large_is_not_listed(monkeypatch, product_space) -> None:
    monkeypatch.setattr("archgen.diffusion.listed_law.LARGEST", 71)
    with pytest.raises(InvalidOption, match="72 configurations"):
        all_rows(layout_of(product_space))
    with pytest.raises(InvalidOption, match="at most 71"):
        configurations(layout_of(product_space), range(5))
    monkeypatch.setattr("archgen.diffusion.listed_law.LARGEST", 72)
    assert len(all_rows(layout_of(product_space))) == 72
