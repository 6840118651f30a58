"""The curves of a report: objective, regret and hypervolume over the queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bo.records import Trial
from bo.report_html import Html
from bo.report_plots import ACCENT, BAD, MUTED, THEMED, axes_of, dots, frame, level_line, svg_of, use_log
from bo.report_random import RandomBand


def progress(
    trials: Sequence[Trial],
    values: np.ndarray,
    best: np.ndarray,
    levels: dict[str, float],
    up: bool,
    hollow: Collection[int] = frozenset(),
    band: RandomBand | None = None,
) -> Html:
    """Each query's value and the best so far, over the queries.

    Args:
        trials: those that have ended, in their order.
        values: their objective, NaN for those that were not evaluated.
        best: the best value after each, NaN before the first.
        levels: named values to draw as lines, the first one a bound that no query should pass.
        up: whether more is better.
        hollow: the numbers of the trials that break a constraint.
        band: what random search would have found.
    """
    figure, axes = axes_of()
    x = np.arange(1, len(trials) + 1)
    shown = np.concatenate([values[np.isfinite(values)], np.array([*levels.values()])])
    low, high = frame(axes, shown, up)
    for place, (name, level) in enumerate(levels.items()):
        level_line(axes, name, level, above=up == (place == 0))
    if band is not None:
        _shade(axes, band.queries, *(np.clip(part, low, high) for part in (band.worse, band.median, band.better)))
    dots(axes, trials, x, np.clip(values, low, high), hollow=hollow)
    axes.step(x, best, where="post", color=ACCENT, linewidth=2.2, zorder=3)
    failed = x[[trial.status == "failed" for trial in trials]]
    axes.plot(failed, np.zeros(len(failed)), "x", color=BAD, transform=axes.get_xaxis_transform(), markersize=6,
              clip_on=False, zorder=4)  # fmt: skip
    axes.set_xlabel("queries")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return svg_of(figure, "Objective of each query and the best so far, over the queries", THEMED)


def regret(
    trials: Sequence[Trial],
    values: np.ndarray,
    best: np.ndarray,
    hollow: Collection[int] = frozenset(),
    band: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> Html:
    """Distance from the best known value on a log scale, of each query and of the best so far; 0 has its own line.

    Args:
        trials: those that have ended, in their order.
        values: their regret, NaN for those that were not evaluated; at least one is positive.
        best: the regret of the best so far.
        hollow: the numbers of the trials that break a constraint.
        band: queries, and the regret of random search after them: a bad outcome, the median, a good one.
    """
    figure, axes = axes_of()
    x, positive = np.arange(1, len(trials) + 1), values[values > 0]
    floor = float(positive.min()) / 2.5
    use_log(axes, "y", positive)
    axes.set_ylim(floor / 1.4, float(positive.max()) * 1.5)
    if (values <= 0).any():
        axes.set_ylim(floor / 2.2)
        level_line(axes, "0: as good as the best known", floor, above=False)
    if band is not None:
        _shade(axes, band[0], *(np.maximum(part, floor) for part in band[1:]))
    dots(axes, trials, x, np.maximum(values, floor), hollow=hollow)
    axes.step(x, np.maximum(best, floor), where="post", color=ACCENT, linewidth=2.2, zorder=3)
    axes.set_xlabel("queries")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return svg_of(figure, "Regret of each query and of the best so far, over the queries, log scale", THEMED)


def volume(values: np.ndarray) -> Html:
    """The hypervolume after each query."""
    figure, axes = axes_of()
    axes.step(np.arange(1, len(values) + 1), values, where="post", color=ACCENT, linewidth=2.2, zorder=3)
    axes.set_ylim(0, 1.08 * float(values.max()) or 1.0)
    axes.set_xlabel("queries")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return svg_of(figure, "Hypervolume of the front over the queries", THEMED)


def _shade(axes: Axes, queries: np.ndarray, worse: np.ndarray, median: np.ndarray, better: np.ndarray) -> None:
    axes.fill_between(queries, worse, better, color=MUTED, alpha=0.18, linewidth=0, zorder=0)
    axes.plot(queries, median, color=MUTED, linewidth=1.3, linestyle=(0, (1, 1.6)), zorder=1)
