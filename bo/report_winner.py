"""The section of a report on the best architecture."""

from __future__ import annotations

from bo import report_plots
from bo.records import Trial
from bo.report_data import ReportData
from bo.report_html import Html, bound, element, facts, number, quantity, signed
from bo.report_sections import breakable, gap, metric_pairs, section
from graphs.draw_text import draw_text


def winner(data: ReportData, best: Trial) -> Html:
    """The best feasible architecture in the first objective, drawn, with all that is known of it."""
    value = data.value(best)
    regret, improvement = data.regret(value), data.improvement(value)
    pairs: list[tuple[str, object]] = [
        ("architecture", element("code", breakable(best.arch))),
        *metric_pairs(data, best),
    ]
    if regret is not None:
        pairs.append(("regret", gap(data, regret) + (", the best of the task" if regret == 0 else "")))
    if improvement is not None:
        pairs.append(("over the mean of the table", f"{signed(improvement, 3)} %"))
    proposal = best.proposal
    if proposal.mean is not None:
        spread = f" ± {number(proposal.std)}" if proposal.std is not None else ""
        pairs.append(("predicted", quantity(data.metric, proposal.mean) + spread))
    origin = proposal.origin if proposal.parent is None else f"{proposal.origin} of #{proposal.parent}"
    pairs += [("trial", f"#{best.number}, step {best.step}"), ("origin", origin),
              ("identity", element("code", best.identity))]  # fmt: skip
    text = element("pre", draw_text(best.graph), tabindex="0", aria_label="The architecture as text")
    drawn = element("figure", report_plots.architecture(best.graph, f"The best architecture: {best.arch}", 430, 360))
    as_text = element("details", element("summary", "As text"), text)
    title = "The best architecture" if not data.history.others else f"The best in {data.metric}"
    return section("winner", title,
                   element("div", drawn, element("div", facts(pairs), as_text), class_="pair"))  # fmt: skip


def nothing_feasible(data: ReportData) -> Html:
    """Where every evaluated architecture breaks a constraint: the one that comes closest."""
    history, closest = data.history, data.ranked[0]
    missed = [bound(one) for one in history.constraints if not one.holds(closest.metrics[one.name])]
    told = (
        f"All {len(history.done)} evaluated architectures break a constraint. Trial #{closest.number} comes closest; "
        f"it breaks {' and '.join(missed)}."
    )
    drawn = element("figure", report_plots.architecture(closest.graph, f"The closest: {closest.arch}", 430, 360))
    pairs = [("architecture", element("code", breakable(closest.arch))), *metric_pairs(data, closest)]
    body = element("div", drawn, facts(pairs), class_="pair")
    return section("winner", "Nothing keeps the constraints yet", element("p", told), body)
