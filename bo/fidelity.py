"""Ladder: candidates are measured cheaply first, and only the promising ones in full.

Source: successive halving (Jamieson & Talwalkar, AISTATS 2016), asynchronous as in ASHA (Li et al., MLSys 2020): a
candidate goes on as soon as it is among the best of what its rung has seen so far, and nobody waits for a whole rung.
Unlike there, who has been stopped stays so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from bo.records import History, Objective, Trial
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption

KEEP = 1 / 3
"""The share of a rung that goes on, unless told otherwise; the usual factor of three."""


@dataclass(frozen=True)
class Ladder:
    """Fidelities in rising order, such as epochs; the last one is the full measurement.

    Args:
        fidelities: at least two, all above 0.
        keep: the share that goes on from each.

    Raises:
        InvalidOption: other fidelities, or a share that is not between 0 and 1.
    """

    fidelities: tuple[float, ...]
    keep: float = KEEP

    def __post_init__(self) -> None:
        told = ", ".join(f"{one:g}" for one in self.fidelities)
        steps = [0.0, *self.fidelities, math.inf]
        if len(self.fidelities) < 2 or not all(low < high for low, high in pairwise(steps)):
            raise InvalidOption(f"fidelities {told}: expected at least two rising numbers above 0, such as 12,200")
        if not 0 < self.keep < 1:
            raise InvalidOption(f"keep {self.keep:g}: expected a share between 0 and 1, such as 0.33")

    def options(self) -> dict[str, str]:
        """As a campaign's configuration keeps it."""
        return {"fidelities": ",".join(f"{one!r}" for one in self.fidelities), "keep": repr(self.keep)}

    def climb(self, history: History, before: Trial, measured: Trial, fidelity: float) -> Trial:
        """What becomes of a candidate that was measured at `fidelity`.

        Args:
            history: all other trials.
            before: the candidate with what lower rungs have told of it.
            measured: the same as a trial that is done, with the metrics and the cost of this rung alone.

        Returns:
            The trial: done after the last rung, stopped where it is not promising, else pending and to be measured at
            the next fidelity. Metrics of a lower rung are called `metric@fidelity`.
        """
        costs = [one for one in (before.cost, measured.cost) if one is not None]
        cost = math.fsum(costs) if costs else None
        if fidelity == self.fidelities[-1]:
            return replace(measured, metrics={**before.metrics, **measured.metrics}, cost=cost)
        found = {rung_metric(name, fidelity): value for name, value in measured.metrics.items()}
        kept = replace(before, metrics={**before.metrics, **found}, cost=cost)
        return kept if self._promising(history, kept, fidelity) else replace(kept, status="stopped")

    def after(self, fidelity: float) -> float:
        """The next fidelity."""
        return self.fidelities[self.fidelities.index(fidelity) + 1]

    def _promising(self, history: History, trial: Trial, fidelity: float) -> bool:
        """Whether fewer than the share that goes on beat it, of all that were measured at this fidelity and itself."""
        mine = _rung_gains(history.objectives, trial.metrics, fidelity)
        others = [_rung_gains(history.objectives, one.metrics, fidelity) for one in history.ended]
        rows = np.array([one for one in others if one is not None], dtype=float).reshape(-1, len(history.objectives))
        if mine is None:
            return True
        beat = (rows >= mine).all(1) & (rows > mine).any(1)
        return bool(beat.sum() < self.keep * (len(rows) + 1))


def ladder_of(options: Mapping[str, Any]) -> Ladder | None:
    """The ladder that a campaign's configuration keeps; None where every candidate is measured in full."""
    if "fidelities" not in options:
        return None
    return Ladder(tuple(float(one) for one in str(options["fidelities"]).split(",")), float(options.get("keep", KEEP)))


def call(function: Callable[..., Any], graph: ArchGraph, fidelity: float | None) -> Any:
    """What an evaluator says of a graph, at a fidelity where one is asked for."""
    return function(graph) if fidelity is None else function(graph, fidelity=fidelity)


def rung_metric(name: str, fidelity: float) -> str:
    """The name under which a metric of a lower rung is kept."""
    return f"{name}@{fidelity:g}"


def _rung_gains(objectives: Sequence[Objective], metrics: Mapping[str, float], fidelity: float) -> list[float] | None:
    """The objectives of a rung, larger is better; None where the trial was not measured there."""
    values = [(one, metrics.get(rung_metric(one.metric, fidelity))) for one in objectives]
    if any(value is None or not math.isfinite(value) for _, value in values):
        return None
    return [value if one.maximize else -value for one, value in values if value is not None]


FEWEST_PAIRS = 5
"""Trials measured at both fidelities from which the full value of the others is guessed."""


def guessed(history: History, name: str) -> list[tuple[Trial, float]]:
    """Trials that were stopped, each with what the metric `name` would have been in full.

    A line through the trials that were measured at both fidelities, by least squares; none before there are
    `FEWEST_PAIRS` of those. Its slope is not below 0.
    """
    lines: dict[str, tuple[float, float] | None] = {}
    found = []
    for trial in history.stopped:
        rungs = [key for key in trial.metrics if key.startswith(f"{name}@")]
        if not rungs:
            continue
        rung = max(rungs, key=lambda key: float(key.rpartition("@")[2]))
        if rung not in lines:
            lines[rung] = _line([(t.metrics[rung], t.metrics[name]) for t in history.done if rung in t.metrics])
        line = lines[rung]
        if line is not None:
            found.append((trial, line[0] + line[1] * trial.metrics[rung]))
    return found


def _line(pairs: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Intercept and slope."""
    if len(pairs) < FEWEST_PAIRS:
        return None
    low, full = np.array(pairs).T
    spread = float(((low - low.mean()) ** 2).sum())
    slope = max(0.0, float(((low - low.mean()) * (full - full.mean())).sum()) / spread) if spread > 0 else 0.0
    return float(full.mean() - slope * low.mean()), slope
