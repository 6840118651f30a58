"""Fidelities: who goes on, what is kept of each rung, what it costs, and what models make of those who were stopped."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bo.beliefs import fit_beliefs
from bo.campaign import Campaign, identifier
from bo.executors.inline import InlineExecutor
from bo.fidelity import Ladder, guessed, ladder_of
from bo.leases import Leases
from bo.records import CampaignConfig, History, Objective, Proposal, Trial
from bo.runner import run
from bo.store_place import open_store
from bo.strategies.random_search import RandomSearch
from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.space import SearchSpace

LADDER = Ladder((1.0, 3.0, 9.0), keep=0.5)


class Training:
    """A score that less training blurs, and what it was asked for."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.asked: list[tuple[str, float]] = []

    def __call__(self, graph: ArchGraph, fidelity: float) -> dict[str, float]:
        arch = self.space.format(graph)
        self.asked.append((arch, fidelity))
        blur = sum(map(ord, arch)) % 7 / fidelity
        return {"score": sum(map(ord, arch)) % 13 + blur, "cost": fidelity}


@pytest.fixture
def campaign(chain: SearchSpace, tmp_path: Path) -> Callable[..., Campaign]:
    def begin(**config: Any) -> Campaign:
        options = {"options": LADDER.options(), **config}
        wanted = CampaignConfig("chain", "toy", "random", Objective("score"), **options)
        store = open_store(tmp_path, create=True)
        return Campaign(chain, wanted, store, RandomSearch(chain, identifier(chain, wanted.distinct)))

    return begin


def test_a_ladder_is_kept_in_the_configuration_and_read_back() -> None:
    assert ladder_of(LADDER.options()) == LADDER
    assert ladder_of({}) is None


@pytest.mark.parametrize("fidelities", [(), (3.0,), (3.0, 3.0), (3.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (1.0, math.inf)])
def test_other_ladders_are_refused(fidelities: tuple[float, ...]) -> None:
    with pytest.raises(InvalidOption, match="expected at least two rising numbers"):
        Ladder(fidelities)


def test_only_the_promising_go_on_and_every_rung_is_kept_and_paid(
    campaign: Callable[..., Campaign], chain: SearchSpace
) -> None:
    training, made = Training(chain), campaign()
    made.run(training, 24)
    ended = made.history.ended
    assert {trial.status for trial in ended} == {"done", "stopped"}
    for trial in ended:
        climbed = [fidelity for arch, fidelity in training.asked if arch == trial.arch]
        assert climbed == list(LADDER.fidelities[: len(climbed)])
        assert trial.cost == sum(climbed)
        assert (trial.status == "done") == (climbed[-1] == 9.0)
        lower = {f"score@{fidelity:g}" for fidelity in climbed if fidelity < 9}
        assert lower <= set(trial.metrics)
        assert ("score" in trial.metrics) == (trial.status == "done")
    assert made.cost == sum(fidelity for _, fidelity in training.asked)
    for number, trial in enumerate(ended):  # the rule itself, from what was known at the time
        before = [one.metrics["score@1"] for one in ended[:number]]
        beaten = sum(value > trial.metrics["score@1"] for value in before)
        assert ("score@3" in trial.metrics) == (beaten < 0.5 * (number + 1))


def test_a_campaign_that_is_opened_again_goes_on_and_knows_its_rungs(
    campaign: Callable[..., Campaign], chain: SearchSpace
) -> None:
    whole = campaign()
    whole.run(Training(chain), 9)
    again = campaign()
    assert again.history.ended == whole.history.ended
    assert again.ladder == LADDER
    again.run(Training(chain), 12)
    assert again.spent == 12


def test_a_cost_ends_a_campaign(campaign: Callable[..., Campaign], chain: SearchSpace) -> None:
    made = campaign()
    made.run(Training(chain), 40, cost=60.0)
    costs = [trial.cost or 0.0 for trial in made.history.ended]
    assert sum(costs) >= 60 > sum(costs[:-1])


def test_the_runner_climbs_as_the_campaign_alone_does(
    campaign: Callable[..., Campaign], chain: SearchSpace, tmp_path: Path
) -> None:
    alone = campaign()
    alone.run(Training(chain), 15)
    expected = [(t.arch, t.status, t.metrics, t.cost) for t in alone.history.ended]
    (tmp_path / "campaign.sqlite").unlink()
    shared = campaign()
    run(shared, InlineExecutor(Training(chain)), 15, Leases(shared.store))
    assert [(t.arch, t.status, t.metrics, t.cost) for t in shared.history.ended] == expected


def test_what_was_stopped_is_guessed_by_a_line_and_learned_from(
    chain: SearchSpace, surrogate: Callable[[], Surrogate]
) -> None:
    graphs = list(chain.enumerate())
    done = [
        Trial(k, k, Proposal(graphs[k], "random"), "", str(k), "done", {"score": 2.0 * k + 1, "score@3": float(k)})
        for k in range(6)
    ]
    stopped = Trial(6, 6, Proposal(graphs[9], "random"), "", "6", "stopped", {"score@1": 99.0, "score@3": 10.0})
    history = History((*done, stopped), Objective("score"))
    ((trial, value),) = guessed(history, "score")
    assert trial is stopped
    assert value == pytest.approx(21.0)
    assert guessed(History((*done[:4], stopped), Objective("score")), "score") == []
    model = fit_beliefs(history, surrogate, {}).outputs[0].surrogate
    assert model is not None
    assert model.predict([graphs[9]])[0][0] == pytest.approx(21.0, abs=1.0)


def test_a_falling_line_guesses_the_mean(chain: SearchSpace) -> None:
    graphs = list(chain.enumerate())
    done = [
        Trial(k, k, Proposal(graphs[k], "random"), "", str(k), "done", {"score": float(-k), "score@1": float(k)})
        for k in range(5)
    ]
    stopped = Trial(5, 5, Proposal(graphs[9], "random"), "", "5", "stopped", {"score@1": 40.0})
    ((_, value),) = guessed(History((*done, stopped), Objective("score")), "score")
    assert value == pytest.approx(np.mean([t.metrics["score"] for t in done]))
