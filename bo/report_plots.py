"""The figures of a report, as inline SVG that takes its colours from the page and so has a dark scheme too.

Axis titles that hold a user's words stand in the page and not in the figure: text there wraps and needs no font.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bo.records import Trial
from bo.report_html import Html, element, escape, number
from bo.report_style import THEME
from graphs.archgraph import ArchGraph
from graphs.draw_plot import draw_plot

ORIGINS = {
    "initial": ("o", "●", "slate"),
    "random": ("s", "■", "blue"),
    "mutation": ("^", "▲", "violet"),
    "neighbour": ("D", "◆", "green"),
    "generator": ("*", "★", "orange"),
    "listed": ("v", "▼", "pink"),
}
"""For each origin of a proposal its marker, the same as a character, and its colour in `THEME`."""
OTHER = ("P", "✚", "ochre")
_INK, MUTED, _RULE, ACCENT, _CARD, BAD = (THEME[name][0] for name in ("ink", "muted", "rule", "accent", "card", "bad"))
THEMED = {light: f"var(--{name})" for name, (light, _) in THEME.items()}
_DRAWN = {"#243b53": "var(--ends)", "#829ab1": "var(--wire)"}  # the colours of draw_plot that a dark page would swallow
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")


def legend(origins: Iterable[str], others: Iterable[tuple[str, str, str]] = ()) -> Html:
    """What the markers mean: the `origins`, then `others` as character, colour of the theme and meaning."""
    entries = [(*ORIGINS.get(origin, OTHER)[1:], origin) for origin in in_order(origins)]
    items = (
        element("li", element("span", mark, style=f"color:var(--{colour})", aria_hidden="true"), " ", meaning)
        for mark, colour, meaning in [*entries, *others]
    )
    return element("ul", *items, class_="legend", aria_label="Legend")


def architecture(graph: ArchGraph, label: str, width: int, height: int) -> Html:
    """`graph` drawn on so many pixels; `label` is read out in its place."""
    figure = Figure(figsize=(width / 72, height / 72), facecolor="none")
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    draw_plot(graph, axes)
    return svg_of(figure, label, _DRAWN)


def predictions(trials: Sequence[Trial], mean: np.ndarray, std: np.ndarray, truth: np.ndarray) -> Html:
    """Truth over prediction with bars of one standard deviation; the diagonal is a perfect prediction."""
    figure, axes = axes_of(460, 400)
    everything = np.concatenate([mean, truth])
    spread = max(float(np.ptp(everything)), 1e-9 * abs(float(everything[0])), 1e-12)
    ends = (float(everything.min()) - 0.08 * spread, float(everything.max()) + 0.08 * spread)
    axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.errorbar(mean, truth, xerr=std, fmt="none", ecolor=MUTED, elinewidth=0.8, alpha=0.55, zorder=1)
    dots(axes, trials, mean, truth)
    axes.set(xlim=ends, ylim=ends, xlabel="predicted", ylabel="measured")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return svg_of(figure, "Measured over predicted objective, with bars of one standard deviation", THEMED)


def front(
    trials: Sequence[Trial], cost: np.ndarray, values: np.ndarray, best: np.ndarray, up: bool, title: str
) -> Html:
    """Objective over a cost, the Pareto front emphasised.

    Args:
        trials: the evaluated ones.
        cost: what each costs, less is better.
        values: their objective.
        best: whether each is on the front.
        up: whether more of the objective is better.
        title: the cost's name and unit.
    """
    figure, axes = axes_of()
    low, high = frame(axes, values, up)
    if cost.min() > 0 and cost.max() > 30 * cost.min():
        use_log(axes, "x", cost)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    dots(axes, trials, cost, np.clip(values, low, high), alpha=0.45)
    order = np.flatnonzero(best)[np.argsort(cost[best], kind="stable")]
    axes.step(cost[order], np.clip(values[order], low, high), where="post", color=ACCENT, linewidth=1.6, zorder=3)
    axes.plot(cost[order], np.clip(values[order], low, high), "o", markersize=10, markerfacecolor="none",
              markeredgecolor=ACCENT, markeredgewidth=2, zorder=4)  # fmt: skip
    axes.set_xlabel(title)
    return svg_of(
        figure, f"Objective over {title}; {len(order)} of {len(trials)} trials are on the Pareto front", THEMED
    )


def in_order(origins: Iterable[str]) -> list[str]:
    """The distinct `origins`, those of `ORIGINS` first."""
    found = set(origins)
    return [origin for origin in ORIGINS if origin in found] + sorted(found - set(ORIGINS))


def axes_of(width: int = 460, height: int = 310) -> tuple[Figure, Axes]:
    """A figure of so many pixels, wide enough for a phone's screen to show its letters."""
    figure = Figure(figsize=(width / 72, height / 72), facecolor="none", layout="constrained")
    axes = figure.add_subplot(facecolor="none")
    axes.grid(color=_RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_RULE)
    axes.tick_params(which="both", color=_RULE, labelcolor=MUTED, labelsize=12)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: number(y)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=MUTED, fontsize=12.5)
    return figure, axes


def use_log(axes: Axes, axis: Literal["x", "y"], values: np.ndarray) -> None:
    """A log scale that has some labels over less than a decade and not too many over ten."""
    axes.set(**{f"{axis}scale": "log"})
    one = axes.xaxis if axis == "x" else axes.yaxis
    decades = float(np.log10(values.max() / values.min()))
    one.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,), numticks=9))
    one.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    one.set_minor_locator(NullLocator())


def level_line(axes: Axes, name: str, level: float, above: bool) -> None:
    """A dashed line with its name."""
    axes.axhline(level, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(name, (1, level), (-2, 4 if above else -4), ("axes fraction", "data"), "offset points",
                  ha="right", va="bottom" if above else "top", color=MUTED, fontsize=11)  # fmt: skip


def frame(axes: Axes, values: np.ndarray, up: bool) -> tuple[float, float]:
    """Limits that hold what matters, and the range just within them, on whose edges clipped values stand."""
    low, high = limits(values, up)
    margin = 0.1 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_ylim(low - margin, high + margin)
    return low - 0.6 * margin, high + 0.6 * margin


def limits(values: np.ndarray, up: bool) -> tuple[float, float]:
    """The range that matters: queries far on the bad side would press the others together, and are left outside."""
    low, high = float(values.min()), float(values.max())
    lower, upper = (float(quantile) for quantile in np.quantile(values, [0.25, 0.75]))
    reach = 3 * (upper - lower)
    if reach > 0:
        return (max(low, lower - reach), high) if up else (low, min(high, upper + reach))
    return low, high


def dots(
    axes: Axes,
    trials: Sequence[Trial],
    x: np.ndarray,
    y: np.ndarray,
    alpha: float = 0.8,
    hollow: Collection[int] = frozenset(),
) -> None:
    """One marker a trial, by its origin, an outline alone for the numbers in `hollow`; NaN is left out."""
    origins = np.array([trial.proposal.origin for trial in trials])
    empty = np.array([trial.number in hollow for trial in trials], dtype=bool)
    for origin in in_order(origins.tolist()):
        marker, _, colour = ORIGINS.get(origin, OTHER)
        size, shade = 9 if marker == "*" else 5.5, THEME[colour][0]
        for chosen, face, edge, wide in ((~empty, shade, _CARD, 0.6), (empty, "none", shade, 1.1)):
            here = (origins == origin) & np.isfinite(y) & chosen
            if here.any():
                axes.plot(x[here], y[here], marker, color=shade, alpha=alpha, markersize=size,
                          markerfacecolor=face, markeredgecolor=edge, markeredgewidth=wide, zorder=2)  # fmt: skip


def svg_of(figure: Figure, label: str, colours: dict[str, str]) -> Html:
    """The figure as markup without what a page has already or does not need, its colours turned into variables."""
    out = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": label, "path.simplify": True}
    with matplotlib.rc_context(settings):  # type: ignore[arg-type]
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r"<[^>]*>", lambda tag: _DECIMALS.sub(lambda found: f"{float(found[0]):.2f}", tag[0]), text)
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font: \1 system-ui, sans-serif", text).replace("xlink:href", "href")
    for light, themed in colours.items():
        text = text.replace(light, themed)
    size = re.search(r'viewBox="[^"]*"', text)
    opening = f'<svg {size[0] if size else ""} role="img" aria-label="{escape(label)}">'
    return Html(opening + re.sub(r"\n\s*", "\n", text[text.index(">") + 1 :]).strip())
