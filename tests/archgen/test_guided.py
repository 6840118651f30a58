"""Guided draws against laws that are summed over the whole space, and bounds that nothing keeps."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from archgen import additive_source, guided, labels, learned_source
from archgen.additive_source import ExactAdditive, _pulled
from archgen.additive_terms import Bound, additive_term
from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.listed_law import all_rows
from archgen.diffusion.tilting import TiltConfig
from archgen.guided import source_for
from archgen.labels import Labels
from archgen.listed_source import ExactListed
from archgen.row_costs import small_parts
from archgen.sources import Unguided
from archgen.wishes import Properties, Wish, gather_properties
from graphs.condition import parse_condition
from graphs.errors import InvalidOption
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space

Untrained = Callable[..., DiffusionGenerator]
SMALL = TiltConfig(steps=4, batch=16, pool=512, rounds=2)


def wish(maximize: str | None = None, *given: str, **options: Any) -> Wish:
    return Wish(maximize, tuple(map(parse_condition, given)), **options)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def measured(name: str, count: int) -> Labels:
    """An accuracy that grows with the MACs and saturates, and a latency in proportion to them."""
    space, chance = get_space(name), np.random.default_rng(2)
    graphs = [space.sample(chance) for _ in range(count)]
    macs = torch.tensor([space.costs(graph)["macs"] for graph in graphs], dtype=torch.float64)
    noise = torch.from_numpy(chance.normal(size=count))
    size = (macs - macs.min()) / macs.std()
    columns = {"accuracy": 94 - 3 * (-size).exp() + 0.01 * noise, "latency": 5 + size + 0.02 * noise}
    return Labels(tuple(graphs), columns)


@pytest.fixture(scope="module")
def cells() -> Properties:
    """Of NAS-Bench-201, with a predictor that is additive as in a large space."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "MOST_FOR_GP", 0)
        names = ["params", "macs", "accuracy", "latency"]
        return gather_properties(layout_of(get_space("nasbench201")), names, measured("nasbench201", 150))


@pytest.fixture(scope="module")
def mobiles() -> Properties:
    names = ["params", "macs", "accuracy", "latency"]
    return gather_properties(layout_of(get_space("ofa-mobilenetv3")), names, measured("ofa-mobilenetv3", 150))


@pytest.fixture
def unlisted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small spaces are treated as if they could not be listed."""
    monkeypatch.setattr(guided, "LISTED", 0)


def summed(one: Wish, properties: Properties) -> tuple[torch.Tensor, torch.Tensor]:
    """All rows and their law, by the definition."""
    rows = all_rows(properties.layout)
    score = torch.zeros(len(rows), dtype=torch.float64)
    if one.maximize is not None:
        assert one.strength is not None
        score = one.strength * properties.evaluate(one.maximize, rows)[0]
    for condition in one.given:
        score[~torch.from_numpy(condition.holds(properties.evaluate(condition.name, rows)[0].numpy()))] = -torch.inf
    return rows, score.softmax(0)


def assert_drawn_from(drawn: torch.Tensor, rows: torch.Tensor, p: torch.Tensor, properties: Properties) -> None:
    """Total variation over the pairs of params and macs within what chance exceeds once in a million."""
    values = [
        torch.stack([properties.evaluate(name, some)[0] for name in ("params", "macs")], 1) for some in (rows, drawn)
    ]
    kinds, kind = torch.cat(values).unique(dim=0, return_inverse=True)
    wanted = torch.zeros(len(kinds), dtype=torch.float64).index_add(0, kind[: len(rows)], p)
    found = kind[len(rows) :].bincount(minlength=len(kinds)).double() / len(drawn)
    limit = float((wanted * (1 - wanted) / len(drawn)).sqrt().sum()) / 2
    assert float((found - wanted).abs().sum()) / 2 < limit + math.sqrt(math.log(1e6) / (2 * len(drawn)))


BOUNDS: list[tuple[str, ...]] = [
    (),
    ("params<=0.8",),
    ("macs>=60", "params<=0.8", "params>=0.3"),
    ("params>=0.316", "params<=0.317", "macs<=60"),
]


@pytest.mark.parametrize("given", BOUNDS)
@pytest.mark.parametrize("strength", [None, 0.03])
def test_a_listed_law_is_the_tilted_one(untrained: Untrained, cells: Properties, given, strength) -> None:
    one = wish(None if strength is None else "macs", *given, strength=strength)
    if not one.names:
        return
    source = source_for(untrained("nasbench201"), one, cells, 0)
    assert isinstance(source, ExactListed)
    rows, p = summed(one, cells)
    assert torch.equal(source.law.values, rows)
    assert torch.allclose(source.law.probability, p, rtol=1e-9, atol=0)
    drawn, share = source.draw(500, rng())
    assert share == 1
    assert bool(cells.kept(one.given, drawn).all())


@pytest.mark.parametrize("given", BOUNDS)
@pytest.mark.parametrize("strength", [None, 0.03])
@pytest.mark.usefixtures("unlisted")
def test_additive_draws_follow_the_tilted_law(untrained: Untrained, cells: Properties, given, strength) -> None:
    one = wish(None if strength is None else "macs", *given, strength=strength)
    if not one.names:
        return
    source = source_for(untrained("nasbench201"), one, cells, 0)
    assert isinstance(source, ExactAdditive)
    drawn, share = source.draw(20_000, rng())
    assert bool(cells.kept(one.given, drawn).all())
    assert 0 < share <= 1
    assert_drawn_from(drawn, *summed(one, cells), cells)


@pytest.mark.parametrize("built_in", [0, 1, 2])
def test_proposals_that_are_pulled_leave_the_law_as_it_is(cells: Properties, built_in: int) -> None:
    """Whichever bound is built in and however strong the pulls towards the others are."""
    one = wish("macs", "params<=0.5", "macs<=60", "macs>=40", strength=0.02)
    parts = small_parts(cells.layout)
    assert parts is not None
    terms = {name: additive_term(name, parts, cells) for name in ("params", "macs")}
    bounds = [Bound(condition, terms[condition.name]) for condition in one.given]
    limit = bounds.pop(built_in)
    scores = [0.02 * terms["macs"].slope * table for table in terms["macs"].tables]
    source = _pulled(
        parts, scores, limit, bounds, [2 / float(bound.term.tables[0].max()) for bound in bounds], one, cells
    )
    drawn, _ = source.draw(20_000, rng())
    assert_drawn_from(drawn, *summed(one, cells), cells)


@pytest.mark.usefixtures("unlisted")
def test_where_most_rows_share_the_top_score_the_strength_is_less(untrained: Untrained, cells: Properties) -> None:
    """Few cells are that small, most of them with the same parameters."""
    source = source_for(untrained("nasbench201"), wish("params", "params<=0.09"), cells, 0)
    assert isinstance(source, ExactAdditive)
    assert bool((cells.evaluate("params", source.draw(100, rng())[0])[0] <= 0.09).all())


def test_networks_are_drawn_alike_where_the_generator_learned_networks(untrained: Untrained, cells: Properties) -> None:
    space = get_space("nasbench201")
    source = source_for(untrained("nasbench201", "network"), wish(None, "params<=0.5"), cells, 0)
    assert isinstance(source, ExactListed)
    kept = source.law.probability > 0
    graphs = cells.layout.write(source.law.values[kept])
    wanted = {space.canonical(graph) for graph in space.networks if space.costs(graph)["params"] <= 0.5}
    assert sorted(map(space.canonical, graphs)) == sorted(wanted)
    assert torch.allclose(source.law.probability[kept], torch.tensor(1 / len(wanted), dtype=torch.float64))


@pytest.mark.parametrize("by", ["upper", "lower", "thompson"])
def test_a_listed_law_by_what_is_wished_of_the_posterior(untrained: Untrained, cells: Properties, by) -> None:
    one = wish("accuracy", strength=2.0, by=by)
    source = source_for(untrained("nasbench201"), one, cells, 5)
    assert isinstance(source, ExactListed)
    wanted = (2.0 * cells.objective(one, 5)(source.law.values)).softmax(0)
    assert torch.allclose(source.law.probability, wanted, rtol=1e-9, atol=0)


def test_the_usual_strength_gives_up_six_tenths_of_the_entropy(untrained: Untrained, cells: Properties) -> None:
    source = source_for(untrained("nasbench201"), wish("macs", "params<=0.8"), cells, 0)
    assert isinstance(source, ExactListed)
    kept = int(cells.kept((parse_condition("params<=0.8"),), source.law.values).sum())
    assert source.law.effective_size() == pytest.approx(kept**0.4, rel=1e-3)


@pytest.mark.parametrize("name", ["accuracy", "latency", "params"])
def test_a_strength_is_per_unit_of_the_property(mobiles: Properties, name: str) -> None:
    """In the middle of the labels, where a step of the scale on which effects add up is known by finite differences."""
    source = additive_source.additive_source(wish(name, strength=3.0), mobiles, 0, uniform=True)
    assert source is not None
    space, chance = mobiles.layout.space, np.random.default_rng(4)
    rows = mobiles.layout.read([space.sample(chance) for _ in range(300)])
    parts = [
        (part, {tuple(row): at for at, row in enumerate(part.configurations.tolist())}) for part in source.law.parts
    ]
    tilt = torch.tensor(
        [sum(float(part.score[at[tuple(row[list(part.slots)].tolist())]]) for part, at in parts) for row in rows]
    ).double()
    mean = mobiles.evaluate(name, rows)[0]
    if name == "params":
        assert torch.allclose(tilt - tilt[0], 3.0 * (mean - mean[0]), atol=1e-6)
        return
    warp = mobiles.predictors[name].warp
    step = 1e-5
    unit = float(warp.inverse(torch.tensor(step).double()) - warp.inverse(torch.tensor(-step).double())) / (2 * step)
    latent = mobiles.predictors[name].latent(rows)[0]
    assert torch.allclose(tilt - tilt[0], 3.0 * unit * (latent - latent[0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "one",
    [
        wish("accuracy", "latency<=6", strength=3.0),
        wish("accuracy", "accuracy>=93", "macs<=300", "params<=6", strength=3.0),
        wish("accuracy", "accuracy<=93", by="thompson", strength=3.0),
        wish(None, "params>=5.0", "params<=5.01", "macs<=260"),
    ],
    ids=lambda one: f"{one.maximize} {one.bounds}",
)
def test_mobile_networks_keep_all_bounds(untrained: Untrained, mobiles: Properties, one: Wish) -> None:
    source = source_for(untrained("ofa-mobilenetv3"), one, mobiles, 1)
    assert source.how == "exact, additive"
    rows, _ = source.draw(400, rng())
    space = mobiles.layout.space
    assert bool(mobiles.kept(one.given, rows).all())
    for graph in mobiles.layout.write(rows):
        costs = space.costs(graph)
        assert all(condition.holds(costs[condition.name]) for condition in one.given if condition.name in costs)
    if one.maximize is not None:
        plain = mobiles.layout.read([space.sample(np.random.default_rng(seed)) for seed in range(400)])
        plain = plain[mobiles.kept(one.given, plain)]
        drawn, other = (mobiles.evaluate(one.maximize, some)[0] for some in (rows, plain))
        assert len(other) == 0 or float(drawn.mean()) > float(other.mean())


def test_every_row_within_a_bound_from_above_is_within_its_scale(cells: Properties) -> None:
    """The mean of a property that saturates lies below what its mean latent value stands for."""
    parts = small_parts(cells.layout)
    assert parts is not None
    rows = all_rows(cells.layout)[::8]
    for name in ("accuracy", "latency"):
        term = additive_term(name, parts, cells)
        assert term is not None
        latent, mean = term.value(rows), cells.evaluate(name, rows)[0]
        assert torch.allclose(latent, cells.predictors[name].latent(rows)[0])
        for value in mean.quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)).tolist():
            below, above = (parse_condition(f"{name}{sign}{value!r}") for sign in ("<=", ">="))
            assert bool((latent[mean <= value] <= term.bound(below)).all())
            assert bool((latent[mean >= value] >= term.bound(above)).all())


# Bounds that nothing keeps

UNREACHABLE: list[tuple[Sequence[str], str]] = [
    (["params<=0.01"], "params<=0.01"),
    (["macs>=1000"], "macs>=1000"),
    (["accuracy>=99"], "accuracy>=99"),
    (["latency<=1"], "latency<=1"),
    (["macs>=2", "params>=0.9", "macs<=20"], "macs<=20 together with"),
]


@pytest.mark.parametrize(("given", "told"), UNREACHABLE)
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("law", ["description", "given"])
def test_the_nearest_value_is_told_and_can_be_reached(
    untrained: Untrained, cells: Properties, monkeypatch: pytest.MonkeyPatch, given, told: str, listed: bool, law: str
) -> None:
    if not listed:
        monkeypatch.setattr(guided, "LISTED", 0)
    if law == "given" and not listed and len(given) > 1:
        return  # that takes training
    generator = untrained("nasbench201", law)
    with pytest.raises(InvalidOption) as caught:
        source_for(generator, wish(None, *given), cells, 0, SMALL)
    assert told in str(caught.value)
    nearest = re.search(r"nearest .* is (\S+) (\S+)$", str(caught.value))
    assert nearest is not None
    broken = next(parse_condition(one) for one in reversed(given) if one.startswith(nearest[1]))
    again = [one for one in given if parse_condition(one) != broken] + [f"{nearest[1]}{broken.operator}{nearest[2]}"]
    rows, _ = source_for(untrained("nasbench201"), wish(None, *again), cells, 0).draw(20, rng())
    values = cells.evaluate(nearest[1], rows)[0]
    assert torch.allclose(values, torch.tensor(float(nearest[2]), dtype=torch.float64), rtol=0.02)


def test_an_accuracy_that_nobody_is_predicted_to_reach(untrained: Untrained, mobiles: Properties) -> None:
    for bound in ("accuracy>=96", "accuracy>=1000000000"):
        told = f"no architecture has {bound}; the nearest that can be reached is accuracy 9[345]"
        with pytest.raises(InvalidOption, match=told):
            source_for(untrained("ofa-mobilenetv3"), wish("accuracy", bound), mobiles, 0)


def test_mobile_networks_that_keep_two_bounds_but_not_both(untrained: Untrained, mobiles: Properties) -> None:
    with pytest.raises(InvalidOption, match=r"macs<=200 together with params>=7\.4; the nearest found is macs 3\d\d"):
        source_for(untrained("ofa-mobilenetv3"), wish(None, "params>=7.4", "macs<=200"), mobiles, 0)


# Learned sources


@pytest.mark.parametrize(
    ("name", "law", "one"),
    [
        ("nasbench201", "given", wish("macs", "params<=0.3", "macs>=5")),
        ("nasbench201", "given", wish(None, "params<=0.2")),
        ("ofa-mobilenetv3", "description", wish("accuracy", "params<=5.5", by="upper")),
        ("ofa-mobilenetv3", "given", wish("macs", strength=0.01)),
    ],
    ids=["given and bounds", "given and a bound", "upper", "given and no bound"],
)
def test_what_is_learned_keeps_all_bounds_and_moves_the_property(
    untrained: Untrained, cells: Properties, mobiles: Properties, name: str, law: str, one: Wish
) -> None:
    generator, properties = untrained(name, law), cells if name == "nasbench201" else mobiles
    rounds = list[float]()
    source = source_for(generator, one, properties, 2, SMALL, lambda _number, reached, _best: rounds.append(reached))
    assert source.how.startswith("learned")
    assert 1 <= len(rounds) <= SMALL.rounds
    rows, share = source.draw(300, rng())
    assert len(rows) == 300
    assert 0 < share <= 1
    assert bool(properties.kept(one.given, rows).all())
    assert torch.equal(rows, source.draw(300, rng())[0])
    if one.maximize is not None:
        plain, _ = Unguided(generator).draw(2_000, rng(1))
        plain = plain[properties.kept(one.given, plain)]
        drawn, other = (properties.evaluate(one.maximize, some)[0].mean() for some in (rows, plain))
        assert drawn > other


def test_bounds_that_only_draws_can_judge(untrained: Untrained, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DAG of three nodes or fewer has no six edges, which neither a list nor a sum over parts tells."""
    monkeypatch.setattr(learned_source, "TRIES", 2)
    monkeypatch.setattr(learned_source, "LOOKED_AT", 64)
    properties = gather_properties(layout_of(get_space("free-dag")), ["nodes", "edges"])
    small = TiltConfig(steps=1, batch=8, pool=64, rounds=1)
    with pytest.raises(
        InvalidOption, match=r"no architecture was found that has .*; the nearest found is (nodes|edges)"
    ):
        source_for(untrained("free-dag"), wish(None, "edges>=6", "nodes<=3"), properties, 0, small)


def test_a_property_that_nothing_changes_leaves_the_generator(untrained: Untrained) -> None:
    space = get_space("ofa-mobilenetv3")
    graphs = [space.sample(np.random.default_rng(seed)) for seed in range(5)]
    same = Labels(tuple(graphs), {"accuracy": torch.full((5,), 70.0, dtype=torch.float64)})
    properties = gather_properties(layout_of(space), ["accuracy"], same)
    for law in ("description", "given"):
        rows, _ = source_for(untrained("ofa-mobilenetv3", law), wish("accuracy"), properties, 0, SMALL).draw(20, rng())
        assert torch.allclose(properties.evaluate("accuracy", rows)[0], torch.tensor(70.0).double(), atol=0.01)


def test_no_wish_is_no_guidance(untrained: Untrained, cells: Properties) -> None:
    generator = untrained("nasbench201")
    source = source_for(generator, wish(), cells, 0)
    assert isinstance(source, Unguided)
    rows, share = source.draw(50, rng())
    assert (len(rows), share) == (50, 1)
