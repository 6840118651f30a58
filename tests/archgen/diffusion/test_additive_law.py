"""The additive law against listing every row, and at the size of a real space."""

import itertools
import math
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archgen.diffusion.additive_law import AdditiveLaw, Part, part_configurations, strength_for_kl
from archgen.diffusion.listed_law import ListedLaw, all_rows, tilted
from graphs.errors import InvalidOption
from graphs.layout import layout_of
from graphs.spaces.nasbench201 import OPERATIONS, NasBench201

INF = math.inf


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Listed:
    """Every row of a problem, with its score and cost."""

    picks: list[tuple[int, ...]]  # a configuration's number for each part
    rows: torch.Tensor
    score: torch.Tensor
    cost: torch.Tensor

    def allowed(self, law: AdditiveLaw) -> torch.Tensor:
        good = self.score > -INF
        if law.cap is not None:
            good &= self.cost <= law.cap
        if law.floor is not None:
            good &= self.cost >= law.floor
        return good

    def log_p(self, law: AdditiveLaw) -> torch.Tensor:
        """Unnormalised."""
        return (law.strength * self.score).where(self.allowed(law), -INF)


def list_all(parts: tuple[Part, ...], fixed_cost: float = 0.0) -> Listed:
    picks = list(itertools.product(*(range(len(part.score)) for part in parts)))
    index = torch.tensor(picks)
    rows = torch.empty(len(picks), sum(len(part.slots) for part in parts), dtype=torch.int64)
    score = torch.zeros(len(picks), dtype=torch.float64)
    cost = torch.full((len(picks),), fixed_cost, dtype=torch.float64)
    for number, part in enumerate(parts):
        rows[:, list(part.slots)] = part.configurations[index[:, number]]
        score += part.score[index[:, number]]
        cost += part.cost[index[:, number]]
    return Listed(picks, rows, score, cost)


def law_of_draws(law: AdditiveLaw, listed: Listed) -> torch.Tensor:
    """What `draw` gives each row, read off its tables."""
    budget, stages = law._plan
    p = torch.zeros(len(listed.picks)).double()
    for number, pick in enumerate(listed.picks):
        left, chance = budget, 1.0
        for one, stage, (ladder, alias) in zip(pick, stages, law._tables, strict=True):
            place = (stage.order == one).nonzero()
            if not len(place) or (level := int(stage.of[place])) not in range(int((stage.level <= left).sum())):
                chance = 0.0
                break
            row = left - (budget + 1 - len(ladder))
            below = ladder[row, level - 1] if level else torch.tensor(float(row))
            own = alias.threshold[place] + (1 - alias.threshold)[alias.other == place[0]].sum()
            chance *= float((ladder[row, level] - below) * own / alias.size[level])
            left -= int(stage.level[level])
        p[number] = chance
    return p


def check_draws(rows: torch.Tensor, listed: Listed, p: torch.Tensor) -> None:
    """Drawn rows against a law of all rows: what chance exceeds at most once in a million."""
    keys = torch.cat([listed.rows, rows]).unique(dim=0, return_inverse=True)[1]
    place = torch.empty(len(p), dtype=torch.int64)
    place[keys[: len(p)]] = torch.arange(len(p))
    share = torch.bincount(place[keys[len(p) :]], minlength=len(p)).double() / len(rows)
    floor = float((p * (1 - p) / len(rows)).sqrt().sum()) / 2
    assert float((share - p).abs().sum()) / 2 < floor + math.sqrt(math.log(1e6) / (2 * len(rows)))


@st.composite
def problems(draw: st.DrawFn, whole: bool = True) -> tuple[tuple[Part, ...], float]:
    """Up to three parts of one or two slots in any order, of up to six configurations, and a fixed cost."""
    number = st.integers(0, 20).map(float) if whole else st.floats(0, 20)
    widths = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    slots = draw(st.permutations(range(sum(widths))))
    parts = []
    for width in widths:
        own, slots = tuple(slots[:width]), slots[width:]
        count = draw(st.integers(1, 6))
        score = draw(st.lists(st.one_of(st.floats(-3, 3), st.just(-INF)), min_size=count, max_size=count))
        assume(max(score) > -INF)
        cost = draw(st.lists(number, min_size=count, max_size=count))
        values = torch.stack(
            [torch.arange(count) // (step + 1) if step else torch.arange(count) for step in range(width)], 1
        )
        parts.append(Part(own, values, torch.tensor(score).double(), torch.tensor(cost).double()))
    return tuple(parts), draw(number)


@st.composite
def laws(draw: st.DrawFn, whole: bool = True) -> AdditiveLaw:
    """A problem at some strength and under some limit that can be kept."""
    parts, fixed = draw(problems(whole))
    law = AdditiveLaw(parts, draw(st.sampled_from([0.0, 0.5, 2.0, -1.0, 1e4])), fixed_cost=fixed)
    low, high = law.cost_range
    limit = low + draw(st.floats(0, 1.1)) * (high - low)
    limit = float(round(limit)) if whole else limit
    kind = draw(st.sampled_from(["cap", "floor", "none"]))
    if kind == "cap":
        return replace(law, cap=max(limit, low))
    return replace(law, floor=min(limit, high)) if kind == "floor" else law


@given(laws())
@settings(deadline=None, max_examples=40)
def test_whole_costs_give_the_exact_law(law: AdditiveLaw) -> None:
    listed = list_all(law.parts, law.fixed_cost)
    log_p = listed.log_p(law)
    p = log_p.softmax(0)
    scale = 1 + 1e-6 * abs(law.strength)  # what float64 leaves of scores times 1e4
    assert law.log_partition == pytest.approx(float(log_p.logsumexp(0)), abs=1e-10 * scale)
    assert law.log_count == pytest.approx(math.log(int(listed.allowed(law).sum())), abs=1e-10)
    assert torch.allclose(law_of_draws(law, listed), p, rtol=0, atol=1e-10)
    kept = p > 0
    assert law.mean_score == pytest.approx(float((p * listed.score)[kept].sum()), abs=1e-9)
    assert law.mean([part.cost for part in law.parts]) + law.fixed_cost == pytest.approx(
        float(p @ listed.cost), abs=1e-8
    )
    kl = math.log(int(listed.allowed(law).sum())) - float(torch.special.entr(p).sum())
    assert law.kl == pytest.approx(kl, abs=1e-8 * scale)


@given(laws(), laws(whole=False))
@settings(deadline=None, max_examples=40)
def test_argmax_is_the_best_allowed_row(law: AdditiveLaw, other: AdditiveLaw) -> None:
    for one in (law, other):
        listed = list_all(one.parts, one.fixed_cost)
        allowed = listed.allowed(one)
        found = (listed.rows == one.argmax()).all(1).nonzero()[0]
        assert bool(allowed[found])
        assert float(listed.score[found]) == pytest.approx(float(listed.score[allowed].max()), abs=1e-12)


@given(laws(whole=False), st.sampled_from([1, 3, 17, 200]))
@settings(deadline=None, max_examples=40)
def test_rounded_costs_keep_the_limit_and_lose_only_rows_near_it(law: AdditiveLaw, bins: int) -> None:
    law = replace(law, bins=bins)
    listed = list_all(law.parts, law.fixed_cost)
    p = law_of_draws(law, listed)
    low, high = law.cost_range
    at_an_end = {law.cap, law.floor} & {low, high}  # sums in another order may differ in the last bit
    slack = 1e-12 if at_an_end else 0.0
    assert float(listed.cost[p > 0].max()) <= (INF if law.cap is None else law.cap + slack)
    assert float(listed.cost[p > 0].min()) >= (-INF if law.floor is None else law.floor - slack)
    room = min(high - low, (law.cap - low) if law.cap is not None else high - (law.floor or 0.0))
    near = room / bins * len(law.parts) + 1e-9
    sure = listed.score > -INF
    if law.cap is not None:
        sure &= listed.cost <= law.cap - near
    if law.floor is not None:
        sure &= listed.cost >= law.floor + near
    kept = p > 0
    tilt = law.strength * listed.score
    assert bool(kept[sure & (tilt > tilt[kept].max() - 20)].all())
    exact = tilt.where(kept, -INF).softmax(0)
    assert torch.allclose(p, exact, rtol=0, atol=1e-9)


@pytest.mark.parametrize("limit", [{}, {"cap": 31.0}, {"floor": 30.0}])
def test_draws_follow_the_law_and_repeat_with_the_seed(limit: dict[str, float]) -> None:
    parts = []
    for number, slots in enumerate([(3,), (0, 4), (1, 2)]):
        count = 5 + number
        values = torch.cartesian_prod(torch.arange(4), torch.arange(4))[:count, : len(slots)]
        values = torch.arange(count)[:, None] if len(slots) == 1 else values
        score = torch.randn(count, generator=rng(number)).double()
        parts.append(Part(slots, values, score, torch.randint(20, (count,), generator=rng(number)).double()))
    law = AdditiveLaw(tuple(parts), 1.5, **limit)
    listed = list_all(law.parts)
    check_draws(law.draw(150_000, rng()), listed, listed.log_p(law).softmax(0))
    assert torch.equal(law.draw(1000, rng(1)), replace(law).draw(1000, rng(1)))
    assert not torch.equal(law.draw(1000, rng(1)), law.draw(1000, rng(2)))
    assert law.draw(0, rng()).shape == (0, 5)


def mobile_parts(seed: int = 0, scale: float = 1.0) -> tuple[Part, ...]:
    """Five stages of two to four layers with nine choices each: 7371 configurations a stage, 2.2e19 rows."""
    layers = torch.cartesian_prod(*[torch.arange(10)] * 4)
    absent = layers == 9
    layers = layers[~absent[:, 0] & ~absent[:, 1] & (~absent[:, 2] | absent[:, 3])]
    parts = []
    for number in range(5):
        macs = (torch.rand(4, 10, generator=rng(seed + number)).double() * 18e6 + 2e6).round() * scale
        macs[:, 9] = 0
        cost = macs[torch.arange(4), layers].sum(1)
        score = 0.3 * torch.randn(7371, generator=rng(seed + 10 + number)).double() + cost / scale / 3e7
        parts.append(Part(tuple(range(4 * number, 4 * number + 4)), layers, score, cost))
    return tuple(parts)


def totals(parts: tuple[Part, ...], rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Score and cost of rows, by looking each configuration up."""
    score, cost = torch.zeros(len(rows)).double(), torch.zeros(len(rows)).double()
    digits = 10 ** torch.arange(4)
    for part in parts:
        number = torch.full((10**4,), -1)
        number[part.configurations @ digits] = torch.arange(len(part.score))
        at = number[rows[:, list(part.slots)] @ digits]
        assert bool((at >= 0).all())
        score += part.score[at]
        cost += part.cost[at]
    return score, cost


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_a_space_of_mobile_networks_keeps_its_cap(scale: float) -> None:
    """In MACs and in millions of them, where nothing is a whole number."""
    parts, cap = mobile_parts(scale=scale), 220e6 * scale
    law = AdditiveLaw(parts, 2.0, cap=cap)
    score, cost = totals(parts, law.draw(100_000, rng()))
    assert float(cost.max()) <= cap
    assert float(cost.max()) > 0.999 * cap
    assert float(score.mean()) == pytest.approx(law.mean_score, abs=6 * float(score.std()) / math.sqrt(1e5))
    expected = law.mean([part.cost for part in parts])
    assert float(cost.mean()) == pytest.approx(expected, abs=6 * float(cost.std()) / math.sqrt(1e5))
    best, least = totals(parts, law.argmax()[None])
    assert float(least) <= cap
    strong = totals(parts, replace(law, strength=1e4).draw(100, rng()))[0]
    assert float(score.max()) < float(strong.max()) <= float(best)


def test_a_space_of_mobile_networks_keeps_its_floor() -> None:
    parts = mobile_parts()
    _, cost = totals(parts, AdditiveLaw(parts, -1.0, floor=250e6).draw(20_000, rng()))
    assert 250e6 <= float(cost.min()) < 250.5e6


def test_the_unlimited_law_is_a_product() -> None:
    parts = mobile_parts()
    law = AdditiveLaw(parts, 3.0)
    assert law.log_partition == pytest.approx(sum(float((3 * part.score).logsumexp(0)) for part in parts))
    assert law.log_count == pytest.approx(5 * math.log(7371))
    mean = sum(float((3 * part.score).softmax(0) @ part.score) for part in parts)
    assert law.mean_score == pytest.approx(mean)
    score, _ = totals(parts, law.draw(20_000, rng()))
    assert float(score.mean()) == pytest.approx(mean, abs=6 * float(score.std()) / math.sqrt(2e4))
    assert float(totals(parts, law.argmax()[None])[0]) == pytest.approx(sum(float(part.score.max()) for part in parts))


def test_more_bins_lose_less_of_the_law() -> None:
    sizes = (128, 512, 1024)
    laws = [AdditiveLaw(mobile_parts(), 2.0, cap=150e6, bins=bins) for bins in sizes]
    lost = [1 - math.exp(law.log_partition - replace(law, bins=3072).log_partition) for law in laws]
    assert lost[0] > 2 * lost[1] > 3 * lost[2] > 0
    assert lost[2] < 0.04


@pytest.mark.parametrize("target", [0.0, 0.3, 3.0])
@pytest.mark.parametrize("limit", [{}, {"cap": 200e6, "bins": 256}])
def test_strength_meets_a_divergence(target: float, limit: dict[str, float]) -> None:
    law = AdditiveLaw(mobile_parts(), 0.0, **limit)
    beta = strength_for_kl(law, target)
    assert beta >= 0
    assert replace(law, strength=beta).kl == pytest.approx(target, abs=1e-6)


@pytest.mark.parametrize("target", [-1.0, math.nan, 45.0, math.log(8), math.log(7)])
def test_a_divergence_out_of_reach_is_refused(target: float) -> None:
    """Of two parts with a bit each and one with two equal scores at most 4 of 8 rows can be left out."""
    bit, same = torch.arange(2)[:, None], torch.zeros(2).double()
    parts = [Part((slot,), bit, same + slot // 2 * torch.arange(2), same) for slot in range(3)]
    with pytest.raises(InvalidOption, match="divergence"):
        strength_for_kl(AdditiveLaw(tuple(parts)), target)


def test_a_limit_out_of_reach_names_the_nearest() -> None:
    parts = mobile_parts()
    low, high = AdditiveLaw(parts, fixed_cost=5e6).cost_range
    assert low == 5e6 + sum(float(part.cost.min()) for part in parts)
    with pytest.raises(InvalidOption, match=f"10000000.0 or less; the cheapest costs {low}"):
        AdditiveLaw(parts, cap=1e7, fixed_cost=5e6)
    with pytest.raises(InvalidOption, match=f"the dearest costs {high}"):
        AdditiveLaw(parts, floor=1e9, fixed_cost=5e6)
    _, cost = totals(parts, AdditiveLaw(parts, cap=low, fixed_cost=5e6).draw(10, rng()))
    assert bool((cost == low - 5e6).all())
    _, cost = totals(parts, AdditiveLaw(parts, floor=high, fixed_cost=5e6).draw(10, rng()))
    assert bool((cost == high - 5e6).all())


def test_limits_hold_to_the_last_bit() -> None:
    """0.1 + 0.1 + 0.1 > 0.3 in floats, and a limit just beside a whole number is not that number."""
    bit, zero = torch.arange(2)[:, None], torch.zeros(2).double()
    tenth = AdditiveLaw(tuple(Part((slot,), bit, zero, 0.1 * torch.arange(2).double()) for slot in range(3)))
    rows = replace(tenth, cap=0.3, bins=30).draw(500, rng())
    assert int(rows.sum(1).max()) == 2
    assert int(replace(tenth, cap=0.3, bins=30).argmax().sum()) < 3
    part = Part((0,), bit, zero, torch.arange(2).double())
    assert bool((AdditiveLaw((part,), floor=1e-60).draw(100, rng()) == 1).all())
    assert bool((AdditiveLaw((replace(part, cost=part.cost - 1),), cap=-1e-60).draw(100, rng()) == 0).all())


def test_a_forbidden_configuration_counts_nowhere() -> None:
    parts = (
        Part((0,), torch.arange(3)[:, None], torch.tensor([-INF, 0.0, 1.0]), torch.tensor([0.0, 5.0, 7.0])),
        Part((1,), torch.arange(2)[:, None], torch.tensor([0.0, -INF]), torch.tensor([1.0, 0.0])),
    )
    assert AdditiveLaw(parts).cost_range == (6.0, 8.0)
    with pytest.raises(InvalidOption, match="cheapest costs 6"):
        AdditiveLaw(parts, cap=5.5)
    for cap in (None, 6.0, 7.0, 8.0):
        law = AdditiveLaw(parts, 0.0, cap=cap)
        values = {(1, 0), (2, 0)} if cap in (None, 8.0) else {(1, 0)}
        assert set(map(tuple, law.draw(200, rng()).tolist())) == values
        assert law.log_count == pytest.approx(math.log(len(values)))


def test_what_is_not_a_law_is_refused() -> None:
    def part(slot: int = 0, score: float = 0.0, cost: float = 1.0, count: int = 2) -> Part:
        return Part((slot,), torch.arange(2)[:, None], torch.full((count,), score), torch.full((2,), cost))

    for wrong in ({"score": math.nan}, {"score": INF}, {"score": -INF}, {"cost": INF}, {"cost": math.nan}):
        with pytest.raises(InvalidOption):
            part(**wrong)
    for parts in ((), (part(1),), (part(0), part(0))):
        with pytest.raises(InvalidOption, match="slots"):
            AdditiveLaw(parts)
    for options in (
        {"strength": INF},
        {"bins": 0},
        {"fixed_cost": math.nan},
        {"cap": 1.0, "floor": 1.0},
        {"cap": math.nan},
    ):
        with pytest.raises(InvalidOption):
            AdditiveLaw((part(),), **options)


def test_parts_of_a_layout_are_its_valid_configurations(toy) -> None:
    layout = layout_of(toy)
    rows = layout.read(toy.listed)
    found = part_configurations(layout)
    assert [slots for slots, _ in found] == list(layout.parts)
    for slots, values in found:
        assert torch.equal(values, rows[:, list(slots)].unique(dim=0))


def test_nasbench201_under_a_cap_of_parameters_is_as_listed() -> None:
    """Parameters of the cells: 5 each of 16, 32 and 64 channels; a convolution has weights and a batch norm."""
    layout = layout_of(NasBench201())
    macro = [5 * (kernel**2 * c * c + 2 * c) for kernel in (1, 3) for c in (16, 32, 64)]
    params = dict.fromkeys(OPERATIONS, 0) | {"nor_conv_1x1": sum(macro[:3]), "nor_conv_3x3": sum(macro[3:])}
    cost = torch.tensor([params[name] for name in OPERATIONS]).double()
    found = part_configurations(layout)
    assert [len(values) for _, values in found] == [5] * 6
    parts = tuple(Part(slots, values, cost * 0, cost[values[:, 0]]) for slots, values in found)
    law = AdditiveLaw(parts, cap=400_000.0, fixed_cost=70_000.0)
    rows = all_rows(layout)
    total = 70_000 + cost[rows].sum(1)
    allowed = total <= 400_000
    assert 0.2 < float(allowed.double().mean()) < 0.8
    assert law.log_count == pytest.approx(math.log(int(allowed.sum())), abs=1e-10)
    uniform = tilted(ListedLaw(rows, torch.zeros(len(rows))), torch.zeros(len(rows)), 0.0, allowed)
    check_draws(law.draw(200_000, rng()), list_all(parts), uniform.probability)
