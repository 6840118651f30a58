"""The exact guided law of a score that adds up over a layout's parts, under a hard limit of one cost that does too.

p(row) proportional to exp(strength * sum of scores) over the rows whose cost keeps to the limit, in spaces far too
large to be listed. Dynamic programming over the parts: V_i[r], the log weight of all that parts i, i+1, ... can be with
r bins of cost left, is built from the last part to the first; rows are drawn from the first part to the last.

Costs are counted from each part's cheapest configuration and rounded up to bins, so no row ever breaks the limit. Where
they are whole numbers and the limit is no more than `bins` steps of their greatest common divisor above the cheapest
row, nothing is rounded. Else some rows within a bin a part of the limit are missing, and the law is the exact one given
that its row is not among them: its total variation to the exact one is the weight that they had, which grows with the
strength. `log_partition` with more bins tells it.

One limit at a time: two at once would take a table of two dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import brentq
from torch import Tensor

from archgen.diffusion.listed_law import CHUNK, Alias, alias_table, configurations
from graphs.errors import InvalidOption
from graphs.layout import Layout

BLOCK = 64
"""Rows of a table made at once, so that they stay in the cache."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some slots of a layout and all that they can be.

    Args:
        slots: which.
        configurations: the values that they take together.
        score: of each configuration, adds up over the parts; -inf forbids it.
        cost: of each configuration, adds up over the parts, in any unit.

    Raises:
        InvalidOption: not one score and cost a configuration, a score that is NaN or +inf or always -inf, or a cost
            that is not finite.
    """

    slots: tuple[int, ...]
    configurations: Int[Tensor, "c p"]
    score: Float[Tensor, " c"]
    cost: Float[Tensor, " c"]

    def __post_init__(self) -> None:
        shapes = [tuple(one.shape) for one in (self.configurations, self.score, self.cost)]
        count = len(self.configurations)
        if shapes != [(count, len(self.slots)), (count,), (count,)]:
            raise InvalidOption(f"part of slots {self.slots} has configurations, scores and costs of shapes {shapes}")
        if bool((self.score.isnan() | self.score.isposinf()).any()) or not bool((self.score > -torch.inf).any()):
            raise InvalidOption(f"part of slots {self.slots} has a score that is NaN or +inf, or none above -inf")
        if not bool(self.cost.isfinite().all()):
            raise InvalidOption(f"part of slots {self.slots} has a cost that is not finite")


def part_configurations(layout: Layout) -> list[tuple[tuple[int, ...], Int[Tensor, "_ _"]]]:
    """Of each of the layout's parts the slots and all that they can be; raises as `listed_law.configurations`."""
    return [(slots, configurations(layout, slots)) for slots in layout.parts]


@dataclass(frozen=True, eq=False)
class AdditiveLaw:
    """p(row) proportional to exp(strength * score) where cost <= cap, or where cost >= floor.

    Tables take 8 bytes times bins times the distinct bins of a part's costs, for each part after the first; they are
    built at the first draw.

    Args:
        parts: each slot of the layout is in one of them.
        strength: beta; negative prefers low scores.
        cap: what a row costs at most, if limited.
        floor: what a row costs at least, if limited.
        fixed_cost: what every row costs beside its parts.
        bins: steps that the range from the cheapest (for a floor: the dearest) row to the limit is cut into.

    Raises:
        InvalidOption: slots that are missing or in two parts, a strength that is not finite, less than one bin, both
            limits, or a limit that no row keeps to; the message names the nearest that one does.
    """

    parts: tuple[Part, ...]
    strength: float = 1.0
    cap: float | None = None
    floor: float | None = None
    fixed_cost: float = 0.0
    bins: int = 2048

    def __post_init__(self) -> None:
        slots = [slot for part in self.parts for slot in part.slots]
        if not slots or sorted(slots) != list(range(len(slots))):
            raise InvalidOption(f"the parts have slots {slots}; expected each of a row's slots once")
        if not math.isfinite(self.strength) or not math.isfinite(self.fixed_cost) or self.bins < 1:
            raise InvalidOption(
                f"strength {self.strength}, fixed cost {self.fixed_cost} and {self.bins} bins cannot be used; expected "
                "finite numbers and at least one bin"
            )
        if self.cap is not None and self.floor is not None:
            raise InvalidOption("a cap and a floor at once are not supported; state one and drop the rows beyond")
        low, high = self.cost_range
        if self.cap is not None and not self.cap >= low:
            raise InvalidOption(f"no row costs {self.cap} or less; the cheapest costs {low!r}")
        if self.floor is not None and not self.floor <= high:
            raise InvalidOption(f"no row costs {self.floor} or more; the dearest costs {high!r}")

    @cached_property
    def cost_range(self) -> tuple[float, float]:
        """What the cheapest and the dearest row cost."""
        costs = [part.cost.double()[part.score > -torch.inf] for part in self.parts]
        low, high = (sum(float(edge(one)) for one in costs) for edge in (torch.min, torch.max))
        return self.fixed_cost + low, self.fixed_cost + high

    def draw(self, count: int, rng: torch.Generator) -> Int[Tensor, "count s"]:
        """`count` independent rows."""
        rows = torch.empty(count, self._width, dtype=torch.int64)
        for done in range(0, count, CHUNK):
            self._fill(rows[done : done + CHUNK], rng)
        return rows

    def _fill(self, rows: Int[Tensor, "count s"], rng: torch.Generator) -> None:
        """For each part in turn first its cost, given what is left, then one of its configurations of that cost."""
        budget, stages = self._plan
        count = len(rows)
        left = torch.full((count,), budget)
        for part, stage, (ladder, alias) in zip(self.parts, stages, self._tables, strict=True):
            level = None
            if len(stage.level) > 1:
                row = left - (budget + 1 - len(ladder))
                mark = torch.rand(count, generator=rng, dtype=torch.float64)
                mark = row + mark.clamp_(max=1 - 2 * torch.finfo(mark.dtype).eps * len(ladder))
                level = torch.searchsorted(ladder.view(-1), mark, right=True) - row * len(stage.level)
                left -= stage.level.index_select(0, level)
            chosen = stage.values.index_select(0, alias.draw(count, level, rng))
            for slot, value in zip(part.slots, chosen.T, strict=True):
                rows[:, slot] = value

    @property
    def log_partition(self) -> float:
        """The logarithm of the sum of exp(strength * score) over all rows within the limit."""
        return float(self._log_weight[0][-1])

    @cached_property
    def log_count(self) -> float:
        """The natural logarithm of the number of rows within the limit."""
        return replace(self, strength=0.0).log_partition

    def mean(self, values: Sequence[Float[Tensor, " _"]]) -> float:
        """E of anything that adds up over the parts, stated for each configuration of each part."""
        budget, stages = self._plan
        after = torch.zeros(budget + 1, dtype=torch.float64)
        for i, stage in reversed(list(enumerate(stages))):
            own = stage.by_level(stage.shares(self.strength) * values[i].double()[stage.order])
            joint, rest = self._joint(i), stage.windows(after, 0.0, i == 0)
            after = torch.cat([p @ own[: p.shape[1]] + (p * e).sum(1) for p, e in zip(joint, rest, strict=True)])
        return float(after[-1])

    @cached_property
    def mean_score(self) -> float:
        """E[score]."""
        return self.mean([part.score for part in self.parts])

    @cached_property
    def kl(self) -> float:
        """The KL divergence in nats to the uniform law on the rows within the limit."""
        return self.strength * self.mean_score - (self.log_partition - self.log_count)

    def argmax(self) -> Int[Tensor, " s"]:
        """The row of the highest score within the limit, which is not rounded here, whatever the strength.

        Part by part, only rows that no cheaper one equals in score are kept (Nemhauser and Ullmann 1969).
        """
        budget, spent, _ = self._spent
        cost = score = torch.zeros(1, dtype=torch.float64)
        numbers = torch.empty(1, 0, dtype=torch.int64)
        for part, one in zip(self.parts, spent, strict=True):
            gain = part.score.double()
            own = _front(one, gain, budget)
            cost, score = (cost[:, None] + one[own]).flatten(), (score[:, None] + gain[own]).flatten()
            best = _front(cost, score, budget)
            cost, score = cost[best], score[best]
            numbers = torch.cat([numbers[best // len(own)], own[best % len(own), None]], 1)
        row = torch.empty(self._width, dtype=torch.int64)
        for part, number in zip(self.parts, numbers[-1].tolist(), strict=True):
            row[list(part.slots)] = part.configurations[number]
        return row

    @property
    def _width(self) -> int:
        return sum(len(part.slots) for part in self.parts)

    @cached_property
    def _spent(self) -> tuple[float, list[Float[Tensor, " _"]], bool]:
        """How far a row may lie above the cheapest or below the dearest; how far each configuration does; is it exact.

        Forbidden configurations lie infinitely far. What is not exact is made larger by more than its rounding.
        """
        low, high = self.cost_range
        kept = [part.score > -torch.inf for part in self.parts]
        costs = [part.cost.double() if self.floor is None else -part.cost.double() for part in self.parts]
        spent = [(cost - cost[some].min()).where(some, torch.inf) for cost, some in zip(costs, kept, strict=True)]
        if (self.cap is None or self.cap >= high) and (self.floor is None or self.floor <= low):
            return 0.0, [torch.where(some, 0.0, torch.inf).double() for some in kept], True
        every = torch.cat([torch.tensor([self.fixed_cost], dtype=torch.float64), *costs])
        scale = float(every.abs().max()) * len(costs)
        exact = bool((every == every.round()).all()) and scale < 2**53
        cap, floor = self.cap, self.floor
        if exact:  # a limit between whole numbers would be rounded with the difference
            cap, floor = None if cap is None else math.floor(cap), None if floor is None else math.ceil(floor)
        budget = float(high - floor if floor is not None else (high if cap is None else cap) - low)
        slack = 0.0 if exact else 16 * torch.finfo(torch.float64).eps * scale
        return budget, [torch.where(one > 0, one + slack, one) for one in spent], exact

    @cached_property
    def _plan(self) -> tuple[int, list[_Stage]]:
        """The budget in bins, and the parts in bins."""
        budget, spent, exact = self._spent
        steps, width = (self.bins, budget / self.bins) if budget > 0 else (0, 1.0)
        if exact:
            every = torch.cat(spent)
            unit = max(1, int(np.gcd.reduce(every[every < torch.inf].long().numpy())))
            if budget // unit <= self.bins:
                steps, width = int(budget // unit), float(unit)
        binned = [(one / width).ceil().clamp(max=steps + 1).long() for one in spent]
        return steps, [_stage(part, one, steps) for part, one in zip(self.parts, binned, strict=True)]

    @cached_property
    def _log_weight(self) -> list[Float[Tensor, " _"]]:
        """V: of parts i, i+1, ... for each number of bins left; of all parts for the whole budget alone; of no part."""
        budget, stages = self._plan
        tables = [torch.zeros(budget + 1, dtype=torch.float64)]
        for i, stage in reversed(list(enumerate(stages))):
            weight = stage.weights(self.strength)
            windows = stage.windows(tables[0], -torch.inf, i == 0)
            tables.insert(0, torch.cat([one.add_(weight[: one.shape[1]]).logsumexp(1) for one in windows]))
        return tables

    def _joint(self, i: int) -> Iterator[Float[Tensor, "r u"]]:
        """The law of the level of part i for each number of bins left, in blocks."""
        stage = self._plan[1][i]
        weight = stage.weights(self.strength)
        for window in stage.windows(self._log_weight[i + 1], -torch.inf, i == 0):
            yield window.add_(weight[: window.shape[1]]).softmax(1)

    @cached_property
    def _tables(self) -> list[tuple[Float[Tensor, "_ _"], Alias]]:
        """What draws a part: the running sums of `_joint`, row r from r to r + 1, and a table for within a level."""
        budget, stages = self._plan
        tables = []
        for i, stage in enumerate(stages):
            ladder = torch.ones(1 if i == 0 else budget + 1, len(stage.level), dtype=torch.float64)
            for block, p in enumerate(self._joint(i)):
                running = p.cumsum(1)
                ladder[block * BLOCK :][: len(p), : p.shape[1]] = running / running[:, -1:]
            ladder += torch.arange(len(ladder))[:, None]
            bounds = torch.searchsorted(stage.of, torch.arange(len(stage.level) + 1))
            tables.append((ladder, alias_table(stage.shares(self.strength), bounds)))
        return tables


@dataclass(frozen=True, eq=False)
class _Stage:
    """The usable configurations of a part, from cheap to dear.

    Args:
        order: their numbers.
        values: they themselves.
        score: their scores.
        level: the distinct costs in bins.
        of: which of these each has.
    """

    order: Int[Tensor, " c"]
    values: Int[Tensor, "c p"]
    score: Float[Tensor, " c"]
    level: Int[Tensor, " u"]
    of: Int[Tensor, " c"]

    def by_level(self, one: Float[Tensor, " c"]) -> Float[Tensor, " u"]:
        """Sums."""
        return one.new_zeros(len(self.level)).index_add_(0, self.of, one)

    def weights(self, strength: float) -> Float[Tensor, " u"]:
        """The log weight of each level."""
        top, tilt = self._tilt(strength)
        return self.by_level(tilt).log() + top

    def shares(self, strength: float) -> Float[Tensor, " c"]:
        """What each configuration has of its level's weight."""
        tilt = self._tilt(strength)[1]
        return tilt / self.by_level(tilt)[self.of]

    def _tilt(self, strength: float) -> tuple[Float[Tensor, " u"], Float[Tensor, " c"]]:
        """The highest log weight in each level, and each weight as a share of the highest in its level."""
        score = strength * self.score
        top = score.new_empty(len(self.level)).scatter_reduce_(0, self.of, score, "amax", include_self=False)
        return top, (score - top[self.of]).exp()

    def windows(self, after: Float[Tensor, " r"], fill: float, whole: bool) -> Iterator[Float[Tensor, "b u"]]:
        """after[r - level] for each r and each level up to the block's, `fill` below 0, in blocks of rows.

        Args:
            after: by bins left.
            whole: the last r alone.
        """
        budget = len(after) - 1
        every = torch.cat([after.new_full((budget,), fill), after]).unfold(0, budget + 1, 1)
        for low in range(budget if whole else 0, budget + 1, BLOCK):
            reach = self.level[self.level < low + BLOCK]
            yield every[low : low + BLOCK].index_select(1, budget - reach)


def _stage(part: Part, spent: Int[Tensor, " c"], budget: int) -> _Stage:
    """A part in bins, without what costs more than the budget."""
    spent, order = spent.sort(stable=True)
    order = order[: int((spent <= budget).sum())]
    spent = spent[: len(order)]
    new = spent.diff(prepend=spent[:1] - 1) > 0
    return _Stage(order, part.configurations[order], part.score.double()[order], spent[new], new.cumsum(0) - 1)


def _front(cost: Float[Tensor, " m"], score: Float[Tensor, " m"], budget: float) -> Int[Tensor, " front"]:
    """The places that nothing as cheap equals in score, from cheap to dear and so from a low score to the highest."""
    kept = (cost <= budget).nonzero()[:, 0]
    kept = kept[score[kept].argsort(descending=True, stable=True)]
    kept = kept[cost[kept].argsort(stable=True)]
    top = score[kept].cummax(0).values
    return kept[top.diff(prepend=top.new_full((1,), -torch.inf)) > 0]


def strength_for_kl(law: AdditiveLaw, target: float) -> float:
    """The strength at which the law's divergence `AdditiveLaw.kl` is `target` nats, by bracketing and Brent's method.

    Raises:
        InvalidOption: a target below 0, or above what the law tends to.
    """

    def excess(strength: float) -> float:
        other = replace(law, strength=strength)
        return strength * other.mean_score - (other.log_partition - law.log_count) - target

    if target == 0:
        return 0.0
    variance = sum(float(part.score[part.score > -torch.inf].double().var(correction=0)) for part in law.parts)
    if 0 < target < law.log_count and variance > 0:
        low, high = 0.0, math.sqrt(2 * target / variance)
        for _ in range(40):
            if excess(high) >= 0:
                return float(brentq(excess, low, high, rtol=1e-8))
            low, high = high, 2 * high
    raise InvalidOption(
        f"no strength has a divergence of {target} nats; expected 0 to less than the log of the number of rows, "
        f"{law.log_count:.6g}, and of how many of them share the top score"
    )
