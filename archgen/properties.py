"""Properties of an architecture that are computed rather than predicted, and the conditions that users set on them."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from jaxtyping import Bool, Shaped

from gnn_search.benchmark_settings import BENCHMARK_SETTINGS
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, unknown_name
from graphs.space import SearchSpace
from graphs.spaces.catalogue import SPACES
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nas_bench_graph_costs import parameter_count
from graphs.tables.catalogue import tasks_of

Cost = Callable[[ArchGraph], float]
Operator = Literal["<=", ">="]
DEFAULT_TASK = "cora"
"""Whose sizes the networks of nas-bench-graph have where no task is named."""
FORM = "expected a name, <= or >=, and a finite number, such as params<=1.0"
_NAME = r"[^\s<>=!]+"
_CONDITION = re.compile(rf"\s*(?P<name>{_NAME})?\s*(?P<operator>[<>=!]+)(?P<number>.*)", re.DOTALL)
_COMPARE = {"<=": operator.le, ">=": operator.ge}


def known_costs(space: SearchSpace, task: str | None) -> dict[str, Cost]:
    """The costs that follow from a graph of `space` exactly, by name, in the units of `graphs.tables.table.UNITS`.

    Those of `space.costs`; for nas-bench-graph "params" of the network that the benchmark trains on `task`, and on
    "cora" where `task` is None.

    Args:
        space: the search space.
        task: what the architectures are for, or None. Only nas-bench-graph's costs depend on it.

    Raises:
        UnknownName: the benchmark of `space` knows no such task. A space without one takes any.
    """
    tasks = _tasks_of(space)
    if task is not None and tasks and task not in tasks:
        raise unknown_name(f"task of {space.name}", task, tasks)
    names = space.costs(space.sample(np.random.default_rng(0)))
    costs = {name: _cost_called(name, space) for name in names}
    if isinstance(space, NasBenchGraph):
        costs["params"] = _parameters(task or DEFAULT_TASK)
    return costs


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


def parse_condition(text: str) -> Condition:
    """The condition that a user wrote, such as `params<=1.0` or `accuracy >= 94`.

    Raises:
        InvalidOption: another form, another comparison, or no finite number.
    """
    found = _CONDITION.fullmatch(text)
    if found is None or found["name"] is None:
        raise InvalidOption(f"condition {text!r}: {FORM}")
    name, sign, number = found["name"], found["operator"], found["number"].strip()
    if sign in ("<", ">"):
        raise InvalidOption(f"condition {text!r}: use {sign}= in place of {sign}; {FORM}")
    if sign not in _COMPARE:
        raise InvalidOption(f"condition {text!r}: {sign!r} is neither <= nor >=; {FORM}")
    try:
        value = float(number)
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


def _tasks_of(space: SearchSpace) -> tuple[str, ...]:
    """The tasks of the tables of `space`; none where it is a user's own."""
    return tasks_of(space.name) if space.name in SPACES else ()


def _cost_called(name: str, space: SearchSpace) -> Cost:
    return lambda graph: space.costs(graph)[name]


def _parameters(task: str) -> Cost:
    """Millions of parameters of the network that NAS-Bench-Graph trains on `task`."""
    if task not in BENCHMARK_SETTINGS:
        raise unknown_name("task", task, BENCHMARK_SETTINGS)
    setting = BENCHMARK_SETTINGS[task]

    def params(graph: ArchGraph) -> float:
        count = parameter_count(
            graph,
            in_features=setting.in_features,
            hidden=setting.hidden,
            classes=setting.classes,
            pre_layer=setting.pre_layer,
            post_layer=setting.post_layer,
        )
        return count / 1e6

    return params
