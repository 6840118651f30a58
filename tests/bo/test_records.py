"""Objectives and histories, against what is counted by hand."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest

from bo.records import CampaignConfig, History, Objective, Proposal, Trial
from graphs.space import SearchSpace


def trial(space: SearchSpace, number: int, value: float | None, status: str = "done") -> Trial:
    graph = list(space.enumerate())[number]
    metrics = {} if value is None else {"score": value}
    return Trial(number, number, Proposal(graph, "random"), space.format(graph), f"id{number}", status, metrics)  # type: ignore[arg-type]


def test_gain_turns_the_sign_of_what_is_minimised() -> None:
    assert Objective("loss").gain({"loss": 2.0}) == 2.0
    assert Objective("loss", maximize=False).gain({"loss": 2.0}) == -2.0


def test_history_sorts_trials_by_how_they_ended(chain: SearchSpace) -> None:
    trials = (trial(chain, 0, 1.0), trial(chain, 1, None, "failed"), trial(chain, 2, None, "pending"))
    history = History(trials, Objective("score"))
    assert [t.number for t in history.done] == [0]
    assert [t.number for t in history.pending] == [2]
    assert history.seen == {"id0", "id1", "id2"}, "failed and pending ones must not be proposed again"


@pytest.mark.parametrize(("maximize", "best", "curve"), [(True, 2, [1, 1, 3, 3]), (False, 0, [1, 1, 1, 1])])
def test_best_is_the_earlier_of_equals(chain: SearchSpace, maximize: bool, best: int, curve: list[float]) -> None:
    values = [1.0, 1.0, 3.0, 3.0]
    history = History(tuple(trial(chain, k, v) for k, v in enumerate(values)), Objective("score", maximize))
    assert history.best is not None
    assert history.best.number == best
    assert history.best_so_far() == curve


def test_best_so_far_waits_for_the_first_value_and_leaves_out_the_pending(chain: SearchSpace) -> None:
    trials = (
        trial(chain, 0, None, "failed"),
        trial(chain, 1, 5.0),
        trial(chain, 2, None, "pending"),
        trial(chain, 3, None, "failed"),
    )
    curve = History(trials, Objective("score")).best_so_far()
    assert math.isnan(curve[0])
    assert curve[1:] == [5.0, 5.0]


def test_an_empty_history_has_no_best() -> None:
    history = History((), Objective("score"))
    assert history.best is None
    assert history.best_so_far() == []


def test_records_are_frozen_and_compare_by_value(chain: SearchSpace) -> None:
    config = CampaignConfig("chain", "toy", "random", Objective("score"), options={"generator_steps": 3})
    assert config == replace(config)
    assert config != replace(config, options={})
    with pytest.raises(FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]
    assert trial(chain, 0, 1.0) == trial(chain, 0, 1.0) != trial(chain, 0, 2.0)
