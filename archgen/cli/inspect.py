"""Commands that only look: spaces, sample, status, pareto. Only a hypervolume of several objectives loads torch."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from archgen.campaign_folder import read_campaign
from archgen.cli.standing import describe_volume, front_as_dict, readable, standing_as_dict, standing_lines
from bo.campaign import Campaign
from bo.records import Trial, regret, relative_improvement
from bo.standing import measure_front
from graphs.draw_text import draw_text
from graphs.errors import InvalidOption, StoreError, unknown_name
from graphs.graph_json import graph_to_dict
from graphs.spaces.catalogue import SPACES, get_space
from graphs.tables.catalogue import tasks_of
from graphs.tables.table import UNITS

COSTS = ("params", "latency", "macs")


def list_spaces(as_json: bool) -> None:
    rows = [
        {
            "space": space.name,
            "summary": space.summary,
            "descriptions": space.size,
            "networks": space.network_count,
            "tasks": " ".join(tasks_of(space.name)),
        }
        for space in map(get_space, SPACES)
    ]
    if as_json:
        print(json.dumps({"spaces": rows}))
        return
    table = Table("space", "what", "descriptions", "networks", "tasks", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console().print(table)


def _cell(value: object) -> str:
    """Counts up to a million million in full, larger ones as a power of ten."""
    if isinstance(value, int):
        return f"{value:,}" if value < 10**12 else f"10^{math.log10(value):.1f}"
    return "unknown" if value is None else str(value)


def draw_samples(space_name: str, count: int, seed: int, as_json: bool) -> None:
    space = get_space(space_name)
    if count < 1:
        raise InvalidOption(f"cannot draw {count} architectures; ask for at least 1")
    rng = np.random.default_rng(seed)
    graphs = [space.sample(rng) for _ in range(count)]
    if as_json:
        drawn = [
            {"arch": space.format(g), "id": space.canonical(g), "graph": graph_to_dict(g, space.name)} for g in graphs
        ]
        print(json.dumps({"space": space.name, "seed": seed, "samples": drawn}))
        return
    for graph in graphs:
        print(f"{space.format(graph)}  ({space.canonical(graph)})\n{draw_text(graph)}\n")


def show_status(folder: Path, as_json: bool) -> None:
    campaign = read_campaign(folder)
    summary = summarise(campaign)
    if as_json:
        print(json.dumps(summary))
        return
    config = campaign.config
    far = f"{summary['queries']} of {summary['budget'] or '?'} queries"
    print(f"{config.space} on {config.task}, strategy {config.strategy}, seed {config.seed}: {far}")
    if (best := campaign.best()) is not None:
        print("\n".join(describe(campaign, best)))
    elif campaign.history.done:
        print("no evaluated architecture keeps the constraints yet")
    for line in standing_lines(campaign):
        print(line)


def show_pareto(folder: Path, minimize: list[str] | None, as_json: bool) -> None:
    """`archgen pareto`: the front in the campaign's own objectives where it has several and no costs are named."""
    campaign = read_campaign(folder)
    if not campaign.history.done:
        raise StoreError(f"{folder}: no trial has ended yet; run archgen search first")
    measured = measure_front(campaign.history, campaign.reference) if minimize is None else None
    if measured is not None:
        directions = {one.metric: one.maximize for one in campaign.config.objectives}
        front, extra = list(measured.trials), front_as_dict(measured)
    else:
        directions, extra = _directions(campaign, minimize), {}
        front = campaign.pareto(directions)
    if as_json:
        found = {"directions": directions, "front": [trial_as_dict(campaign, trial) for trial in front], **extra}
        print(json.dumps(found))
        return
    headers = (f"{name} ({UNITS[name]})" if name in UNITS else name for name in directions)
    table = Table("architecture", *headers, box=None, pad_edge=False)
    for trial in front:
        table.add_row(trial.arch, *(readable(name, trial.metrics[name]) for name in directions))
    Console().print(table)
    if measured is not None:
        print(describe_volume(measured))


def _directions(campaign: Campaign, minimize: list[str] | None) -> dict[str, bool]:
    """The first objective against costs: those named, else those known."""
    known = campaign.history.done[0].metrics
    costs = minimize or [name for name in COSTS if name in known]
    for name in costs:
        if name not in known:
            raise unknown_name("metric", name, known)
    return {campaign.objective.metric: campaign.objective.maximize, **dict.fromkeys(costs, False)}


def trial_as_dict(campaign: Campaign, trial: Trial) -> dict[str, Any]:
    """A trial for machines."""
    return {
        "arch": trial.arch,
        "graph": graph_to_dict(trial.graph, campaign.space.name),
        "id": trial.identity,
        "metrics": {name: value if math.isfinite(value) else None for name, value in trial.metrics.items()},
        "number": trial.number,
        "origin": trial.proposal.origin,
    }


def summarise(campaign: Campaign) -> dict[str, Any]:
    """What a search found, for machines: the best, how it stands, regret and relative improvement where known."""
    history, best = campaign.history, campaign.best()
    return {
        "best": None if best is None else trial_as_dict(campaign, best),
        "queries": campaign.spent,
        "budget": campaign.store.read_meta("budget"),
        "pending": len(history.pending),
        "valid": len(history.done),
        "seed": campaign.config.seed,
        "space": campaign.config.space,
        "task": campaign.config.task,
        "strategy": campaign.config.strategy,
        "objective": campaign.objective.metric,
        **standing_as_dict(campaign),
        **({} if best is None else compare(campaign, best)),
    }


def compare(campaign: Campaign, trial: Trial) -> dict[str, float]:
    """Regret against the table's best and relative improvement over its mean, in percent, where they are known."""
    value = trial.metrics[campaign.objective.metric]
    found = {
        "regret": regret(campaign.objective, campaign.reference, value),
        "relative_improvement": relative_improvement(campaign.objective, campaign.reference, value),
    }
    return {name: number for name, number in found.items() if number is not None}


def describe(campaign: Campaign, trial: Trial) -> list[str]:
    """The best architecture for people: drawing, metrics, regret, relative improvement."""
    lines = [f"best: {trial.arch}  (query {trial.number + 1}, from {trial.proposal.origin})", draw_text(trial.graph)]
    lines += [
        f"  {name:<16} {readable(name, value)} {UNITS.get(name, '')}".rstrip() for name, value in trial.metrics.items()
    ]
    found, reference = compare(campaign, trial), campaign.reference
    if "regret" in found:
        lines.append(f"  {'regret':<16} {found['regret']:.2f} points below the table's best, {reference['best']:.2f}")
    if "relative_improvement" in found:
        gained = f"{found['relative_improvement']:+.1f} % over the mean of the table, {reference['mean']:.2f}"
        lines.append(f"  {'improvement':<16} {gained}")
    return lines
