"""How a campaign stands beside its best architecture, for people and for machines; torch only for hypervolumes."""

from __future__ import annotations

from typing import Any

from bo.campaign import Campaign
from bo.standing import Front, cost_spent, failures, kept, measure_front
from graphs.tables.table import UNITS


def readable(metric: str, value: float) -> str:
    """Percentages with two decimals, anything else with four digits."""
    return f"{value:.2f}" if UNITS.get(metric) == "%" else f"{value:.4g}"


def standing_as_dict(campaign: Campaign) -> dict[str, Any]:
    """Constraints kept, failures by kind and cost for every campaign, front and hypervolume for several objectives."""
    history = campaign.history
    done, front = len(history.done), measure_front(history, campaign.reference)
    found: dict[str, Any] = {
        "objectives": {one.metric: one.maximize for one in history.objectives},
        "constraints": {text: count / done if done else None for text, count in kept(history).items()},
        "feasible": len(history.feasible),
        "stopped": len(history.ended) - done - sum(failures(history).values()),
        "failures": failures(history),
        "cost": cost_spent(history),
    }
    return found if front is None else {**found, **front_as_dict(front)}


def front_as_dict(front: Front) -> dict[str, Any]:
    """Size and hypervolume of the front; the reference point is None before there are trials enough to set it."""
    return {
        "front_size": len(front.trials),
        "hypervolume": front.hypervolume,
        "reference_point": dict(front.point) or None,
    }


def standing_lines(campaign: Campaign) -> list[str]:
    """The same in words, without what there is nothing of."""
    history, lines = campaign.history, []
    done, front = len(history.done), measure_front(history, campaign.reference)
    if front is not None:
        lines.append(f"front: {len(front.trials)} architectures, {describe_volume(front)}")
    for text, count in kept(history).items():
        share = f" ({100 * count / done:.0f} %)" if done else ""
        lines.append(f"{text}: kept by {count} of {done} evaluated{share}")
    if len(history.constraints) > 1:
        lines.append(f"all constraints: kept by {len(history.feasible)} of {done}")
    if failed := failures(history):
        lines.append("failed: " + ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in failed.items()))
    if stopped := len(history.ended) - done - sum(failed.values()):
        lines.append(f"stopped early: {stopped}")
    if (cost := cost_spent(history)) is not None:
        lines.append(f"cost spent: {cost:.6g}")
    return lines


def describe_volume(front: Front) -> str:
    """The hypervolume with the point that it is measured from."""
    if front.hypervolume is None:
        return "hypervolume not known before ten feasible ones"
    point = ", ".join(f"{name} {readable(name, value)}" for name, value in front.point.items())
    return f"hypervolume {front.hypervolume:.5g} beyond {point}"
