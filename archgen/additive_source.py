"""The exact source of rows for a wish that adds up over a layout's parts, in spaces of any size.

The law p(x) exp(strength * f(x)) under one bound is drawn by dynamic programming. Further bounds are met by rejection,
which stays exact and quick where the proposal is pulled towards them: with d the distance by which a row keeps a bound,
rows are proposed from p(x) exp(strength * f(x) + pull * d(x)), those that break a bound are dropped, and of the others
each is accepted with probability exp(-pull * d(x)).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archgen.additive_reach import require_each, require_pairs
from archgen.additive_terms import Bound, Term, additive_law, additive_term
from archgen.diffusion.additive_law import AdditiveLaw, strength_for_kl
from archgen.row_costs import Configurations, small_parts
from archgen.sources import SHARPNESS, TRIAL, draw_until, unreachable
from archgen.wishes import Properties, Wish
from graphs.errors import InvalidOption

ROUNDS = 6
"""Trials, each with better pulls."""
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
    require_each(bounds, properties, parts)
    objective = None
    if wish.maximize is not None:
        drawn = seed if wish.by == "thompson" else None
        objective = additive_term(wish.maximize, parts, properties, drawn)
        if objective is None or (wish.by in ("upper", "lower") and wish.maximize in properties.predictors):
            return None
    if not uniform:
        return None
    scores = [torch.zeros(len(one), dtype=torch.float64) for _, one in parts] if objective is None else objective.tables
    strength = 0.0 if objective is None else _strength(parts, scores, bounds, wish, objective)
    return _best(parts, [strength * score for score in scores], bounds, wish, properties)


def _strength(
    parts: Configurations, scores: Sequence[Float[Tensor, " _"]], bounds: Sequence[Bound], wish: Wish, objective: Term
) -> float:
    """On the term's scale; where none is wished for, that which gives up a share of the entropy left by one bound."""
    if wish.strength is not None:
        return wish.strength * objective.slope
    limits: list[Bound | None] = [*bounds] or [None]
    law = min((additive_law(parts, scores, limit) for limit in limits), key=lambda one: one.log_count)
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
    limits: Sequence[Bound | None] = bounds or [None]
    ways = [(limit, [one for one in bounds if one is not limit]) for limit in limits]
    trials = [
        _try(_pulled(parts, scores, limit, others, [0.0] * len(others), wish, properties)) for limit, others in ways
    ]
    best = max(trials, key=lambda trial: trial.accepted)
    if not best.accepted and len(wish.given) == 1:
        raise unreachable(wish, properties, best.rows, sure=False)
    if not best.accepted:
        require_pairs(bounds, properties, parts)
    for (limit, others), trial in zip(ways, trials, strict=True):
        pulls = torch.zeros(len(others), dtype=torch.float64)
        for _ in range(ROUNDS if others else 0):
            if best.accepted >= ENOUGH:
                return best.source
            room = torch.stack([bound.room(trial.rows) for bound in others])
            spread = torch.cov(room).view(len(others), -1)  # Newton's step to proposals at the bounds in the mean
            pulls = (pulls - torch.linalg.pinv(spread) @ room.mean(1)).clamp(min=0)
            trial = _try(_pulled(parts, scores, limit, others, pulls.tolist(), wish, properties))
            best = max(best, trial, key=lambda trial: trial.accepted)
    return best.source if best.accepted >= LEAST or len(wish.given) == 1 else None


@dataclass(frozen=True, eq=False)
class _Trial:
    """Some proposals of a source, and the share that it would accept."""

    source: ExactAdditive
    rows: Int[Tensor, "b s"]
    accepted: float


def _try(source: ExactAdditive) -> _Trial:
    rows = source.law.draw(TRIAL, torch.Generator().manual_seed(0))
    return _Trial(source, rows, float(source.judge(rows)[1].mean()))


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
    return ExactAdditive(additive_law(parts, pulled, limit), tuple(zip(others, pulls, strict=True)), wish, properties)
