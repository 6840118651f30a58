"""The sections of a report that explain a campaign: its curves, its surrogate, where its winners came from."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bo import report_plots
from bo.calibration import HALF_WIDTHS, calibration
from bo.records import Trial
from bo.report_data import ReportData, lineage
from bo.report_html import NONE, Html, column, element, escape, facts, heading, number, quantity, signed, table
from graphs.tables.table import UNITS

COSTS = ("params", "latency")
"""The metrics of which less is better and over which the Pareto fronts are drawn."""
SHOWN = 10
_BEST_LINE = ("━", "accent", "best so far")


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


def curves(data: ReportData) -> Html:
    """Best so far and regret over the queries."""
    values = np.array([data.value(trial) for trial in data.ended])
    best = np.array(data.history.best_so_far())
    known = {"best in the table": data.reference("best"), "mean of the table": data.reference("mean")}
    levels = {name: level for name, level in known.items() if level is not None}
    failed = [("✕", "bad", "failed")] if np.isnan(values).any() else []
    figures = [
        _figure(
            heading(data.metric),
            report_plots.progress(data.ended, values, best, levels, data.up),
            "Each marker is a query. Those far on the bad side of the others stand on the edge.",
        )
    ]
    if data.reference("best") is not None:
        regrets = np.array([_number_or_nan(data.regret(value)) for value in values])
        best_regret = np.array([_number_or_nan(data.regret(value)) for value in best])
        if (regrets > 0).any():
            svg = report_plots.regret(data.ended, regrets, best_regret)
            caption = f"Distance to the best of the task, {quantity(data.metric, data.reference('best'))}; log scale."
            figures.append(_figure(f"Regret ({unit})" if (unit := gap(data, 0.0)[2:]) else "Regret", svg, caption))
        else:
            figures.append(element("p", "No query was worse than the best known value, so there is no regret to draw."))
    key = report_plots.legend((trial.proposal.origin for trial in data.ended), [_BEST_LINE, *failed])
    return section("curve", "Progress", key, element("div", *figures, class_="pair"))


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
    figure = element("div", key, _figure(heading(data.metric), svg, caption))
    return section("surrogate", "Predicted against measured", element("div", figure, right, class_="pair"))


def origins(data: ReportData) -> Html:
    """What each origin of proposals contributed."""
    rows, means, bests = [], [], []
    for origin in report_plots.in_order(trial.proposal.origin for trial in data.history.trials):
        mine = [trial for trial in data.history.trials if trial.proposal.origin == origin]
        values = [data.value(trial) for trial in mine if trial.status == "done"]
        wins = sum(trial.number in data.improvements for trial in mine)
        bests.append(None if not values else max(values) if data.up else min(values))
        means.append(sum(values) / len(values) if values else None)
        share = f"{100 * wins / len(data.improvements):.0f} %" if data.improvements else NONE
        top = sum(trial in data.ranked[:SHOWN] for trial in mine)
        rows.append((origin, len(mine), wins, share, top))
    told = [(row[0], row[1], mean, best, *row[2:])
            for row, mean, best in zip(rows, column(means), column(bests), strict=True)]  # fmt: skip
    shown = min(SHOWN, len(data.ranked))
    headers = ("Origin", "Proposed", f"Mean {heading(data.metric)}", "Best", "Improvements", "Share of them",
               f"Among the best {shown}")  # fmt: skip
    note = "An improvement beats every earlier query; the first query has nothing to beat and is not counted."
    return section(
        "origins",
        "Where the winners came from",
        table("What each origin of proposals contributed", headers, told, "tnnnnnn"),
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


def pareto(data: ReportData) -> Html:
    """The trade-off of the objective with each cost that was measured; empty where there is none."""
    measured = [cost for cost in COSTS if cost in data.metrics and cost != data.metric]
    parts = [_front(data, cost) for cost in measured]
    if not parts:
        return Html()
    key = report_plots.legend((trial.proposal.origin for trial in data.history.done), [("○", "accent", "on the front")])
    intro = element("p", "A trial is on the front when no other is at least as good in both and better in one.",
                    class_="note")  # fmt: skip
    return section("pareto", "Trade-offs", intro, key, element("div", *parts, class_="pair"))


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
                element("p", f"#{trial.number}, {trial.proposal.origin}", class_="note"),
                element("code", breakable(trial.arch)),
                facts(metric_pairs(data, trial)[1:]),
            )
        )
    title = f"The best {len(cards)} architectures" if len(cards) > 1 else "The only evaluated architecture"
    return section("best", title, element("ol", *cards, class_="grid"))


def metric_pairs(data: ReportData, trial: Trial) -> list[tuple[str, str]]:
    """The trial's metrics with their units, the objective first."""
    return [(name, quantity(name, trial.metrics[name])) for name in data.metrics if name in trial.metrics]


def _front(data: ReportData, cost: str) -> Html:
    done = data.history.done
    lacking = sum(not math.isfinite(trial.metrics.get(cost, math.nan)) for trial in done)
    if lacking:
        return element("p", f"No front over {cost}: {lacking} of {len(done)} trials have no finite value of it.")
    best: Sequence[Trial] = data.campaign.pareto({data.metric: data.up, cost: False})
    numbers = {trial.number for trial in best}
    values = np.array([(trial.metrics[cost], data.value(trial), trial.number in numbers) for trial in done])
    svg = report_plots.front(done, values[:, 0], values[:, 1], values[:, 2] > 0, data.up, heading(cost))
    gains, costs = column([data.value(trial) for trial in best]), column([trial.metrics[cost] for trial in best])
    rows = [(f"#{trial.number}", gain, paid, element("code", trial.arch))
            for trial, gain, paid in zip(best, gains, costs, strict=True)]  # fmt: skip
    listing = table(f"The front over {cost}", ("Trial", heading(data.metric), heading(cost), "Architecture"), rows,
                    "tnnt")  # fmt: skip
    shown = element("details", element("summary", f"The {len(rows)} on the front"), listing)
    return element("div", _figure(heading(data.metric), svg, f"{data.metric} over {cost}."), shown)


def _figure(title: str, svg: Html, caption: str) -> Html:
    return element("figure", element("h3", title), svg, element("figcaption", caption))


def _number_or_nan(value: float | None) -> float:
    return math.nan if value is None else value
