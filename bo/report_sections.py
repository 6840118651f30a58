"""The sections of a report that explain a campaign: its surrogate, where its winners came from, the best ones."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from bo import report_plots
from bo.calibration import HALF_WIDTHS, calibration
from bo.records import Trial
from bo.report_data import ReportData, lineage
from bo.report_html import NONE, Html, column, element, escape, facts, heading, number, quantity, signed, table
from graphs.tables.table import UNITS

SHOWN = 10


def section(name: str, title: str, *content: object) -> Html:
    """A titled part of the page that a link can point to."""
    return element("section", element("h2", title, id=f"{name}-title"), *content, id=name,
                   aria_labelledby=f"{name}-title")  # fmt: skip


def gap(data: ReportData, regret: float | None) -> str:
    """A regret with its unit; a difference of percentages is in points."""
    unit = UNITS.get(data.metric, "")
    return f"{number(regret, 4)} {'points' if unit == '%' else unit}".rstrip() if regret is not None else NONE


def breakable(arch: str) -> Html:
    """The string with leave to break the line where one of its parts ends."""
    return Html(re.sub(r"(?<=[|~+,;)\]])(?=.)", "<wbr>", escape(arch)))


def surrogate(data: ReportData) -> Html:
    """Predictions against the truth; empty where nothing was predicted."""
    found = calibration(data.history)
    count = len(found.trials)
    if not count:
        return Html()
    spearman, kendall = found.rank_correlations()
    svg = report_plots.predictions(found.trials, found.mean, found.std, found.truth)
    rows = [
        (f"{percent} %", f"{100 * found.inside(percent) / count:.0f} %", f"{found.inside(percent)} of {count}")
        for percent in HALF_WIDTHS
    ]
    right = element(
        "div",
        table("How often the truth lay in the central interval", ("Interval", "Found", "Trials"), rows, "nnn"),
        element("p", "A calibrated surrogate finds its own percentage; less means that it is too sure of itself. "
                     "The proposals were chosen by their predictions, so the best of them tend to disappoint.",
                class_="note"),
        facts([
            ("Spearman's rho", number(spearman)),
            ("Kendall's tau", number(kendall)),
            ("Mean absolute error", gap(data, float(np.abs(found.truth - found.mean).mean()))),
            ("Mean of measured less predicted", gap(data, float((found.truth - found.mean).mean()))),
        ]),
    )  # fmt: skip
    caption = f"{count} predictions, made before the evaluation. Bars: one standard deviation. Dashed: exact."
    key = report_plots.legend(trial.proposal.origin for trial in found.trials)
    figure = element("div", key, figure_of(heading(data.metric), svg, caption))
    return section("surrogate", "Predicted against measured", element("div", figure, right, class_="pair"))


def origins(data: ReportData) -> Html:
    """What each origin of proposals contributed."""
    rows, means, bests = [], [], []
    front = frozenset(trial.number for trial in data.front.trials) if data.front is not None else frozenset()
    for origin in report_plots.in_order(trial.proposal.origin for trial in data.history.trials):
        mine = [trial for trial in data.history.trials if trial.proposal.origin == origin]
        values = [data.value(trial) for trial in mine if trial.status == "done"]
        wins = sum(trial.number in data.improvements for trial in mine)
        bests.append(None if not values else max(values) if data.up else min(values))
        means.append(sum(values) / len(values) if values else None)
        share = f"{100 * wins / len(data.improvements):.0f} %" if data.improvements else NONE
        top = sum(trial in data.ranked[:SHOWN] for trial in mine)
        rows.append((origin, len(mine), wins, share, top, sum(trial.number in front for trial in mine)))
    told = [(row[0], row[1], mean, best, *row[2:])
            for row, mean, best in zip(rows, column(means), column(bests), strict=True)]  # fmt: skip
    shown = min(SHOWN, len(data.ranked))
    headers = ("Origin", "Proposed", f"Mean {heading(data.metric)}", "Best", "Improvements", "Share of them",
               f"Among the best {shown}", "On the front")  # fmt: skip
    several = len(headers) if data.front is not None else len(headers) - 1
    note = "An improvement beats every earlier query; the first query has nothing to beat and is not counted."
    if data.history.constraints:
        note += " Queries that break a constraint do not count as improvements."
    return section(
        "origins",
        "Where the winners came from",
        table(
            "What each origin of proposals contributed",
            headers[:several],
            [row[:several] for row in told],
            "tnnnnnnn"[:several],
        ),
        element("p", note, class_="note"),
    )


def ancestry(data: ReportData, winner: Trial) -> Html:
    """The trials that the winner descends from."""
    line = lineage(data, winner)
    if len(line) == 1:
        told = f"Trial {winner.number} has no recorded parent: it came from “{winner.proposal.origin}”."
        return section("lineage", "Lineage of the winner", element("p", told))
    values = [data.value(trial) for trial in line]
    changes = [NONE, *(signed(after - before, 3) for before, after in pairwise(values))]
    rows = [
        (f"#{trial.number}", trial.proposal.origin, element("code", trial.arch), value, change)
        for trial, value, change in zip(line, column(values), changes, strict=True)
    ]
    headers = ("Trial", "Origin", "Architecture", heading(data.metric), "Change")
    caption = f"{len(line)} generations, the oldest first; each was derived from the one above it"
    return section("lineage", "Lineage of the winner", table(caption, headers, rows, "tttnn"))


def best_ten(data: ReportData) -> Html:
    """The best architectures, drawn."""
    cards, shown = [], data.ranked[:SHOWN]
    values = column([data.value(trial) for trial in shown])
    for rank, (trial, value) in enumerate(zip(shown, values, strict=True), start=1):
        label = f"Number {rank}, trial {trial.number}: {trial.arch}"
        cards.append(
            element(
                "li",
                element("h3", f"{rank}. {value} {UNITS.get(data.metric, '')}".rstrip()),
                element("figure", report_plots.architecture(trial.graph, label, 190, 210)),
                element("p", _place(data, trial), class_="note"),
                element("code", breakable(trial.arch)),
                facts(metric_pairs(data, trial)[1:]),
            )
        )
    title = f"The best {len(cards)} architectures" if len(cards) > 1 else "The only evaluated architecture"
    return section("best", title, element("ol", *cards, class_="grid"))


def _place(data: ReportData, trial: Trial) -> str:
    broken = ", breaks a constraint" if trial.number in data.infeasible else ""
    return f"#{trial.number}, {trial.proposal.origin}{broken}"


def metric_pairs(data: ReportData, trial: Trial) -> list[tuple[str, str]]:
    """The trial's metrics with their units, the objective first."""
    return [(name, quantity(name, trial.metrics[name])) for name in data.metrics if name in trial.metrics]


def figure_of(title: str, svg: Html, caption: str) -> Html:
    """A figure under its title."""
    return element("figure", element("h3", title), svg, element("figcaption", caption))
