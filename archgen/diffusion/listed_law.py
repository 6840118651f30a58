"""Laws over a list of rows: every row of a space that can be listed, with a weight each; exact draws and exact tilting.

Where a space can be listed, the guided law p(x) exp(beta f(x)) needs no network: it is one weight a row. Draws are by
the alias method (Walker 1977), a table of which is built without a loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.errors import InvalidOption
from graphs.layout import Layout

LARGEST = 10_000_000
"""Rows that are listed at most."""
CHUNK = 1 << 16
"""Rows drawn at once, so that the steps of a draw stay in the cache."""


@dataclass(frozen=True, eq=False)
class ListedLaw:
    """p(row) proportional to exp(log_weight).

    Args:
        values: the rows, see `graphs.layout`.
        log_weight: one each, up to a constant; -inf forbids the row.

    Raises:
        InvalidOption: not one weight a row, a weight that is NaN or +inf, or no row allowed.
    """

    values: Int[Tensor, "m s"]
    log_weight: Float[Tensor, " m"]

    def __post_init__(self) -> None:
        _check("log_weight", self.log_weight, len(self.values))
        if not bool((self.log_weight > -torch.inf).any()):
            raise InvalidOption(f"none of the {len(self.values)} rows is allowed; forbid fewer, a law needs one")

    @cached_property
    def probability(self) -> Float[Tensor, " m"]:
        """p of each row, float64."""
        return self.log_weight.double().softmax(0)

    @cached_property
    def _alias(self) -> Alias:
        return alias_table(self.probability, torch.tensor([0, len(self.values)]))

    def draw_rows(self, count: int, rng: torch.Generator) -> Int[Tensor, " count"]:
        """The numbers of `count` independent draws."""
        sizes = [min(CHUNK, count - done) for done in range(0, count, CHUNK)]
        return torch.cat([torch.empty(0, dtype=torch.int64), *(self._alias.draw(size, None, rng) for size in sizes)])

    def draw(self, count: int, rng: torch.Generator) -> Int[Tensor, "count s"]:
        """`count` independent draws."""
        return self.values.index_select(0, self.draw_rows(count, rng))

    def mean(self, f: Float[Tensor, " m"]) -> float:
        """E[f]; rows without weight do not count, whatever f is there."""
        p = self.probability
        return float((p * f.double()).where(p > 0, 0.0).sum())

    def entropy(self) -> float:
        """In nats."""
        return float(torch.special.entr(self.probability).sum())

    def effective_size(self) -> float:
        """1 / sum p^2, the effective number of rows (inverse Simpson index)."""
        return 1 / float(self.probability.square().sum())


def tilted(
    law: ListedLaw, score: Float[Tensor, " m"], strength: float, allowed: Bool[Tensor, " m"] | None = None
) -> ListedLaw:
    """p(row) exp(strength * score) on the allowed rows.

    Args:
        score: f of each row; -inf forbids it, whatever the strength.
        strength: beta; negative prefers low scores.
        allowed: the rows that meet all conditions; all unless given.

    Raises:
        InvalidOption: not one score a row, a score that is NaN or +inf, a strength that is not finite, or no row left.
    """
    _check("score", score, len(law.values))
    if not math.isfinite(strength):
        raise InvalidOption(f"a strength of {strength} cannot be used; expected a finite number")
    f = score.double()
    kept = (f > -torch.inf) & (law.log_weight > -torch.inf)
    if allowed is not None:
        kept &= allowed
    if not bool(kept.any()):
        raise InvalidOption(f"none of the {len(kept)} rows is allowed; relax the conditions or the score's -inf")
    best = f[kept].max() if strength > 0 else f[kept].min()  # its tilt is 0, so large strengths cannot overflow
    return ListedLaw(law.values, (law.log_weight.double() + strength * (f - best)).where(kept, -torch.inf))


def strength_for_effective_size(law: ListedLaw, score: Float[Tensor, " m"], share: float) -> float:
    """The strength at which the tilted law's effective size is `share` of the law's own, by bisection.

    It is unique where the law is uniform; else some such strength. Where so many rows share the top score that no
    strength is enough, a large one; where no score differs from another, 0.

    Raises:
        InvalidOption: a share outside (0, 1], or as `tilted` does.
    """
    if not 0 < share <= 1:
        raise InvalidOption(f"a share of {share} of the effective size cannot be kept; expected a number in (0, 1]")
    tilted(law, score, 0.0)
    kept = (score > -torch.inf) & (law.log_weight > -torch.inf)
    f, base = score[kept].double(), law.log_weight[kept].double()
    gap = f.max() - f
    if not bool((gap > 0).any()):
        return 0.0
    wanted = share * law.effective_size()

    def too_weak(beta: float) -> bool:
        return 1 / float((base - beta * gap).softmax(0).square().sum()) > wanted

    if not too_weak(0.0):
        return 0.0
    enough = (40 + float(base.max() - base.min())) / float(gap[gap > 0].min())  # only the top score has weight
    low, high = 0.0, 1.0 / float(gap.max())
    while too_weak(high) and high < enough:
        low, high = high, 4 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if too_weak(middle) else (low, middle)
    return low


def all_rows(layout: Layout) -> Int[Tensor, "m s"]:
    """All valid rows of a layout, without building a graph.

    Raises:
        InvalidOption: there are more than `LARGEST`.
    """
    options = [configurations(layout, slots) for slots in layout.parts]
    count = math.prod(map(len, options))
    if count > LARGEST:
        raise _too_many(layout, range(len(layout)), count)
    rows = torch.empty(count, len(layout), dtype=torch.int64)
    every, period = torch.arange(count), count
    for slots, option in zip(layout.parts, options, strict=True):
        period //= len(option)
        rows[:, list(slots)] = option[every // period % len(option)]
    return rows


def configurations(layout: Layout, slots: Sequence[int]) -> Int[Tensor, "c p"]:
    """All values that `slots` take together in valid rows, in lexicographic order: each is filled with what is allowed.

    Raises:
        InvalidOption: there are more than `LARGEST`.
    """
    rows = layout.hidden[None]
    for slot in slots:
        blocks = [rows[low : low + CHUNK] for low in range(0, len(rows), CHUNK)]
        allowed = torch.cat([layout.allowed(block, slot) for block in blocks])
        if int(allowed.sum()) > LARGEST:
            raise _too_many(layout, slots, int(allowed.sum()))
        row, value = allowed.nonzero(as_tuple=True)
        rows = rows[row]
        rows[:, slot] = value
    return rows[:, list(slots)]


@dataclass(frozen=True, eq=False)
class Alias:
    """Draws from groups of neighbouring places, in each group by weights of its own, in constant time.

    Args:
        threshold: the share of a place's column that is its own; the rest goes to `other`.
        other: a place of the same group.
        first: the first place of each group.
        size: the number of its places.
    """

    threshold: Float[Tensor, " m"]
    other: Int[Tensor, " m"]
    first: Int[Tensor, " g"]
    size: Int[Tensor, " g"]

    def draw(self, count: int, group: Int[Tensor, " count"] | None, rng: torch.Generator) -> Int[Tensor, " count"]:
        """One place for each of `count` groups; all of them the first where none are given."""
        mark = torch.rand(count, generator=rng, dtype=torch.float64)
        mark *= int(self.size[0]) if group is None else self.size.index_select(0, group)
        place = mark.long()
        mark -= place
        if group is not None:
            place += self.first.index_select(0, group)
        own = mark < self.threshold.index_select(0, place)
        return torch.where(own, place, self.other.index_select(0, place))


def alias_table(p: Float[Tensor, " m"], bounds: Int[Tensor, " bounds"]) -> Alias:
    """The table of `Alias` for p, which sums to 1 in each group.

    A place of more than the mean weight has an excess, one of less a gap. With both kinds laid out in a row, gap i is
    filled by the place whose excess covers the point where gap i begins; where a place's excess ends inside a gap, its
    own column is filled up by the next. So two searches in two running sums give the whole table.

    Args:
        bounds: where each group begins, and the end.
    """
    first, size = bounds[:-1], bounds.diff()
    group = torch.repeat_interleave(torch.arange(len(size)), size)
    level = p.double() * size[group]
    rich = level >= 1
    heavy, light = rich.nonzero()[:, 0], (~rich).nonzero()[:, 0]
    threshold, other = level.clamp(max=1.0), torch.arange(len(p))
    heavies, lights = _running(rich, bounds), _running(~rich, bounds)  # how many of each stand before each bound
    excess = (level[heavy] - 1).cumsum(0)
    gap = torch.cat([excess.new_zeros(1), (1 - level[light]).cumsum(0)])

    low, high = heavies[group[light]], heavies[group[light] + 1]
    giver = torch.searchsorted(excess, gap[:-1].contiguous(), right=True)
    giver = torch.minimum(torch.maximum(giver, low), high - 1)
    some = high > low  # else all are 1 but for rounding, and keep their columns
    other[light[some]] = heavy[giver[some]]

    low, high = lights[group[heavy]], lights[group[heavy] + 1]
    end = torch.searchsorted(gap, excess)
    end = torch.minimum(torch.maximum(end, low), high)
    follows = torch.arange(len(heavy)) + 1 < heavies[group[heavy] + 1]
    threshold[heavy] = (1 + excess - gap[end]).clamp(0.0, 1.0)
    other[heavy[follows]] = heavy[follows.nonzero()[:, 0] + 1]
    return Alias(threshold, other, first, size)


def _running(chosen: Bool[Tensor, " m"], bounds: Int[Tensor, " bounds"]) -> Int[Tensor, " bounds"]:
    return torch.cat([torch.zeros(1, dtype=torch.int64), chosen.long().cumsum(0)])[bounds]


def _check(name: str, numbers: Float[Tensor, " any"], count: int) -> None:
    if len(numbers) != count:
        raise InvalidOption(f"{len(numbers)} values of {name} for {count} rows; expected one a row")
    wrong = (numbers.isnan() | numbers.isposinf()).nonzero()
    if len(wrong):
        place = int(wrong[0])
        raise InvalidOption(
            f"{name} of row {place} is {float(numbers[place])}; expected a number, or -inf to forbid the row"
        )


def _too_many(layout: Layout, slots: Sequence[int], count: int) -> InvalidOption:
    return InvalidOption(
        f"{len(slots)} slots of space {layout.space.name!r} have {count} configurations or more, at most {LARGEST} "
        "are listed; draw from the space instead"
    )
