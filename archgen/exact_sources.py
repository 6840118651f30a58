"""Exact sources of rows for a wish: one weight a row where a space can be listed, else dynamic programming."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from archgen.additive_terms import Term, additive_term
from archgen.diffusion.additive_law import AdditiveLaw, Part, strength_for_kl
from archgen.diffusion.listed_law import ListedLaw, strength_for_effective_size, tilted
from archgen.properties import Condition
from archgen.row_costs import Configurations, small_parts
from archgen.sources import draw_until, refusal, unreachable
from archgen.wishes import Properties, Wish
from graphs.errors import InvalidOption

SHARPNESS = 0.6
"""Share of the law's entropy that an exact source gives up for the property, unless a strength is given."""
TRIAL = 2048
"""Rows on which it is tried how many of a law that obeys one bound keep the others too."""
LEAST_KEPT = 0.01
"""Share of them for which a law is worth drawing from."""


@dataclass(frozen=True)
class ExactListed:
    """Draws from a listed law."""

    law: ListedLaw
    how: str = "exact, listed"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        return self.law.draw(count, rng), 1.0


@dataclass(frozen=True)
class ExactAdditive:
    """Draws from an additive law under one bound at most; what breaks another is dropped."""

    law: AdditiveLaw
    properties: Properties
    wish: Wish
    how: str = "exact, additive"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        return draw_until(count, self.wish, self.properties, lambda many: self.law.draw(many, rng))


def listed_source(rows: Int[Tensor, "m s"], wish: Wish, properties: Properties, seed: int) -> ExactListed:
    """The exact source where `rows` are all that a generator draws, each as often as another.

    Raises:
        InvalidOption: bounds that no row keeps, with the nearest value that can be reached.
    """
    law = ListedLaw(rows, torch.zeros(len(rows), dtype=torch.float64))
    kept = properties.kept(wish.given, rows)
    if not bool(kept.any()):
        raise unreachable(wish, properties, rows, sure=True)
    score = properties.objective(wish, seed)(rows).where(kept, -torch.inf)
    allowed = tilted(law, score, 0.0)
    if wish.maximize is None:
        return ExactListed(allowed)
    strength = wish.strength
    if strength is None:
        share = math.exp(-SHARPNESS * math.log(allowed.effective_size()))
        strength = strength_for_effective_size(allowed, score, min(share, 1.0))
    return ExactListed(tilted(law, score, strength))


def additive_source(wish: Wish, properties: Properties, seed: int, uniform: bool) -> ExactAdditive | None:
    """The exact source of a wish that adds up over the layout's parts, or None.

    One bound is built in, the others are met by dropping what breaks them, which takes that not too much does.

    Args:
        uniform: whether the generator draws all descriptions alike; if not there is no such source.

    Raises:
        InvalidOption: a bound that nothing keeps, with the nearest value that can be reached.
    """
    parts = small_parts(properties.layout)
    if parts is None:
        return None
    built_in = [(one, term) for one in wish.given if (term := additive_term(one.name, parts, properties)) is not None]
    _require_reachable(built_in, properties, parts)
    objective = None
    if wish.maximize is not None:
        drawn = seed if wish.by == "thompson" else None
        objective = additive_term(wish.maximize, parts, properties, drawn)
        deviating = wish.maximize in properties.predictors and wish.by in ("upper", "lower")
        if objective is None or deviating:
            return None
    if not uniform:
        return None
    limits: Sequence[tuple[Condition, Term] | None] = built_in or [None]
    laws = [_tilted(_limited(parts, objective, one), wish, objective) for one in limits]
    return _best(laws, wish, properties)


def _limited(parts: Configurations, objective: Term | None, limit: tuple[Condition, Term] | None) -> AdditiveLaw:
    """The uniform law under a bound; its scores are the objective's."""
    nothing = [torch.zeros(len(configurations), dtype=torch.float64) for _, configurations in parts]
    scores = nothing if objective is None else objective.tables
    costs = nothing if limit is None else limit[1].tables
    built = tuple(Part(slots, rows, f, c) for (slots, rows), f, c in zip(parts, scores, costs, strict=True))
    law = AdditiveLaw(built, strength=0.0)
    if limit is None:
        return law
    condition, term = limit
    bound, above = term.bound(condition), condition.operator == "<="
    return replace(law, fixed_cost=term.fixed, cap=bound if above else None, floor=None if above else bound)


def _tilted(law: AdditiveLaw, wish: Wish, objective: Term | None) -> AdditiveLaw:
    if objective is None:
        return law
    if wish.strength is not None:
        return replace(law, strength=wish.strength * objective.slope)
    for share in (SHARPNESS, SHARPNESS / 4, SHARPNESS / 16):  # less where many rows share the top score
        with suppress(InvalidOption):
            return replace(law, strength=strength_for_kl(law, share * law.log_count))
    return law


def _best(laws: Sequence[AdditiveLaw], wish: Wish, properties: Properties) -> ExactAdditive | None:
    """The law of whose draws most keep all bounds, if it is enough of them."""
    tries = [law.draw(TRIAL, torch.Generator().manual_seed(0)) for law in laws]
    shares = [float(properties.kept(wish.given, rows).double().mean()) for rows in tries]
    best = max(range(len(laws)), key=shares.__getitem__)
    if shares[best] >= LEAST_KEPT or (shares[best] > 0 and len(wish.given) == 1):
        return ExactAdditive(laws[best], properties, wish)
    if len(wish.given) == 1:
        raise unreachable(wish, properties, torch.cat(tries), sure=False)
    return None


def _require_reachable(bounds: Sequence[tuple[Condition, Term]], properties: Properties, parts: Configurations) -> None:
    """Raise `InvalidOption` where nothing keeps a bound, or two of them."""
    pairs = itertools.combinations(bounds, 2)
    for limit, (condition, term) in [*((None, one) for one in bounds), *pairs]:
        sign = -1.0 if condition.operator == "<=" else 1.0
        aim = replace(term, tables=[sign * table for table in term.tables])
        row = _limited(parts, aim, limit).argmax()[None]
        if sign * float(term.value(row)) < sign * term.bound(condition):
            nearest = float(properties.evaluate(condition.name, row)[0])
            raise refusal(condition, nearest, () if limit is None else (limit[0],), sure=True)
