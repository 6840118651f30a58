"""Source: draws rows for a wish; the parts that all of them share, and the error for bounds that nothing keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from archgen.diffusion.generator import CHUNK, DiffusionGenerator
from archgen.wishes import Properties, Wish
from graphs.condition import Condition
from graphs.errors import InvalidOption

SHARPNESS = 0.6
"""Share of the law's entropy that an exact source gives up for a property, unless a strength is given."""
TRIAL = 2048
"""Rows of an additive law that tell how much of it is of use."""
TRIES = 50
"""Batches in a row without a row that keeps the bounds after which a draw is given up."""
LEAST = 256
"""Rows of a batch at least."""


@runtime_checkable
class Source(Protocol):
    """Draws rows for one wish."""

    @property
    def how(self) -> str:
        """For people."""

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        """`count` rows that keep all bounds, and the share of the draws that did before they were checked.

        Raises:
            InvalidOption: no row was found that does.
        """


@dataclass(frozen=True)
class Unguided:
    """Draws from the generator itself."""

    generator: DiffusionGenerator
    how: str = "unguided"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        seed = int(torch.randint(2**62, (1,), generator=rng))
        return torch.cat(list(self.generator.stream(count, seed))), 1.0


def draw_until(
    count: int,
    wish: Wish,
    properties: Properties,
    draw: Callable[[int], Int[Tensor, "b s"]],
    judge: Callable[[Int[Tensor, "b s"]], tuple[Bool[Tensor, " b"], Bool[Tensor, " b"]]],
) -> tuple[Int[Tensor, "b s"], float]:
    """`count` rows that are accepted, and the share of those drawn that kept all bounds.

    Args:
        draw: as many rows as it is asked for.
        judge: which of some rows keep all bounds, and which are accepted.

    Raises:
        InvalidOption: `TRIES` batches in a row brought none that was accepted.
    """
    found, missed = list[Tensor](), list[Tensor]()
    have, drawn, good = 0, 0, 0
    while have < count:
        rate = max(have, 1) / max(drawn, 1)
        rows = draw(min(CHUNK, max(LEAST, round(1.1 * (count - have) / rate))) if drawn else count)
        kept, accepted = judge(rows)
        drawn, good = drawn + len(rows), good + int(kept.sum())
        missed = [] if bool(kept.any()) else [*missed, rows]
        if len(missed) >= TRIES:
            raise unreachable(wish, properties, torch.cat(missed), sure=False)
        found.append(rows[accepted][: count - have])
        have += len(found[-1])
    return torch.cat(found), good / drawn


def unreachable(wish: Wish, properties: Properties, rows: Int[Tensor, "b s"], sure: bool) -> InvalidOption:
    """The error for bounds that none of `rows` keeps: the first one that the others leave no room for.

    Args:
        sure: whether `rows` hold whatever comes nearest to the bounds; else they are draws.
    """
    kept: tuple[Condition, ...] = ()
    for condition in wish.given:
        value = properties.evaluate(condition.name, rows)[0]
        good = torch.from_numpy(condition.holds(value.numpy()))
        if not bool(good.any()):
            nearest = float(value.min() if condition.operator == "<=" else value.max())
            return refusal(condition, nearest, kept, sure)
        rows, kept = rows[good], (*kept, condition)
    raise AssertionError("some of the rows keep all bounds")


def refusal(condition: Condition, nearest: float, beside: Sequence[Condition], sure: bool) -> InvalidOption:
    """The error for a bound that nothing keeps; `nearest` is the nearest value of what keeps those `beside`."""
    who, where = ("no architecture", "that can be reached") if sure else ("no architecture was found that", "found")
    others = f" together with {', '.join(one.text for one in beside)}" if beside else ""
    for digits in range(6, 18):  # as few as make a bound that can be kept
        text = f"{nearest:.{digits}g}"
        if replace(condition, value=float(text)).holds(nearest):
            break
    return InvalidOption(f"{who} has {condition.text}{others}; the nearest {where} is {condition.name} {text}")
