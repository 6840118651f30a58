"""How a campaign stands, counted by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bo.campaign import Campaign
from bo.records import History, Objective
from bo.standing import cost_spent, failures, incumbents, kept, measure_front


@pytest.fixture(scope="module")
def history(search_several: Callable[..., Campaign], tmp_path_factory: pytest.TempPathFactory) -> History:
    return search_several(tmp_path_factory.mktemp("made")).history


def test_counts(history: History) -> None:
    assert kept(history) == {"params<=0.5": sum(trial.metrics["params"] <= 0.5 for trial in history.done)}
    assert failures(history) == {"timeout": 3, "out_of_memory": 1}
    assert list(failures(history)) == ["timeout", "out_of_memory"]
    assert cost_spent(history) == 36 * 1.5


def test_incumbents_are_feasible_and_ever_better(history: History) -> None:
    best, expected = -1.0, []
    for trial in history.trials:
        if trial.status == "done" and trial.metrics["params"] <= 0.5 and trial.metrics["valid_accuracy"] > best:
            best = trial.metrics["valid_accuracy"]
            expected.append(trial)
    assert incumbents(history) == expected
    assert expected[-1] == history.best


def test_the_point_is_in_the_metrics_own_sign(history: History) -> None:
    found = measure_front(history, {"reference_point/valid_accuracy": 60.0, "reference_point/latency": 90.0})
    assert found is not None
    assert found.point == {"valid_accuracy": 60.0, "latency": 90.0}
    area, reached = 0.0, 60.0
    for trial in found.trials[::-1]:
        area += (trial.metrics["valid_accuracy"] - reached) * (90.0 - trial.metrics["latency"])
        reached = trial.metrics["valid_accuracy"]
    assert found.hypervolume == pytest.approx(area)


def test_where_there_is_nothing_to_tell(search_several: Callable[..., Campaign], tmp_path: Path) -> None:
    single = search_several(tmp_path, (), (), 0).history
    assert (kept(single), failures(single), cost_spent(single), incumbents(single)) == ({}, {}, None, [])
    assert measure_front(single, {}) is None
    found = measure_front(History((), Objective("a"), (Objective("b"),)), {})
    assert found is not None
    assert (found.trials, found.point, found.hypervolume) == ((), {}, None)
