"""The runner: many candidates at once, several processes on one campaign, lost workers and interrupts."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

from archgen.testing.executor import gone
from bo.campaign import Campaign, Evaluator
from bo.evaluators.function import Function
from bo.executors.executor import Answer, Executor
from bo.executors.inline import InlineExecutor
from bo.executors.limits import Limits
from bo.executors.local import LocalExecutor
from bo.leases import Leases
from bo.outcome import Lost, Measured
from bo.records import CampaignConfig, History, Objective, Trial
from bo.runner import ATTEMPTS, run
from bo.store import Store
from bo.strategies.random_search import RandomSearch
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

Begin = Callable[..., Campaign]
Place = Callable[..., AbstractContextManager[Store]]


class Scripted(Executor):
    """Answers in the reverse of the order in which it was asked, once it is full or nothing more comes."""

    def __init__(self, answer: Callable[[ArchGraph], Any], capacity: int) -> None:
        self.capacity, self.answer, self.closed = capacity, answer, 0
        self.running: dict[int, ArchGraph] = {}
        self.most = 0

    def submit(self, key: int, graph: ArchGraph, fidelity: float | None = None) -> None:
        assert key not in self.running
        self.running[key] = graph
        self.most = max(self.most, len(self.running))
        assert len(self.running) <= self.capacity

    def wait(self, seconds: float) -> list[Answer]:
        key, graph = self.running.popitem()
        return [Answer(key, self.answer(graph))]

    def close(self) -> None:
        self.closed += 1


def shared(campaign: Campaign, seconds: float = 60.0) -> Leases:
    return Leases(campaign.store, seconds)


def ends_once(store: Store, budget: int) -> None:
    trials = store.trials()
    assert [trial.number for trial in trials] == list(range(budget))
    assert all(trial.status != "pending" for trial in trials)
    assert len({trial.identity for trial in trials}) == budget


@pytest.mark.parametrize("strategy", ["random", "evolution", "local-search"])
@pytest.mark.parametrize("workers", [1, 4])
def test_workers_are_kept_busy_until_the_budget_is_spent(
    begin: Begin, chain_value: Evaluator, strategy: str, workers: int
) -> None:
    campaign, seen = begin(strategy=strategy), []
    executor = Scripted(lambda graph: Measured(chain_value(graph)), workers)
    best = run(campaign, executor, 30, shared(campaign), seen.append)
    ends_once(campaign.store, 30)
    assert executor.most == workers
    assert executor.closed
    assert sorted(trial.number for trial in seen) == list(range(30))
    assert best == campaign.best() == begin(strategy=strategy).best()
    assert campaign.spent == 30


def test_a_strategy_knows_what_is_pending_and_is_asked_as_soon_as_a_worker_is_free(
    chain: SearchSpace, place: Place
) -> None:
    pending: list[int] = []

    class Watching:
        def propose(self, history: History, count: int, rng: np.random.Generator) -> Any:
            pending.append(len(history.pending))
            return RandomSearch(chain, chain.canonical).propose(history, count, rng)

    with place(create=True) as store:
        campaign = Campaign(chain, CampaignConfig("chain", "toy", "random", Objective("score")), store, Watching())
        run(campaign, Scripted(lambda _: Measured({"score": 1}), 4), 12, shared(campaign))
    assert pending == [0] + [3] * 8


def test_an_exhausted_space_ends_the_run(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin(strategy="random", distinct="description", batch=3)
    best = run(campaign, Scripted(lambda graph: Measured(chain_value(graph)), 5), 1000, shared(campaign))
    ends_once(campaign.store, 64)
    assert best is not None
    assert best.arch == "c-c-c"


def test_the_budget_may_grow_and_what_is_spent_counts(begin: Begin, chain_value: Evaluator) -> None:
    for budget in (3, 2, 7, 7):
        campaign = begin()
        run(campaign, InlineExecutor(chain_value), budget, shared(campaign))
    ends_once(campaign.store, 7)


def test_candidates_of_an_interrupted_run_come_first(begin: Begin, chain_value: Evaluator) -> None:
    begin(batch=4).ask()
    campaign = begin(batch=4)
    run(campaign, InlineExecutor(chain_value), 4, shared(campaign))
    assert {trial.step for trial in campaign.store.trials()} == {0}


def test_a_lost_candidate_is_evaluated_again_and_no_more_than_three_times(begin: Begin) -> None:
    calls: Counter[ArchGraph] = Counter()

    def answer(graph: ArchGraph) -> Any:
        calls[graph] += 1
        deadly = any(op.name == "a" for op in graph.ops)
        return Lost("node 7 is down") if deadly or calls[graph] == 1 else Measured({"score": 1})

    campaign = begin()
    run(campaign, Scripted(answer, 3), 20, shared(campaign))
    ends_once(campaign.store, 20)
    for trial in campaign.store.trials():
        if "a" in trial.arch.split("-"):
            assert (trial.status, trial.failure, calls[trial.graph]) == ("failed", "worker_lost", ATTEMPTS)
            assert "3 workers vanished with it" in str(trial.error)
            assert "node 7 is down" in str(trial.error)
        else:
            assert (trial.status, calls[trial.graph]) == ("done", 2)


def test_a_candidate_with_which_processes_die_one_after_another_ends(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin()
    campaign.ask()
    for _ in range(ATTEMPTS):
        dead = shared(campaign, 0.01)
        assert dead.take(1)
        time.sleep(0.05)
    run(campaign, InlineExecutor(chain_value), 2, shared(campaign, 0.01))
    assert [trial.failure for trial in campaign.store.trials()] == ["worker_lost", None]


def test_answers_that_cannot_be_used_are_typed(begin: Begin) -> None:
    answers = iter([{"score": math.nan}, {"score": math.inf}, {}, {"score": "x"}, {"score": 1.0, "cost": 2.5}])
    campaign = begin()
    run(campaign, Scripted(lambda _: Measured(next(answers)), 1), 5, shared(campaign))
    trials = campaign.store.trials()
    assert [trial.failure for trial in trials] == ["not_finite", "not_finite", "bad_output", "bad_output", None]
    assert trials[4].cost == 2.5


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_ends_evaluations_and_gives_candidates_back(
    begin: Begin, chain_value: Evaluator, stop: type[BaseException]
) -> None:
    def interrupt(trial: Trial) -> None:
        if trial.number == 0:
            raise stop

    def evaluate(graph: ArchGraph) -> dict[str, float]:
        import os
        import time

        with (folder / graph.ops[1].name).open("w") as file:
            file.write(str(os.getpid()))
        time.sleep(0.2 if len(list(folder.iterdir())) == 1 else 60)
        return {"score": 1.0}

    campaign = begin(batch=3)
    folder = campaign.store.path.parent / "pids"
    folder.mkdir()
    with pytest.raises(stop):
        run(campaign, LocalExecutor(Function.of(evaluate), 3, Limits(3.0)), 9, shared(campaign), interrupt)
    assert all(gone(int(path.read_text())) for path in folder.iterdir())
    ended = campaign.spent
    assert 1 <= ended < 9
    again = begin(batch=3)
    run(again, InlineExecutor(chain_value), 9, shared(again))
    ends_once(again.store, 9)


def test_several_share_a_campaign(chain: SearchSpace, place: Place) -> None:
    """Each with a connection of its own; every candidate ends once, and each sees all of them."""
    config = CampaignConfig("chain", "toy", "random", Objective("score"), batch=2)
    seen: list[list[Trial]] = [[] for _ in range(4)]
    errors: list[BaseException] = []
    evaluated: list[ArchGraph] = []
    opened = threading.Barrier(4)

    def work(number: int) -> None:
        try:
            with place(create=True) as store:
                campaign = Campaign(chain, config, store, RandomSearch(chain, chain.canonical))
                opened.wait(60.0)

                def evaluate(graph: ArchGraph) -> dict[str, float]:
                    evaluated.append(graph)
                    time.sleep(0.01)
                    return {"score": 1.0}

                run(campaign, InlineExecutor(evaluate), 30, Leases(store), seen[number].append)
        except BaseException as error:
            errors.append(error)

    with place(create=True) as store:
        Campaign(chain, config, store)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        ends_once(store, 30)
    assert len(evaluated) == 30
    for trials in seen:
        assert sorted(trial.number for trial in trials) == list(range(30))
