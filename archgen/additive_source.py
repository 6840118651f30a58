"""The exact source of rows for a wish that adds up over a layout's parts, in spaces of any size.

The law p(x) exp(strength * f(x)) under one bound is drawn by dynamic programming. Further bounds are met by rejection,
which stays exact and quick where the proposal is pulled towards them: with d the distance by which a row keeps a bound,
rows are proposed from p(x) exp(strength * f(x) + pull * d(x)), those that break a bound are dropped, and of the others
each is accepted with probability exp(-pull * d(x)).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archgen.additive_terms import Bound, Term, additive_term
from archgen.diffusion.additive_law import AdditiveLaw, Part, strength_for_kl
from archgen.row_costs import Configurations, small_parts
from archgen.sources import SHARPNESS, draw_until, refusal, unreachable
from archgen.wishes import Properties, Wish
from graphs.errors import InvalidOption

TRIAL = 2048
"""Proposals on which it is tried how many are accepted."""
ROUNDS = 6
"""Trials, each with better pulls."""
STRONG = 1e6
"""Strength times the width of a property at which a law is as good as its best row."""
ENOUGH, LEAST = 0.05, 0.003
"""Shares of them to be content with, and to use at all."""


@dataclass(frozen=True, eq=False)
class ExactAdditive:
    """Draws from an additive law, of which some are accepted.

    Args:
        law: of the proposals.
        pulls: bounds that are not built into the law, and how strongly it is pulled towards each.
    """

    law: AdditiveLaw
    pulls: tuple[tuple[Bound, float], ...]
    wish: Wish
    properties: Properties
    how: str = "exact, additive"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        def judge(rows: Int[Tensor, "b s"]) -> tuple[Bool[Tensor, " b"], Bool[Tensor, " b"]]:
            kept, chance = self.judge(rows)
            return kept, kept & (torch.rand(len(rows), generator=rng, dtype=torch.float64) < chance)

        return draw_until(count, self.wish, self.properties, lambda many: self.law.draw(many, rng), judge)

    def judge(self, rows: Int[Tensor, "b s"]) -> tuple[Bool[Tensor, " b"], Float[Tensor, " b"]]:
        """Which proposals keep all bounds, and with which probability one that does is accepted."""
        kept = self.properties.kept(self.wish.given, rows)
        push = torch.zeros(len(rows), dtype=torch.float64)
        for bound, pull in self.pulls:
            push += pull * bound.room(rows)
        return kept, torch.where(kept, (-push).exp().clamp(max=1), 0.0)


def additive_source(wish: Wish, properties: Properties, seed: int, uniform: bool) -> ExactAdditive | None:
    """The exact source, or None where the wish does not add up or too few proposals would be accepted.

    Args:
        uniform: whether the generator draws all descriptions alike; if not there is no such source.

    Raises:
        InvalidOption: a bound that nothing keeps, with the nearest value that can be reached.
    """
    parts = small_parts(properties.layout)
    if parts is None:
        return None
    bounds = [
        Bound(one, term) for one in wish.given if (term := additive_term(one.name, parts, properties)) is not None
    ]
    _require_each(bounds, properties, parts)
    objective = None
    if wish.maximize is not None:
        drawn = seed if wish.by == "thompson" else None
        objective = additive_term(wish.maximize, parts, properties, drawn)
        if objective is None or (wish.by in ("upper", "lower") and wish.maximize in properties.predictors):
            return None
    if not uniform:
        return None
    scores = [torch.zeros(len(one), dtype=torch.float64) for _, one in parts] if objective is None else objective.tables
    limits: list[Bound | None] = [*bounds] or [None]
    laws = [_law(parts, scores, limit) for limit in limits]
    strength = 0.0 if objective is None else _strength(min(laws, key=lambda law: law.log_count), wish, objective)
    return _best(parts, [strength * score for score in scores], bounds, wish, properties)


def _law(parts: Configurations, scores: Sequence[Float[Tensor, " _"]], bound: Bound | None) -> AdditiveLaw:
    """p(x) exp(score) under a bound, for a strength of 1."""
    costs = [torch.zeros_like(score) for score in scores] if bound is None else bound.term.tables
    built = tuple(Part(slots, rows, f, c) for (slots, rows), f, c in zip(parts, scores, costs, strict=True))
    if bound is None:
        return AdditiveLaw(built)
    cap, floor = (bound.limit, None) if bound.sign < 0 else (None, bound.limit)
    return AdditiveLaw(built, 1.0, cap, floor, bound.term.fixed)


def _strength(law: AdditiveLaw, wish: Wish, objective: Term) -> float:
    if wish.strength is not None:
        return wish.strength * objective.slope
    for share in (SHARPNESS, SHARPNESS / 4, SHARPNESS / 16):  # less where many rows share the top score
        with suppress(InvalidOption):
            return strength_for_kl(law, share * law.log_count)
    return 0.0


def _best(
    parts: Configurations,
    scores: Sequence[Float[Tensor, " _"]],
    bounds: Sequence[Bound],
    wish: Wish,
    properties: Properties,
) -> ExactAdditive | None:
    """The source that accepts most of its proposals, over which bound is built in and how strong the pulls are."""
    best, most, seen = None, 0.0, list[Tensor]()
    for at, limit in enumerate(bounds or [None]):
        others = [*bounds[:at], *bounds[at + 1 :]]
        pulls = torch.zeros(len(others), dtype=torch.float64)
        for _ in range(ROUNDS if others else 1):
            source = _pulled(parts, scores, limit, others, pulls.tolist(), wish, properties)
            rows = source.law.draw(TRIAL, torch.Generator().manual_seed(0))
            accepted = float(source.judge(rows)[1].mean())
            best, most = (source, accepted) if accepted > most else (best, most)
            if most >= ENOUGH:
                return best
            seen.append(rows)
            if others:  # Newton's step to proposals that lie at the bounds in the mean
                room = torch.stack([bound.room(rows) for bound in others])
                spread = torch.cov(room).view(len(others), -1)
                pulls = (pulls - torch.linalg.pinv(spread) @ room.mean(1)).clamp(min=0)
    if best is None and len(wish.given) == 1:
        raise unreachable(wish, properties, torch.cat(seen), sure=False)
    if best is None:
        _require_pairs(bounds, properties, parts)
    return best if most >= LEAST or len(wish.given) == 1 else None


def _pulled(
    parts: Configurations,
    scores: Sequence[Float[Tensor, " _"]],
    limit: Bound | None,
    others: Sequence[Bound],
    pulls: Sequence[float],
    wish: Wish,
    properties: Properties,
) -> ExactAdditive:
    pulled = list(scores)
    for bound, pull in zip(others, pulls, strict=True):
        pulled = [one + pull * bound.sign * table for one, table in zip(pulled, bound.term.tables, strict=True)]
    return ExactAdditive(_law(parts, pulled, limit), tuple(zip(others, pulls, strict=True)), wish, properties)


def _require_each(bounds: Sequence[Bound], properties: Properties, parts: Configurations) -> None:
    """Raise `InvalidOption` where nothing keeps a bound."""
    for bound in bounds:
        row = torch.empty(1, len(properties.layout), dtype=torch.int64)
        for (slots, configurations), table in zip(parts, bound.term.tables, strict=True):
            row[0, list(slots)] = configurations[(bound.sign * table).argmax()]
        if float(bound.room(row)) < 0:
            nearest = float(properties.evaluate(bound.condition.name, row)[0])
            raise refusal(bound.condition, nearest, (), sure=True)


def _require_pairs(bounds: Sequence[Bound], properties: Properties, parts: Configurations) -> None:
    """Raise `InvalidOption` where nothing is found that keeps two bounds, be the law ever so strong."""
    for beside, bound in itertools.combinations(bounds, 2):
        aim = [bound.sign * table for table in bound.term.tables]
        width = float(sum(table.max() - table.min() for table in aim)) or 1.0
        law = _law(parts, [STRONG / width * table for table in aim], beside)
        rows = law.draw(TRIAL, torch.Generator().manual_seed(0))
        rows = rows[properties.kept((beside.condition,), rows)]
        value = properties.evaluate(bound.condition.name, rows)[0]
        if len(rows) and not bool(torch.from_numpy(bound.condition.holds(value.numpy())).any()):
            nearest = float(value.max() if bound.sign > 0 else value.min())
            raise refusal(bound.condition, nearest, (beside.condition,), sure=False)
