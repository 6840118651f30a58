"""Fronts, hypervolumes, constraints, failures and costs in `archgen status`, `archgen pareto` and the live display."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archgen.campaign_folder import read_campaign
from archgen.cli.live import LiveView
from archgen.cli.standing import standing_lines
from bo.campaign import Campaign
from bo.records import CampaignConfig, Failure, Objective
from bo.store import Store
from bo.strategies.random_search import RandomSearch
from graphs.condition import Condition
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.tables.nas_bench_graph import load_nas_bench_graph

Run = Callable[..., Any]
SPACE = NasBenchGraph()
ACCURACY, LATENCY = Objective("valid_accuracy"), Objective("latency", maximize=False)
POINT = {"valid_accuracy": 60.0, "latency": 9.0}
FAILURES: tuple[Failure, ...] = ("timeout", "out_of_memory", "timeout")


def begin(folder: Path, queries: int = 24, bound: float = 4.5, point: bool = True) -> Campaign:
    """Accuracy and latency under a bound on params; every eighth query fails, and two of three report a cost."""
    bounds = (Condition("latency", "<=", bound), Condition("params", "<=", 1.5))
    config = CampaignConfig(SPACE.name, "cora", "random", ACCURACY, 4, others=(LATENCY,), constraints=bounds)
    folder.mkdir()
    reference = {f"reference_point/{name}": value for name, value in POINT.items()} if point else {}
    store, table = Store(folder / "campaign.sqlite", create=True), load_nas_bench_graph("cora")
    made = Campaign(SPACE, config, store, RandomSearch(SPACE, SPACE.canonical), reference)
    for k in range(queries):
        (trial,) = made.ask()
        cost = 2.5 if k % 3 else None
        if k % 8 == 7:
            store.tell(replace(trial, status="failed", error="no", failure=FAILURES[k // 8], cost=cost))
        else:
            store.tell(replace(trial, status="done", metrics=table(trial.graph), cost=cost))
        made = Campaign(SPACE, config, store, RandomSearch(SPACE, SPACE.canonical))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begin(tmp_path_factory.mktemp("standing") / "campaign").store.path.parent


def points(folder: Path) -> np.ndarray:
    done = [t.metrics for t in read_campaign(folder).history.done]
    return np.array([(m["valid_accuracy"], m["latency"], m["params"]) for m in done])


def test_status_counts_constraints_failures_and_costs(archgen: Run, folder: Path) -> None:
    found, table = archgen("status", folder, "--json").json, points(folder)
    assert found["objectives"] == {"valid_accuracy": True, "latency": False}
    assert found["constraints"] == {
        "latency<=4.5": (table[:, 1] <= 4.5).mean(),
        "params<=1.5": (table[:, 2] <= 1.5).mean(),
    }
    assert found["feasible"] == ((table[:, 1] <= 4.5) & (table[:, 2] <= 1.5)).sum()
    assert 0 < found["feasible"] < len(table) == found["valid"] == 21
    assert found["failures"] == {"timeout": 2, "out_of_memory": 1}
    assert found["cost"] == 16 * 2.5
    text = archgen("status", folder).out
    assert "failed: 2 timeout, 1 out of memory" in text
    assert f"all constraints: kept by {found['feasible']} of 21" in text
    assert "cost spent: 40" in text
    assert f"hypervolume {found['hypervolume']:.5g} beyond valid_accuracy 60.00, latency 9" in text


def test_pareto_is_of_the_campaigns_own_objectives(archgen: Run, folder: Path) -> None:
    found, table = archgen("pareto", folder, "--json").json, points(folder)
    assert found["directions"] == {"valid_accuracy": True, "latency": False}
    good = {(a, ms) for a, ms, p in table if ms <= 4.5 and p <= 1.5}
    best = {(a, ms) for a, ms in good if not any(b >= a and m <= ms and (b, m) != (a, ms) for b, m in good)}
    front = [(t["metrics"]["valid_accuracy"], t["metrics"]["latency"]) for t in found["front"]]
    assert set(front) == best
    assert front == sorted(front, reverse=True)
    area, reached = 0.0, POINT["valid_accuracy"]
    for accuracy, latency in sorted(front):  # a staircase: the slower reach further
        area += max(0.0, accuracy - reached) * max(0.0, POINT["latency"] - latency)
        reached = max(reached, accuracy)
    assert found["hypervolume"] == pytest.approx(area)
    assert found["reference_point"] == POINT
    assert "hypervolume" in archgen("pareto", folder).out


def test_pareto_over_a_named_cost_is_as_asked_for(archgen: Run, folder: Path) -> None:
    found = archgen("pareto", folder, "--minimize", "params", "--json").json
    assert found["directions"] == {"valid_accuracy": True, "params": False}
    assert "hypervolume" not in found


def test_nothing_feasible_is_said(archgen: Run, tmp_path: Path) -> None:
    folder = begin(tmp_path / "none", 3, bound=0.001).store.path.parent
    found = archgen("status", folder, "--json").json
    assert (found["best"], found["feasible"], found["front_size"], found["hypervolume"]) == (None, 0, 0, 0.0)
    text = archgen("status", folder).out
    assert "no evaluated architecture keeps the constraints yet" in text
    assert "latency<=0.001: kept by 0 of 3 evaluated (0 %)" in text


def test_before_the_reference_point_is_known(archgen: Run, tmp_path: Path) -> None:
    folder = begin(tmp_path / "few", 3, point=False).store.path.parent
    found = archgen("status", folder, "--json").json
    assert (found["hypervolume"], found["reference_point"]) == (None, None)
    assert "not known before ten feasible ones" in archgen("status", folder).out


def test_the_live_display_tells_how_it_stands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = read_campaign(folder)
    with LiveView(24) as live:
        live.begin(campaign)
        campaign._trials = dict(list(campaign._trials.items())[:20])
        live.trial(campaign, campaign.history.trials[-1])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("query 20/24")]
    for part in ("front: ", "hypervolume", "latency<=4.5: kept by", "failed: 1 out of memory, 1 timeout", "cost spent"):
        assert part in line


def test_the_panel_on_a_terminal_has_the_same_lines(folder: Path) -> None:
    campaign = read_campaign(folder)
    with LiveView(24) as live:
        live.begin(campaign)
        live._standing = standing_lines(campaign)
        (panel,) = live._state(campaign)
    text = str(panel.renderable)
    best = campaign.best()
    assert best is not None
    assert best.arch in text
    assert all(line in text for line in standing_lines(campaign))
