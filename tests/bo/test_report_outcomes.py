"""Constraints, failures by kind, costs and stopped trials as the page tells them."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from bo.campaign import Campaign
from bo.report import write_report
from graphs.condition import Condition


@pytest.fixture(scope="module")
def made(search_several: Callable[..., Campaign], tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    bounds = (Condition("params", "<=", 0.5), Condition("latency", ">=", 5.0))
    return search_several(tmp_path_factory.mktemp("made"), constraints=bounds)


@pytest.fixture(scope="module")
def text(made: Campaign) -> str:
    path = write_report(made.space, made.store, made.store.path.with_name("report.html"))
    return unescape(path.read_text(encoding="utf-8"))


def row(text: str, first: str) -> list[str]:
    """The cells of the table row that begins with `first`."""
    found = re.search(rf'<tr><td class="\w">{re.escape(first)}</td>(.*?)</tr>', text)
    assert found is not None, first
    return re.findall(r"<td[^>]*>(.*?)</td>", found[1])


def test_constraints_with_how_many_keep_them(made: Campaign, text: str) -> None:
    done = made.history.done
    for words, kept in (
        ("params ≤ 0.5 M", [trial.metrics["params"] <= 0.5 for trial in done]),
        ("latency ≥ 5 ms", [trial.metrics["latency"] >= 5 for trial in done]),
    ):
        assert row(text, words)[:2] == [str(sum(kept)), f"{100 * sum(kept) / len(done):.0f} %"]
    feasible = len(made.history.feasible)
    assert row(text, "all of them")[0] == str(feasible)
    assert f"{feasible} of {len(done)} keep every constraint" in text
    assert "subject to params ≤ 0.5 M and latency ≥ 5 ms" in text


def test_failures_by_kind_and_one_by_one(text: str) -> None:
    assert row(text, "timeout") == ["3", "it took longer than allowed"]
    assert row(text, "out of memory") == ["1", "it needed more memory than allowed"]
    assert "4 failed queries" in text
    assert text.count("it went wrong") == 4


def test_costs_and_stopped_trials_are_counted(made: Campaign, text: str) -> None:
    assert "54<small>as 36 of 36 evaluations report it</small>" in text
    assert "31 evaluated, 4 failed, 1 stopped" in text
    assert "89 %<small>" in text  # what was stopped early was valid
    assert row(text, "#11")[3] == "stopped"
    broken = next(trial for trial in made.history.done if made.history.violation(trial))
    assert row(text, f"#{broken.number}")[3] == "breaks a constraint"


def test_infeasible_trials_are_no_winners(made: Campaign, text: str) -> None:
    best = made.history.best
    assert best is not None
    assert f"Trial {best.number} has no recorded parent" in text or f"#{best.number}</td>" in text
    assert f"1. {best.metrics['valid_accuracy']:.3f} %" in text
    assert "outline: breaks a constraint" in text


def test_without_constraints_there_is_no_section(search_several: Callable[..., Campaign], tmp_path: Path) -> None:
    campaign = search_several(tmp_path, (), (), 8)
    text = write_report(campaign.space, campaign.store, tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="constraints"' not in text
    assert 'id="front"' not in text
    assert "Feasible" not in text
