"""Sources of rows for a wish, from exact to approximate: a list, a dynamic programme, a learned tilt.

Which one is used depends on the space and on the wish:

- listed: the space can be listed and the generator was trained on all of it: the tilted law itself.
- additive: the wish adds up over the layout's parts and has one bound at most: the tilted law itself, by dynamic
  programming, in spaces of any size.
- learned: everything else: the generator's denoiser is fine-tuned to the wish, importance weights correct it, and what
  breaks a bound is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.additive_law import AdditiveLaw, Part, part_configurations, strength_for_kl
from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.listed_law import ListedLaw, all_rows, strength_for_effective_size, tilted
from archgen.diffusion.tilting import TiltConfig, TiltedGenerator, systematic, tilt_generator
from archgen.properties import Condition
from archgen.row_costs import AdditiveCost
from archgen.wishes import Properties, Wish
from graphs.errors import InvalidOption
from predictors.additive import AdditivePredictor

SHARPNESS = 0.6
"""Share of the law's entropy that an exact source gives up for the property, unless a strength is given."""
DEVIATIONS = 4.0
"""Strength of a learned source, per deviation of the property, unless given: a normal law moves by that many."""
PENALTY = 60.0
"""Nats that a learned source takes off for a bound that is missed by one deviation of the property."""
LISTED = 1_000_000
"""Rows up to which a space is listed."""
TRIES = 50
"""Batches in a row without a row that keeps the bounds after which a draw is given up."""


class Source(Protocol):
    """Draws rows for one wish."""

    @property
    def how(self) -> str:
        """For people."""

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        """`count` rows that keep all bounds, and the share of the draws that did before they were checked."""


def source_for(generator: DiffusionGenerator, wish: Wish, properties: Properties, seed: int) -> Source:
    """The surest source for the wish, see the module's text.

    Raises:
        InvalidOption: bounds that nothing keeps, with the nearest value that can be reached.
    """
    whole = generator.provenance.get("law") in ("description", "network")
    if whole and _listable(generator):
        return listed_source(generator, wish, properties, seed)
    if generator.provenance.get("law") == "description" and (law := additive_law(wish, properties, seed)) is not None:
        return ExactAdditive(law, properties, wish)
    return learned_source(generator, wish, properties, seed)


@dataclass(frozen=True)
class ExactListed:
    """Draws from a listed law."""

    law: ListedLaw
    how: str = "exact, listed"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        return self.law.draw(count, rng), 1.0


@dataclass(frozen=True)
class ExactAdditive:
    """Draws from an additive law; the bounds are checked once more on the rows."""

    law: AdditiveLaw
    properties: Properties
    wish: Wish
    how: str = "exact, additive"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        return _until(count, self.wish, self.properties, lambda many: self.law.draw(many, rng))


@dataclass(frozen=True)
class Unguided:
    """Draws from the generator itself."""

    generator: DiffusionGenerator
    how: str = "unguided"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        seed = int(torch.randint(2**62, (1,), generator=rng))
        return torch.cat(list(self.generator.stream(count, seed))), 1.0


@dataclass(frozen=True)
class Learned:
    """Draws from a tilted generator; what breaks a bound weighs nothing."""

    tilted: TiltedGenerator
    properties: Properties
    wish: Wish
    how: str = "learned"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        share: list[float] = []

        def many(wanted: int) -> Int[Tensor, "b s"]:
            drawn = self.tilted.draw_weighted(self.tilted.excess * max(wanted, 256), self.tilted.strength, rng)
            kept = self.properties.kept(self.wish.given, drawn.rows)
            share.append(float(kept.double().mean()))
            weights = drawn.weights(self.tilted.strength).where(kept, 0.0)
            usable = min(wanted, int(kept.sum()))
            return drawn.rows[systematic(weights / weights.sum(), usable, rng)] if usable else drawn.rows[:0]

        rows, _ = _until(count, self.wish, self.properties, many)
        return rows, sum(share) / len(share)


def listed_source(generator: DiffusionGenerator, wish: Wish, properties: Properties, seed: int) -> ExactListed:
    """The exact source of a space that can be listed."""
    layout = generator.layout
    by_network = generator.provenance["law"] == "network"
    rows = layout.read(layout.space.networks) if by_network else all_rows(layout)
    law = ListedLaw(rows, torch.zeros(len(rows), dtype=torch.float64))
    kept = properties.kept(wish.given, rows)
    if not bool(kept.any()):
        raise unreachable(wish, properties, rows)
    score = properties.objective(wish, rows, seed).where(kept, -torch.inf)
    strength = wish.strength
    if wish.maximize is None:
        return ExactListed(tilted(law, score, 0.0))
    if strength is None:
        allowed = tilted(law, score, 0.0)
        share = math.exp(-SHARPNESS * math.log(allowed.effective_size()))
        strength = strength_for_effective_size(allowed, score, share)
    return ExactListed(tilted(law, score, strength))


def additive_law(wish: Wish, properties: Properties, seed: int) -> AdditiveLaw | None:
    """The exact law of a wish that adds up over the layout's parts, or None.

    Raises:
        InvalidOption: a bound that nothing keeps.
    """
    if len(wish.given) > 1 or properties.layout.edge_slots or wish.by not in ("mean", "thompson"):
        return None
    parts = part_configurations(properties.layout)
    nothing = [torch.zeros(len(configurations), dtype=torch.float64) for _, configurations in parts]
    scores = nothing if wish.maximize is None else _additive(wish.maximize, parts, properties, wish.by, seed)
    limit = next(iter(wish.given), None)
    costs = nothing if limit is None else _additive(limit.name, parts, properties, "mean", seed)
    if scores is None or costs is None:
        return None
    built = tuple(Part(slots, rows, f, c) for (slots, rows), f, c in zip(parts, scores, costs, strict=True))
    bound = None if limit is None else _bound(limit, properties)
    law = AdditiveLaw(
        built,
        strength=0.0,
        cap=bound if limit is not None and limit.operator == "<=" else None,
        floor=bound if limit is not None and limit.operator == ">=" else None,
        fixed_cost=0.0 if limit is None else _fixed(limit.name, properties),
    )
    if wish.maximize is None:
        return law
    strength = wish.strength if wish.strength is not None else strength_for_kl(law, SHARPNESS * law.log_count)
    return AdditiveLaw(built, strength, law.cap, law.floor, law.fixed_cost)


def learned_source(generator: DiffusionGenerator, wish: Wish, properties: Properties, seed: int) -> Source:
    """The learned source; the generator itself where nothing is wished for.

    Raises:
        InvalidOption: bounds that nothing keeps, as far as training could find.
    """
    if not wish.names:
        return Unguided(generator)
    rng = torch.Generator().manual_seed(seed)
    plain, _ = Unguided(generator).draw(4096, rng)
    penalties = [_Penalty.of(condition, properties, plain) for condition in wish.given]
    strength = wish.strength
    if strength is None:
        strength = DEVIATIONS / max(float(properties.objective(wish, plain, seed).std()), 1e-12)

    def score(rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        total = properties.objective(wish, rows, seed) * (strength if wish.maximize else 0.0)
        for penalty in penalties:
            total = total - penalty(properties, rows)
        return total

    found = tilt_generator(generator, score, 1.0, TiltConfig(seed=seed))
    return Learned(found, properties, wish)


@dataclass(frozen=True)
class _Penalty:
    """Nats for missing a bound, steep enough that few draws miss it and soft enough to be learned by steps."""

    condition: Condition
    deviation: float

    @staticmethod
    def of(condition: Condition, properties: Properties, rows: Int[Tensor, "b s"]) -> _Penalty:
        return _Penalty(condition, max(float(properties.evaluate(condition.name, rows)[0].std()), 1e-12))

    def __call__(self, properties: Properties, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        over = properties.evaluate(self.condition.name, rows)[0] - self.condition.value
        missed = (over if self.condition.operator == "<=" else -over).clamp(min=0) / self.deviation
        return PENALTY * missed + 3.0 * (missed > 0)


def unreachable(wish: Wish, properties: Properties, rows: Int[Tensor, "b s"]) -> InvalidOption:
    """The error for bounds that none of `rows` keeps: the first one that the others leave no room for."""
    kept: tuple[Condition, ...] = ()
    for condition in wish.given:
        room = properties.kept(kept, rows)
        value = properties.evaluate(condition.name, rows)[0][room]
        nearest = float(value.min() if condition.operator == "<=" else value.max())
        if not condition.holds(nearest):
            beside = f" together with {', '.join(one.text for one in kept)}" if kept else ""
            return InvalidOption(
                f"no architecture has {condition.text}{beside}; the nearest that can be reached is {nearest:.6g}"
            )
        kept = (*kept, condition)
    return InvalidOption(f"no architecture that was drawn has {', '.join(one.text for one in wish.given)}")


def _until(
    count: int, wish: Wish, properties: Properties, draw: Callable[[int], Int[Tensor, "b s"]]
) -> tuple[Int[Tensor, "b s"], float]:
    """`count` rows that keep the bounds, and the share of those drawn that did.

    Raises:
        InvalidOption: `TRIES` batches in a row brought none.
    """
    found: list[Tensor] = []
    have, drawn, good, barren = 0, 0, 0, 0
    while have < count:
        rows = draw(count - have)
        kept = rows[properties.kept(wish.given, rows)] if wish.given else rows
        drawn, good, barren = drawn + len(rows), good + len(kept), 0 if len(kept) else barren + 1
        if barren >= TRIES:
            raise (
                unreachable(wish, properties, rows)
                if len(rows)
                else InvalidOption(
                    f"no architecture that was drawn has {', '.join(one.text for one in wish.given)}; widen the bounds"
                )
            )
        found.append(kept[: count - have])
        have += len(found[-1])
    return torch.cat(found), good / max(drawn, 1)


def _listable(generator: DiffusionGenerator) -> bool:
    layout = generator.layout
    if layout.edge_slots or not layout.space.enumerable:
        return False
    return math.prod(layout.sizes) <= LISTED


def _additive(
    name: str, parts: list[tuple[tuple[int, ...], Int[Tensor, "c p"]]], properties: Properties, by: str, seed: int
) -> list[Float[Tensor, " c"]] | None:
    """What each configuration of each part adds to a property, or None where that is not known to add up."""
    if name in properties.costs:
        cost = properties.costs[name]
        return cost.tables if isinstance(cost, AdditiveCost) else None
    predictor = properties.predictors[name]
    if not isinstance(predictor, AdditivePredictor):
        return None
    function = predictor.draw_effects(seed) if by == "thompson" else predictor
    return [function.part_score(slots, configurations) for slots, configurations in parts]


def _fixed(name: str, properties: Properties) -> float:
    cost = properties.costs.get(name)
    if isinstance(cost, AdditiveCost):
        return cost.fixed
    predictor = properties.predictors[name]
    return predictor.intercept if isinstance(predictor, AdditivePredictor) else 0.0


def _bound(condition: Condition, properties: Properties) -> float:
    """The bound on the scale on which the property adds up."""
    if condition.name in properties.costs:
        return condition.value
    predictor = properties.predictors[condition.name]
    return float(predictor.warp(torch.tensor(condition.value, dtype=torch.float64)))
