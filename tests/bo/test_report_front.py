"""The section of several objectives: its data, its table, its markers; and what hostile strings can do in a script."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bo.campaign import Campaign
from bo.pareto import front, hypervolume, reference_point
from bo.records import Objective
from bo.report import write_report
from bo.report_front import DRAWN
from bo.report_html import number
from graphs.archgraph import ArchGraph
from graphs.condition import Condition

Search = Callable[..., Campaign]
LATENCY, PARAMS = Objective("latency", maximize=False), Objective("params", maximize=False)


def page(campaign: Campaign) -> str:
    path = campaign.store.path.with_name("report.html")
    return write_report(campaign.space, campaign.store, path).read_text(encoding="utf-8")


def embedded(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="front-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_data_are_all_evaluated_trials(search_several: Search, tmp_path: Path) -> None:
    campaign = search_several(tmp_path)
    data, best = embedded(page(campaign)), front(campaign.history)
    feasible = campaign.history.feasible
    assert data["first"] == str(best[0].number)
    assert data["trials"].keys() == {str(trial.number) for trial in campaign.history.done}
    for trial in campaign.history.done:
        told = data["trials"][str(trial.number)]
        assert told["arch"] == trial.arch
        assert told["title"] == f"#{trial.number}, {trial.proposal.origin}"
        expected = "on the front" if trial in best else "" if trial in feasible else "breaks params ≤ 0.5 M"
        assert told["note"] == expected
        assert dict(told["values"])["latency"] == f"{trial.metrics['latency']:g} ms"
        assert len(told["drawing"]["boxes"]) == len(trial.graph)


def test_the_hypervolume_and_its_point_are_told(search_several: Search, tmp_path: Path) -> None:
    import numpy as np

    campaign = search_several(tmp_path)
    text, history = page(campaign), campaign.history
    point = reference_point(history, {})
    assert point is not None
    gains = np.array([history.gains(trial) for trial in front(history)])
    assert f"{number(hypervolume(gains, point))} in the end" in text
    assert f"latency {number(-point[1])} ms (the worst values of the first ten feasible queries)" in text


def test_a_ring_for_each_on_the_front_in_each_panel(search_several: Search, tmp_path: Path) -> None:
    campaign = search_several(tmp_path, (LATENCY, PARAMS), ())
    text = page(campaign)
    assert text.count('class="ring"') == 3 * len(front(campaign.history))
    assert text.count('class="panel"') == 3
    assert text.count('class="hit"') == 3 * len(campaign.history.done)
    assert 'class="stairs"' not in text  # no border of two objectives tells of three
    assert "better: down and left" in text


def test_few_are_drawn_of_many(search_several: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DRAWN >= 100
    monkeypatch.setattr("bo.report_front.DRAWN", 5)
    campaign = search_several(tmp_path)
    data = embedded(page(campaign))
    drawn = {number for number, told in data["trials"].items() if "drawing" in told}
    assert drawn >= {str(trial.number) for trial in front(campaign.history)}
    assert len(drawn) < len(data["trials"])


@pytest.mark.filterwarnings("error")
def test_nothing_feasible(search_several: Search, tmp_path: Path) -> None:
    text = page(search_several(tmp_path, constraints=(Condition("latency", "<=", 0.5),), queries=14))
    assert "the front is empty" in text
    assert "Nothing keeps the constraints yet" in text
    assert "comes closest; it breaks latency ≤ 0.5 ms" in text
    assert "front-data" in text


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 5.0, -1e-9, 1e9])
def test_all_values_equal(search_several: Search, tmp_path: Path, value: float) -> None:
    metrics = {"valid_accuracy": value, "latency": value}
    text = page(search_several(tmp_path, constraints=(), queries=12, evaluate=lambda _: metrics))
    assert text.count('class="ring"') == len(embedded(text)["trials"])


def test_hostile_strings_stay_data(search_several: Search, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><!--"
    named = Objective(f"metric {evil}", maximize=False)

    def evaluate(graph: ArchGraph) -> dict[str, float]:
        return {"valid_accuracy": float(len(graph.edges)), named.metric: float(len(graph)), f"other {evil}": 1.0}

    text = page(search_several(tmp_path, (named,), (), 14, evaluate, task=evil))
    assert text.count("<script") == 2
    assert text.count("</script") == 2
    assert "<!--" not in text
    told = next(iter(embedded(text)["trials"].values()))
    assert named.metric in dict(told["values"])


def test_nothing_outside_the_file_is_needed(search_several: Search, tmp_path: Path) -> None:
    assert not re.search(r"https?:|[\"'( ]//[a-z]|@import|url\((?!#)", page(search_several(tmp_path)))
