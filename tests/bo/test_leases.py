"""Leases on SQLite and PostgreSQL: one holder a candidate, the dead give back, late answers are refused."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

import pytest
import sqlalchemy as sa

from bo.lease_tables import LEASES, TURNS
from bo.leases import Lease, Leases
from bo.records import Proposal, Trial
from bo.store import Store
from graphs.errors import InvalidOption, LeaseLost, StoreError
from graphs.space import SearchSpace

Place = Callable[..., AbstractContextManager[Store]]
Worker = Callable[..., Leases]
COUNT = 12


@pytest.fixture
def worker(place: Place, chain: SearchSpace) -> Iterator[Worker]:
    """`worker(seconds)` is another worker with a connection of its own, on twelve pending candidates."""
    graphs = list(chain.enumerate())[:COUNT]
    with ExitStack() as stack:
        store = stack.enter_context(place(create=True))
        trials = [Trial(n, 0, Proposal(graph, "random"), str(n), str(n)) for n, graph in enumerate(graphs)]
        store.add_step(trials, "chain", {}, {}, 0.0)
        yield lambda seconds=60.0: Leases(stack.enter_context(place(create=True)), seconds)


def done(leases: Leases, number: int) -> Trial:
    return replace(leases.store.trials()[number], status="done", metrics={"score": 1.0})


def age(leases: Leases, seconds: float) -> None:
    """Let all heartbeats be older."""
    with leases.store.writing() as db:
        for table in (LEASES, TURNS):
            db.execute(sa.update(table).values(heartbeat=table.c.heartbeat - seconds))


def test_a_candidate_has_one_holder(worker: Worker) -> None:
    first, second = worker(), worker()
    assert first.take(5) == [Lease(number, 1) for number in range(5)]
    assert second.take(4) == [Lease(number, 1) for number in range(5, 9)]
    assert first.take(9) == [Lease(number, 1) for number in range(9, 12)]
    assert second.take(1) == []


def test_who_takes_at_the_same_time_takes_others(worker: Worker) -> None:
    workers, taken = [worker() for _ in range(6)], []

    def take(leases: Leases) -> None:
        while found := leases.take(1):
            taken.extend(found)

    threads = [threading.Thread(target=take, args=(leases,)) for leases in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(taken) == Counter(Lease(number, 1) for number in range(COUNT))


def test_the_holder_ends_its_candidate_once(worker: Worker) -> None:
    first, second = worker(), worker()
    first.take(1)
    assert not second.end(done(second, 0)), "it holds nothing"
    assert first.end(done(first, 0))
    assert not first.end(done(first, 0))
    assert [trial.status for trial in first.store.trials()[:2]] == ["done", "pending"]
    assert [lease.trial for lease in second.take(COUNT)] == list(range(1, COUNT)), "what has ended is not taken"


def test_the_dead_lose_their_candidates_and_their_late_answers_are_refused(worker: Worker) -> None:
    slow, quick = worker(), worker()
    slow.take(2)
    age(slow, 59)
    assert [lease.trial for lease in quick.take(1)] == [2]
    age(slow, 2)
    quick.beat()
    assert quick.take(2) == [Lease(0, 2), Lease(1, 2)]
    assert not slow.end(done(slow, 0)), "while the other one is at it"
    assert quick.end(done(quick, 0))
    assert not slow.end(done(slow, 0)), "after the other one has ended it"
    slow.beat()
    assert slow.take(COUNT)[0] == Lease(3, 1)


def test_heartbeats_keep_a_lease(worker: Worker) -> None:
    alive, other = worker(0.4), worker(0.4)
    alive.take(COUNT)
    with alive.turn() as mine, alive.beating():
        assert mine
        for _ in range(5):
            time.sleep(0.2)
            assert other.take(1) == []
            with other.turn() as theirs:
                assert not theirs
    time.sleep(0.6)
    assert len(other.take(COUNT)) == COUNT


def test_what_is_given_back_is_free_at_once_and_only_losses_count(worker: Worker) -> None:
    first, second = worker(), worker()
    for lost, attempt in ((False, 1), (True, 1), (False, 2), (True, 2), (True, 3)):
        assert first.take(1) == [Lease(0, attempt)]
        first.give_back(0, lost)
    second.take(1)
    first.give_back(0, lost=True)
    assert first.take(1) == [Lease(1, 1)], "what another one holds cannot be given back"


def test_clear_frees_everything(worker: Worker) -> None:
    dead, fresh = worker(), worker()
    dead.take(3)
    with dead.turn():
        fresh.clear()
        with fresh.turn() as mine:
            assert mine
    assert len(fresh.take(COUNT)) == COUNT


def test_one_proposes_at_a_time_and_a_dead_one_loses_its_turn(worker: Worker) -> None:
    first, second = worker(), worker()
    with first.turn() as mine:
        with second.turn() as theirs:
            assert (mine, theirs) == (True, False)
        with first.store.writing() as db:
            first.require_turn(db)
        age(first, 61)
        with second.turn() as theirs:
            assert theirs
            with pytest.raises(LeaseLost, match="took longer than the lease of 60 s"), first.store.writing() as db:
                first.require_turn(db)
    with second.turn() as theirs:
        assert theirs


def test_heartbeats_outlive_a_store_that_is_out_of_reach(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    leases, calls = worker(0.2), []

    def beat() -> None:
        calls.append(len(calls))
        if len(calls) < 3:
            raise StoreError("out of reach")

    monkeypatch.setattr(leases, "beat", beat)
    with leases.beating():
        time.sleep(0.5)
    assert len(calls) > 4


def test_a_lease_of_no_time_is_refused(worker: Worker) -> None:
    with pytest.raises(InvalidOption, match=r"lease of 0 s: expected more than 0"):
        worker(0.0)
