"""One panel of the front: two objectives, a marker a trial, as SVG that the page's script makes answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from bo.records import Objective, Trial
from bo.report_data import ReportData
from bo.report_html import Html, element, heading, number
from bo.report_plots import ORIGINS, OTHER, limits
from bo.standing import Front

WIDTH, HEIGHT = 460.0, 340.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 14.0, 12.0, 34.0
SHAPES = {
    "o": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "s": "M-4-4h8v8h-8z",
    "^": "M0-5L4.8 3.8h-9.6z",
    "v": "M0 5L4.8-3.8h-9.6z",
    "D": "M0-5.4L5.4 0L0 5.4L-5.4 0z",
    "*": "M0-7L1.7-2.2 6.7-2.2 2.7.8 4.1 5.7 0 2.7-4.1 5.7-2.7.8-6.7-2.2-1.7-2.2z",
    "P": "M-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",
}
"""The markers of the other figures, as paths about the origin."""


@dataclass(frozen=True)
class _Axis:
    """From values to pixels: values beyond the limits stand on the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        low, high, at = (self._turn(one) for one in (self.low, self.high, min(max(value, self.low), self.high)))
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        locator = LogLocator(subs=(1.0, 2.0, 5.0)) if self.log else MaxNLocator(5)
        found = [float(tick) for tick in locator.tick_values(self.low, self.high)]
        kept = [tick for tick in found if self.low <= tick <= self.high]
        return kept[:: max(1, math.ceil(len(kept) / 7))]

    def _turn(self, value: float) -> float:
        return math.log10(value) if self.log else value


def panel(data: ReportData, front: Front, y: Objective, x: Objective) -> Html:
    """All evaluated trials by two objectives, those on the front on top and in rings."""
    numbers = {trial.number for trial in front.trials}
    trials = sorted(data.history.done, key=lambda trial: (trial.number in numbers, -trial.number))
    across = _axis(trials, x, _LEFT, WIDTH - _RIGHT)
    up = _axis(trials, y, HEIGHT - _BOTTOM, _TOP)
    line = [_staircase(front, x, y, across, up)] if len(data.history.objectives) == 2 else []
    places = [(across(trial.metrics[x.metric]), up(trial.metrics[y.metric])) for trial in trials]
    markers = [_marker(data, trial, trial.number in numbers, *at) for trial, at in zip(trials, places, strict=True)]
    label = f"{heading(y.metric)} over {heading(x.metric)}, {len(trials)} architectures, {len(numbers)} on the front"
    svg = element("svg", _frame(across, up, heading(x.metric)), *line, *markers, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
                  role="img", aria_label=label)  # fmt: skip
    better = f"better: {'up' if y.maximize else 'down'} and {'right' if x.maximize else 'left'}"
    tip = element("div", class_="tip", hidden="hidden")
    return element("figure", element("h3", heading(y.metric)), element("div", svg, tip, class_="panel"),
                   element("figcaption", f"{y.metric} over {x.metric}; {better}."))  # fmt: skip


def _axis(trials: list[Trial], objective: Objective, start: float, end: float) -> _Axis:
    values = np.array([trial.metrics[objective.metric] for trial in trials], dtype=float)
    low, high = limits(values, objective.maximize)
    if not objective.maximize and low > 0 and high > 30 * low:
        return _Axis(low / 1.15, high * 1.15, start, end, True)
    margin = 0.07 * (high - low) or 0.05 * abs(high) or 1.0
    return _Axis(low - margin, high + margin, start, end, False)


def _frame(across: _Axis, up: _Axis, title: str) -> Html:
    """Grid, ticks and the title of the horizontal axis."""
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = [_line(f"M{across(tick):.1f} {_TOP:g}V{bottom:g}") for tick in across.ticks()]
    parts += [_line(f"M{_LEFT:g} {up(tick):.1f}H{right:g}") for tick in up.ticks()]
    parts += [_text(number(tick), across(tick), bottom + 15, "middle") for tick in across.ticks()]
    parts += [_text(number(tick), _LEFT - 7, up(tick) + 4, "end") for tick in up.ticks()]
    parts.append(_text(title, (_LEFT + right) / 2, HEIGHT - 3, "middle"))
    return element("g", *parts, class_="axes")


def _text(text: str, x: float, y: float, anchor: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _line(path: str) -> Html:
    return element("path", d=path)


def _staircase(front: Front, x: Objective, y: Objective, across: _Axis, up: _Axis) -> Html:
    """The border of what the front dominates."""
    steps = [(across(trial.metrics[x.metric]), up(trial.metrics[y.metric]))
             for trial in sorted(front.trials, key=lambda trial: -x.gain(trial.metrics))]  # fmt: skip
    path = "".join(
        f"M{at:.1f} {height:.1f}" if not k else f"H{at:.1f}V{height:.1f}" for k, (at, height) in enumerate(steps)
    )
    return element("path", d=path, class_="stairs")


def _marker(data: ReportData, trial: Trial, best: bool, at: float, height: float) -> Html:
    shape, _, colour = ORIGINS.get(trial.proposal.origin, OTHER)
    kind = "best" if best else "out" if trial.number in data.infeasible else "in"
    ring = [element("circle", r="8.5", class_="ring")] if best else []
    return element("g", element("circle", r="11", class_="hit"), *ring, element("path", d=SHAPES[shape]),
                   class_=f"point {kind}", style=f"color:var(--{colour})", data_trial=str(trial.number),
                   transform=f"translate({at:.1f} {height:.1f})")  # fmt: skip
