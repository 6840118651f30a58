"""Ask and tell: nothing is lost, nothing is spent twice, and going on equals never having stopped."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bo.campaign import Campaign, Evaluator
from bo.records import Trial
from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError, InvalidOption, StoreError
from graphs.space import SearchSpace

Begin = Callable[..., Campaign]


def told(campaign: Campaign) -> list[tuple[Any, ...]]:
    """What a campaign proposed and got, in order."""
    return [
        (t.number, t.identity, t.arch, t.status, t.proposal.origin, t.proposal.parent, dict(t.metrics))
        for t in campaign.store.trials()
    ]


def test_ask_numbers_trials_and_keeps_them_before_they_are_handed_out(begin: Begin) -> None:
    campaign = begin(batch=3)
    trials = campaign.ask()
    assert [(t.number, t.step, t.status) for t in trials] == [(0, 0, "pending"), (1, 0, "pending"), (2, 0, "pending")]
    assert campaign.store.trials() == trials
    assert campaign.spent == 0


def test_asking_twice_without_telling_gives_other_candidates(begin: Begin) -> None:
    campaign = begin()
    trials = [campaign.ask()[0] for _ in range(5)] + campaign.ask(5)
    assert [t.number for t in trials] == list(range(10))
    assert len({t.identity for t in trials}) == 10


def test_candidates_may_be_told_in_any_order(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin(batch=3)
    trials = campaign.ask()
    for trial in reversed(trials):
        campaign.tell(trial, chain_value(trial.graph))
    assert [t.status for t in campaign.store.trials()] == ["done"] * 3
    assert campaign.spent == 3


def test_orphans_come_first_after_reopening_and_once(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin(batch=4)
    trials = campaign.ask()
    campaign.tell(trials[1], chain_value(trials[1].graph))
    again = begin(batch=4)
    assert again.ask(2) == [trials[0], trials[2]]
    assert again.ask() == [trials[3]], "the rest of the old step, and no new one beside it"
    fresh = again.ask(1)
    assert [t.number for t in fresh] == [4]
    assert [t.step for t in fresh] == [1]


@pytest.mark.parametrize("strategy", ["random", "evolution", "local-search"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_campaign_reopened_before_every_query_equals_an_uninterrupted_one(
    begin: Begin, chain_value: Evaluator, strategy: str, batch: int
) -> None:
    whole = begin("whole", strategy, batch=batch, seed=5)
    whole.run(chain_value, 18)
    for budget in range(1, 19):
        trial_by_trial(begin("pieces", strategy, batch=batch, seed=5), chain_value, budget)
    assert told(whole) == told(begin("pieces", strategy, batch=batch, seed=5))


def trial_by_trial(campaign: Campaign, evaluate: Evaluator, budget: int) -> None:
    """Ask for a whole step as `run` would with a budget of 18, and stop as soon as `budget` trials have ended."""
    while campaign.spent < budget:
        for trial in campaign.ask(min(campaign.config.batch, 18 - campaign.spent)):
            campaign.tell(trial, evaluate(trial.graph))
            if campaign.spent == budget:
                return


def test_a_larger_budget_prolongs_and_a_spent_one_evaluates_nothing(begin: Begin, chain_value: Evaluator) -> None:
    begin("whole").run(chain_value, 12)
    for budget in (5, 3, 12, 12):
        campaign, before = begin("prolonged"), begin("prolonged").spent
        calls: list[Trial] = []
        best = campaign.run(chain_value, budget, calls.append)
        assert len(calls) == max(0, budget - before)
        assert best == campaign.best()
    assert told(begin("prolonged")) == told(begin("whole"))


def test_the_last_step_is_cut_to_the_budget(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin(batch=4)
    campaign.run(chain_value, 10)
    assert [t.step for t in campaign.history.trials] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("strategy", "distinct", "size"),
    [
        ("random", "description", 64),
        ("evolution", "network", 40),
        ("local-search", "network", 40),
        ("local-search", "description", 64),
    ],
)
def test_an_exhausted_space_ends_the_run(
    begin: Begin, chain_value: Evaluator, strategy: str, distinct: str, size: int
) -> None:
    campaign = begin(strategy=strategy, distinct=distinct, batch=3)
    best = campaign.run(chain_value, 1000)
    assert campaign.spent == size == len({t.identity for t in campaign.history.trials})
    assert campaign.ask() == []
    assert best is not None
    assert best.arch == "c-c-c"


def test_a_failing_evaluator_costs_its_queries_and_nothing_else(begin: Begin, chain_value: Evaluator) -> None:
    def evaluate(graph: ArchGraph) -> dict[str, Any]:
        match sum(op.name == "a" for op in graph.ops):
            case 0:
                return dict(chain_value(graph))
            case 1:
                raise RuntimeError("out of memory")
            case 2:
                return {"score": math.nan}
            case _:
                return {"score": "high"}

    seen: list[Trial] = []
    campaign = begin()
    best = campaign.run(evaluate, 40, seen.append)
    assert campaign.spent == 40
    reasons = {t.arch.count("a"): t.error for t in seen}
    assert reasons[0] is None
    assert reasons[1] == "RuntimeError: out of memory"
    assert "NotFinite" in str(reasons[2])
    assert "expected a finite 'score'" in str(reasons[2])
    assert "each a number" in str(reasons[3])
    assert {t.status for t in seen if t.error} == {"failed"}
    assert best is not None
    assert best.arch == "c-c-c"
    assert [t.error for t in begin().store.trials()] == [t.error for t in seen]


def test_where_everything_fails_there_is_no_best(begin: Begin) -> None:
    campaign = begin(strategy="evolution")
    assert campaign.run(lambda _: {}, 4) is None
    assert campaign.spent == 4
    assert campaign.pareto({"score": True}) == []


def test_an_interrupted_evaluation_leaves_its_trial_to_be_evaluated_again(begin: Begin, chain_value: Evaluator) -> None:
    def interrupt(_: ArchGraph) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin().run(interrupt, 5)
    (orphan,) = begin().store.trials()
    assert orphan.status == "pending"
    again = begin()
    again.run(chain_value, 5)
    begin("whole").run(chain_value, 5)
    assert told(again) == told(begin("whole"))


@pytest.mark.parametrize(
    "metrics", [{}, {"score": math.nan}, {"score": math.inf}, {"score": None}, {"score": "x"}, {"cost": 1.0}]
)
def test_metrics_that_cannot_be_used_leave_the_trial_pending(begin: Begin, metrics: Any) -> None:
    campaign = begin()
    (trial,) = campaign.ask()
    with pytest.raises(EvaluationError, match="trial 0: expected"):
        campaign.tell(trial, metrics)
    assert campaign.store.trials()[0].status == "pending"
    campaign.tell(trial, {"score": np.float32(0.5), "cost": 3})
    assert campaign.store.trials()[0].metrics == {"score": 0.5, "cost": 3.0}


def test_a_trial_ends_once(begin: Begin) -> None:
    campaign = begin()
    (trial,) = campaign.ask()
    campaign.fail(trial, "no memory")
    with pytest.raises(StoreError, match="tell each trial once"):
        campaign.tell(trial, {"score": 1.0})
    with pytest.raises(StoreError, match="tell each trial once"):
        campaign.fail(trial, "again")
    assert campaign.history.trials[0].error == "no memory"


def test_minimising_finds_the_smallest(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin(maximize=False)
    best = campaign.run(chain_value, 40)
    assert best is not None
    assert best.arch == "skip-skip-skip"
    curve = campaign.history.best_so_far()
    assert all(earlier >= later for earlier, later in pairwise(curve))
    assert curve[-1] == 0.0


@pytest.mark.parametrize("maximize", [True, False])
def test_pareto_against_brute_force(begin: Begin, maximize: bool) -> None:
    rng = np.random.default_rng(0)

    def evaluate(_: ArchGraph) -> dict[str, float]:
        return dict(zip(("score", "cost", "size"), rng.integers(20, size=3).astype(float), strict=True))

    campaign = begin(maximize=maximize)
    campaign.run(evaluate, 40)
    directions = {"score": maximize, "cost": False, "size": True}

    def beats(left: Trial, right: Trial) -> bool:
        gains = [(left.metrics[name] - right.metrics[name]) * (1 if up else -1) for name, up in directions.items()]
        return min(gains) >= 0 and max(gains) > 0

    done = campaign.history.done
    front = campaign.pareto(directions)
    assert {t.number for t in front} == {t.number for t in done if not any(beats(other, t) for other in done)}
    assert 1 < len(front) < len(done)
    scores = [campaign.history.gain(t) for t in front]
    assert scores == sorted(scores, reverse=True)


def test_to_frame_has_a_row_for_each_trial(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin(strategy="local-search")
    campaign.run(chain_value, 8)
    campaign.ask()
    frame = campaign.to_frame()
    assert frame["number"].tolist() == list(range(9))
    assert frame["arch"].tolist() == [t.arch for t in campaign.history.trials]
    assert frame["status"].tolist() == ["done"] * 8 + ["pending"]
    assert frame["score"][:8].tolist() == [t.metrics["score"] for t in campaign.history.done]
    assert math.isnan(frame["score"][8])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"seed": 1}, "seed 0 there, 1 asked"),
        ({"strategy": "evolution"}, "strategy random there, evolution asked"),
        ({"batch": 2, "threads": 3}, "batch 1 there, 2 asked, threads 1 there, 3 asked"),
        ({"options": {"generator_steps": 5}}, "options"),
    ],
)
def test_another_campaign_in_the_store_is_refused(begin: Begin, change: dict[str, Any], match: str) -> None:
    begin()
    with pytest.raises(StoreError, match=f"holds another campaign .*{match}.*choose another --dir"):
        begin(**change)


@pytest.mark.parametrize("count", [0, -1])
def test_at_least_one_candidate_must_be_asked_for(begin: Begin, count: int) -> None:
    with pytest.raises(InvalidOption, match=f"cannot ask for {count} candidates"):
        begin().ask(count)


def test_a_campaign_without_a_strategy_is_for_reading(begin: Begin, chain: SearchSpace) -> None:
    campaign = begin()
    reader = Campaign(chain, campaign.config, campaign.store)
    assert reader.reference == {"best": 12.7, "mean": 5.0}
    with pytest.raises(InvalidOption, match="opened for reading"):
        reader.ask()


def test_every_step_keeps_the_random_state_that_seed_and_step_give(begin: Begin, chain_value: Evaluator) -> None:
    campaign = begin(seed=11)
    campaign.run(chain_value, 3)
    for number, step in enumerate(campaign.store.steps()):
        assert step["random_state"] == np.random.default_rng([11, number]).bit_generator.state
