"""The section of a report on several objectives: the Pareto front as panels to look into, and its hypervolume."""

from __future__ import annotations

import json
from importlib import resources
from itertools import combinations
from typing import Any

import numpy as np

from bo import report_curves
from bo.pareto import hypervolume_so_far, reference_point
from bo.records import Trial
from bo.report_data import ReportData
from bo.report_drawing import drawing
from bo.report_html import Html, bound, column, element, heading, number, quantity, table
from bo.report_panel import panel
from bo.report_plots import legend
from bo.report_sections import figure_of, metric_pairs, section
from bo.standing import Front

DRAWN = 300
"""Architectures that can be drawn on a click, the front and the best ones, so that the page stays small."""
_SCRIPT = "report_front.js"


def fronts(data: ReportData) -> Html:
    """Panels of all pairs of objectives; empty for one objective and before anything feasible."""
    front = data.front
    if front is None or not data.history.done:
        return Html()
    pairs = list(combinations(data.history.objectives, 2))
    panels = [panel(data, front, y, x) for y, x in pairs]
    several = "" if len(pairs) == 1 else " The front is that of all objectives together, so a panel may show it inside."
    told = (
        f"{len(front.trials)} of {len(data.history.feasible)} feasible architectures are on the front: no other one is "
        f"at least as good in every objective and better in one.{several} Point at a marker for its architecture, "
        "click it to draw it; with the keyboard, Tab to a panel, arrow keys to move and Enter to draw."
    )
    chosen = element("div", element("p", "The drawing needs JavaScript; the table below has the same numbers."),
                     class_="chosen", aria_live="polite")  # fmt: skip
    body = element("div", *panels, chosen, class_="pair")
    return section("front", "Pareto front", element("p", told), _key(data), body, _listing(data, front),
                   *_volume(data, front), _data(data, front), _script())  # fmt: skip


def _key(data: ReportData) -> Html:
    entries = [("◎", "accent", "on the front")]
    entries += [("○", "slate", "outline: breaks a constraint")] if data.infeasible else []
    return legend((trial.proposal.origin for trial in data.history.done), entries)


def _listing(data: ReportData, front: Front) -> Html:
    if not front.trials:
        return element("p", "No evaluated architecture keeps every constraint, so the front is empty.")
    names = [one.metric for one in data.history.objectives]
    columns = [column([trial.metrics[name] for trial in front.trials]) for name in names]
    rows = [
        (f"#{trial.number}", trial.proposal.origin, *(values[row] for values in columns), element("code", trial.arch))
        for row, trial in enumerate(front.trials)
    ]
    headers = ("Trial", "Origin", *map(heading, names), "Architecture")
    listing = table("The Pareto front", headers, rows, "tt" + "n" * len(names) + "t")
    return element("details", element("summary", f"The {len(rows)} on the front as a table"), listing)


def _volume(data: ReportData, front: Front) -> list[Html]:
    """The curve of the hypervolume, once its reference point is known."""
    point = reference_point(data.history, data.campaign.reference)
    if point is None or front.hypervolume is None:
        return []
    values = np.array(hypervolume_so_far(data.history, point))
    where = ", ".join(f"{name} {quantity(name, value)}" for name, value in front.point.items())
    stated = any(key.startswith("reference_point/") for key in data.campaign.reference)
    why = "set with the task" if stated else "the worst values of the first ten feasible queries"
    caption = f"What the front dominates beyond {where} ({why}); {number(front.hypervolume)} in the end."
    return [element("div", figure_of("Hypervolume", report_curves.volume(values), caption), class_="half")]


def _data(data: ReportData, front: Front) -> Html:
    """What the script shows of each evaluated trial, as JSON that cannot end its element."""
    numbers = {trial.number for trial in front.trials}
    drawn = {trial.number for trial in data.ranked[:DRAWN]} | numbers
    told = {
        str(trial.number): _told(data, trial, trial.number in numbers, trial.number in drawn)
        for trial in data.history.done
    }
    first = front.trials[0].number if front.trials else data.ranked[0].number
    text = json.dumps({"first": str(first), "trials": told}, separators=(",", ":"))
    safe = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return element("script", Html(safe), type="application/json", id="front-data")


def _told(data: ReportData, trial: Trial, best: bool, drawn: bool) -> dict[str, Any]:
    broken = [bound(one) for one in data.history.constraints if not one.holds(trial.metrics[one.name])]
    found: dict[str, Any] = {
        "title": f"#{trial.number}, {trial.proposal.origin}",
        "arch": trial.arch,
        "values": metric_pairs(data, trial),
        "note": "on the front" if best else f"breaks {' and '.join(broken)}" if broken else "",
    }
    return {**found, "drawing": drawing(trial.graph)} if drawn else found


def _script() -> Html:
    text = resources.files("bo").joinpath(_SCRIPT).read_text(encoding="utf-8")
    return element("script", Html(text))
