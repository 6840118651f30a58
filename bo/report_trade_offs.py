"""The section of a report that sets the first objective against costs that are no objectives."""

from __future__ import annotations

import math

import numpy as np

from bo import report_plots
from bo.pareto import non_dominated
from bo.report_data import ReportData
from bo.report_html import Html, column, element, heading, table
from bo.report_sections import figure_of, section

COSTS = ("params", "latency")
"""The metrics of which less is better and over which the fronts are drawn."""


def trade_offs(data: ReportData) -> Html:
    """The trade-off of the objective with each cost that was measured; empty where there is none."""
    own = {one.metric for one in data.history.objectives}
    measured = [cost for cost in COSTS if cost in data.metrics and cost not in own]
    if not measured or not data.history.feasible:
        return Html()
    parts = [_front(data, cost) for cost in measured]
    key = report_plots.legend(
        (trial.proposal.origin for trial in data.history.feasible), [("○", "accent", "on the front")]
    )
    intro = element("p", "A trial is on the front when no other is at least as good in both and better in one.",
                    class_="note")  # fmt: skip
    return section("pareto", "Trade-offs", intro, key, element("div", *parts, class_="pair"))


def _front(data: ReportData, cost: str) -> Html:
    done = data.history.feasible
    lacking = sum(not math.isfinite(trial.metrics.get(cost, math.nan)) for trial in done)
    if lacking:
        return element("p", f"No front over {cost}: {lacking} of {len(done)} trials have no finite value of it.")
    values = np.array([(trial.metrics[cost], data.value(trial)) for trial in done])
    good = non_dominated(np.stack([[data.history.gain(trial) for trial in done], -values[:, 0]], axis=1))
    kept = [trial for trial, on in zip(done, good, strict=True) if on]
    best = sorted(kept, key=lambda trial: (-data.history.gain(trial), trial.number))
    svg = report_plots.front(done, values[:, 0], values[:, 1], good, data.up, heading(cost))
    gains, costs = column([data.value(trial) for trial in best]), column([trial.metrics[cost] for trial in best])
    rows = [(f"#{trial.number}", gain, paid, element("code", trial.arch))
            for trial, gain, paid in zip(best, gains, costs, strict=True)]  # fmt: skip
    listing = table(f"The front over {cost}", ("Trial", heading(data.metric), heading(cost), "Architecture"), rows,
                    "tnnt")  # fmt: skip
    shown = element("details", element("summary", f"The {len(rows)} on the front"), listing)
    return element("div", figure_of(heading(data.metric), svg, f"{data.metric} over {cost}."), shown)
