"""The section of a report with best so far and regret over the queries, beside what random search would find."""

from __future__ import annotations

import math

import numpy as np

from bo import report_curves
from bo.report_data import ReportData
from bo.report_html import Html, element, heading, quantity
from bo.report_plots import legend
from bo.report_random import RandomBand, random_band
from bo.report_sections import figure_of, gap, section


def curves(data: ReportData) -> Html:
    """Best so far and regret over the queries."""
    values = np.array([data.value(trial) for trial in data.ended])
    best = np.array(data.history.best_so_far())
    band = random_band(data.config, data.columns, len(data.ended))
    known = {"best in the table": data.reference("best"), "mean of the table": data.reference("mean")}
    levels = {name: level for name, level in known.items() if level is not None}
    svg = report_curves.progress(data.ended, values, best, levels, data.up, data.infeasible, band)
    caption = "Each marker is a query. Those far on the bad side of the others stand on the edge."
    figures = [figure_of(heading(data.metric), svg, caption)]
    if data.reference("best") is not None:
        figures.append(_regret(data, values, best, band))
    told = [element("p", _about(data, band), class_="note")] if band is not None else []
    return section("curve", "Progress", _key(data, band), element("div", *figures, class_="pair"), *told)


def _regret(data: ReportData, values: np.ndarray, best: np.ndarray, band: RandomBand | None) -> Html:
    regrets, best_regret = _regrets(data, values), _regrets(data, best)
    if not (regrets > 0).any():
        return element("p", "No query was worse than the best known value, so there is no regret to draw.")
    parts = () if band is None else (_regrets(data, part) for part in (band.worse, band.median, band.better))
    shaded = None if band is None else (band.queries, *parts)
    svg = report_curves.regret(data.ended, regrets, best_regret, data.infeasible, shaded)
    caption = f"Distance to the best of the task, {quantity(data.metric, data.reference('best'))}; log scale."
    unit = gap(data, 0.0)[2:]
    return figure_of(f"Regret ({unit})" if unit else "Regret", svg, caption)


def _key(data: ReportData, band: RandomBand | None) -> Html:
    entries = [("━", "accent", "best so far")]
    entries += [("▒", "slate", "random search, central 80 %"), ("┄", "slate", "its median")] if band is not None else []
    entries += [("○", "slate", "outline: breaks a constraint")] if data.infeasible else []
    entries += [("✕", "bad", "failed")] if data.failed else []
    return legend((trial.proposal.origin for trial in data.ended), entries)


def _about(data: ReportData, band: RandomBand) -> str:
    """What the band is, in words."""
    kept = " and rows that break a constraint do not count" if data.history.constraints else ""
    return (
        f"The band is what random search would have found with as many queries: architectures drawn uniformly from the "
        f"{band.rows:,} rows of the task's table, none twice{kept}. Of all its outcomes, one in ten lies below the "
        "band and one in ten above. It is computed from the table exactly and not simulated."
    )


def _regrets(data: ReportData, values: np.ndarray) -> np.ndarray:
    """Of each value, NaN for NaN."""
    found = (math.nan if math.isnan(value) else data.regret(float(value)) for value in values)
    return np.array([math.nan if one is None else one for one in found])
