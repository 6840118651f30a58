"""Condition: a bound that a user sets on a property, such as `params<=1.0` or `latency<=5ms`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from jaxtyping import Bool, Shaped

from graphs.errors import InvalidOption
from graphs.tables.table import UNITS

Operator = Literal["<=", ">="]
FORM = "expected a name, <= or >=, and a finite number, such as params<=1.0 or latency<=5ms"
PREFIXES = {"ms": {"us": 1e-3, "ms": 1.0, "s": 1e3}, "s": {"ms": 1e-3, "s": 1.0}, "M": {"K": 1e-3, "M": 1.0, "G": 1e3}}
"""For each unit of `UNITS`, what a user may write in its place, and how much of it that is."""
_NAME = r"[^\s<>=!]+"
_CONDITION = re.compile(rf"\s*(?P<name>{_NAME})?\s*(?P<operator>[<>=!]+)(?P<number>.*)", re.DOTALL)
_COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Condition:
    """A bound on a property, itself allowed.

    Args:
        name: the property; not empty, without spaces, `<`, `>`, `=` and `!`.
        operator: "<=" or ">=".
        value: the bound, finite, in the property's unit.

    Raises:
        InvalidOption: one of these that cannot be used.
    """

    name: str
    operator: Operator
    value: float

    def __post_init__(self) -> None:
        known = self.operator in _COMPARE
        if not known or not re.fullmatch(_NAME, self.name) or not math.isfinite(self.value):
            raise InvalidOption(f"condition {self.name!r} {self.operator} {self.value}: {FORM}")

    @property
    def text(self) -> str:
        """As `parse_condition` reads it, without loss: `params<=1`."""
        return f"{self.name}{self.operator}{repr(float(self.value)).removesuffix('.0')}"

    @overload
    def holds(self, value: float) -> bool: ...

    @overload
    def holds(self, value: Shaped[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]: ...

    def holds(self, value: float | Shaped[np.ndarray, "*shape"]) -> bool | Bool[np.ndarray, "*shape"]:
        """Whether `value`, or each number of an array, keeps the bound; NaN does not."""
        kept = _COMPARE[self.operator](value, self.value)
        return np.asarray(kept) if isinstance(value, np.ndarray) else bool(kept)

    def excess(self, value: float) -> float:
        """How far `value` is beyond the bound, relative to the bound where that is not 0; 0 where it keeps it."""
        if self.holds(value):
            return 0.0
        gap = abs(value - self.value) / (abs(self.value) or 1.0)
        return max(gap, 5e-324) if math.isfinite(gap) else math.inf


def parse_condition(text: str) -> Condition:
    """The condition that a user wrote, such as `params<=1.0`, `accuracy >= 94` or `latency<=5ms`.

    A unit may follow the number of a metric that is in `UNITS`: the metric's own, or another size of it.

    Raises:
        InvalidOption: another form, another comparison, another unit, or no finite number.
    """
    found = _CONDITION.fullmatch(text)
    if found is None or found["name"] is None:
        raise InvalidOption(f"condition {text!r}: {FORM}")
    name, sign, number = found["name"], found["operator"], found["number"].strip()
    if sign in ("<", ">"):
        raise InvalidOption(f"condition {text!r}: use {sign}= in place of {sign}; {FORM}")
    if sign not in _COMPARE:
        raise InvalidOption(f"condition {text!r}: {sign!r} is neither <= nor >=; {FORM}")
    number, scale = _unit(name, number)
    try:
        value = float(number) * scale
    except ValueError:
        raise InvalidOption(f"condition {text!r}: {number or 'nothing'} is not a number; {FORM}") from None
    if not math.isfinite(value):
        raise InvalidOption(f"condition {text!r}: {number} is not finite; {FORM}")
    return Condition(name, "<=" if sign == "<=" else ">=", value)


def contradictions(conditions: Iterable[Condition]) -> None:
    """Raise `InvalidOption`, naming the two, where no number can meet both of two conditions on one property."""
    lowest: dict[str, Condition] = {}
    highest: dict[str, Condition] = {}
    for condition in conditions:
        name, value = condition.name, condition.value
        if condition.operator == "<=" and (name not in highest or value < highest[name].value):
            highest[name] = condition
        if condition.operator == ">=" and (name not in lowest or value > lowest[name].value):
            lowest[name] = condition
    for name in highest:
        if name in lowest and lowest[name].value > highest[name].value:
            raise InvalidOption(
                f"no {name} meets both {highest[name].text} and {lowest[name].text}; drop or widen one of them"
            )


def _unit(name: str, number: str) -> tuple[str, float]:
    """A number without the unit behind it, and what to multiply it by; as it is where that is no unit of `name`."""
    own = UNITS.get(name)
    if own is None:
        return number, 1.0
    known = PREFIXES.get(own, {own: 1.0})
    found = re.fullmatch(r"(.*[\d.])\s*([A-Za-z%]+)", number)
    return (found[1], known[found[2]]) if found and found[2] in known else (number, 1.0)
