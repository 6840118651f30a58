"""The head of a report: what was searched, and the few numbers that matter."""

from __future__ import annotations

from datetime import UTC, datetime

from bo.records import Trial
from bo.report_data import ReportData
from bo.report_html import NONE, Html, bound, element, heading, number, quantity, signed
from bo.report_sections import gap
from bo.standing import cost_spent


def header(data: ReportData, title: str) -> Html:
    """Title, a sentence on what was searched and how, and tiles of numbers."""
    config = data.config
    size = f"{data.space.size:,}" if data.space.size is not None else f"About 10^{data.space.log10_size:.1f}"
    seconds = float(sum(step["seconds"] for step in data.steps))
    begun = "" if data.created is None else f"Begun {moment(data.created)}. "
    lead = (
        f"{data.space.summary}. {size} architectures; strategy {config.strategy}, seed {config.seed}, "
        f"{config.batch} a step; {_aim(data)}. "
        f"{begun}Proposing took {number(seconds, 2)} s in {len(data.steps)} steps."
    )
    boxes = (element("div", element("dt", name), element("dd", value, element("small", note)))
             for name, value, note in _tiles(data))  # fmt: skip
    return element("header", element("h1", title), element("p", lead, class_="lead"),
                   element("dl", *boxes, class_="tiles"))  # fmt: skip


def _aim(data: ReportData) -> str:
    """The objectives and the constraints, in words."""
    aims = [f"{'more' if one.maximize else 'less'} {heading(one.metric)}" for one in data.history.objectives]
    told = f"{' and '.join(aims)} {'is' if len(aims) == 1 else 'are'} better"
    return told + (f", subject to {' and '.join(map(bound, bounds))}" if (bounds := data.config.constraints) else "")


def _tiles(data: ReportData) -> list[tuple[str, str, str]]:
    history, winner, pending = data.history, data.history.best, len(data.history.pending)
    done, ended, failed = len(history.done), len(data.ended), len(data.failed)
    note = f"{done} evaluated, {failed} failed" + (f", {stopped} stopped" if (stopped := ended - done - failed) else "")
    tiles = [
        ("Queries spent", str(ended), f"{pending} more pending" if pending else "none pending"),
        ("Valid", f"{100 * (ended - failed) / ended:.0f} %" if ended else NONE, note),
    ]
    if history.constraints and done:
        share = f"{100 * len(history.feasible) / done:.0f} %"
        tiles.append(("Feasible", share, f"{len(history.feasible)} of {done} keep every constraint"))
    if (cost := cost_spent(history)) is not None:
        told = sum(trial.cost is not None for trial in data.ended)
        tiles.append(("Cost spent", number(cost), f"as {told} of {ended} evaluations report it"))
    return [*(_result_tiles(data, winner) if winner is not None else []), *_front_tiles(data), *tiles]


def _front_tiles(data: ReportData) -> list[tuple[str, str, str]]:
    if data.front is None or not data.front.trials:
        return []
    tiles = [("On the front", str(len(data.front.trials)), "that no other one beats in all objectives")]
    if data.front.hypervolume is not None:
        tiles.append(("Hypervolume", number(data.front.hypervolume), "what the front dominates"))
    return tiles


def _result_tiles(data: ReportData, winner: Trial) -> list[tuple[str, str, str]]:
    value = data.value(winner)
    regret, improvement = data.regret(value), data.improvement(value)
    place = 1 + data.ended.index(winner)
    tiles = [(f"Best {data.metric}", quantity(data.metric, value), f"found by query {place} of {len(data.ended)}")]
    if regret is not None:
        tiles.append(("Regret", gap(data, regret), f"best known {quantity(data.metric, data.reference('best'))}"))
    if improvement is not None:
        note = f"over the mean of the table, {quantity(data.metric, data.reference('mean'))}"
        tiles.append(("Improvement", f"{signed(improvement, 3)} %", note))
    return tiles


def moment(seconds: float) -> str:
    """Seconds since 1970 as day and minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
