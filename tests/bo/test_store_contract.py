"""What every store must hold, in SQLite and in PostgreSQL alike."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from bo.records import CampaignConfig, Objective, Proposal, Trial
from bo.store import Store
from bo.store_schema import SCHEMA
from graphs.condition import Condition
from graphs.errors import StoreError
from graphs.space import SearchSpace

Place = Callable[..., AbstractContextManager[Store]]
CONFIG = CampaignConfig(
    "chain",
    "toy",
    "archgen",
    Objective("loss", maximize=False),
    7,
    3,
    2,
    "description",
    {"generator_steps": 9},
    (Objective("accuracy"),),
    (Condition("latency", "<=", 5.0),),
)


def trial(space: SearchSpace, number: int, step: int = 0, **changes: object) -> Trial:
    graph = list(space.enumerate())[number]
    proposal = Proposal(graph, "mutation", 3, 0.1 + 0.2, 1e-300, -1234.5)
    return Trial(number, step, proposal, space.format(graph), f"id{number}", **changes)  # type: ignore[arg-type]


def test_round_trip_to_the_last_bit(place: Place, chain: SearchSpace) -> None:
    state = np.random.default_rng([5, 0]).bit_generator.state
    trials = [trial(chain, 0), trial(chain, 1), trial(chain, 2)]
    with place(create=True) as store:
        assert store.read_config() is None
        store.write_config(CONFIG, {"best": 1 / 3})
        store.add_step(trials, "chain", state, {"pool": {"random": 2}, "text": "ü"}, 0.25)
        store.tell(done := trial(chain, 0, status="done", metrics={"loss": 0.1 + 0.2, "cost": 2.0}))
        store.tell(failed := trial(chain, 1, status="failed", error="ü\nsecond line", failure="crash", cost=2.5))
    with place() as store:
        assert store.read_config() == CONFIG
        assert store.read_meta("reference") == {"best": 1 / 3}
        assert store.read_meta("nothing") is None
        assert store.trials() == [done, failed, trials[2]]
        (step,) = store.steps()
    assert step == {"step": 0, "random_state": state, "notes": {"pool": {"random": 2}, "text": "ü"}, "seconds": 0.25}


def test_a_store_of_the_first_schema_is_given_what_it_lacks(place: Place, chain: SearchSpace) -> None:
    with place(create=True) as store:
        store.add_step([trial(chain, 0), trial(chain, 1)], "chain", {}, {}, 0.0)
        store.tell(done := trial(chain, 0, status="done", metrics={"loss": 1.0}))
        with store.writing() as db:
            db.exec_driver_sql("ALTER TABLE trials DROP COLUMN failure")
            db.exec_driver_sql("ALTER TABLE trials DROP COLUMN cost")
            db.exec_driver_sql("UPDATE meta SET value = '1' WHERE key = 'schema'")
    with place() as store:
        assert store.trials()[0] == done
    with place(create=True) as store:
        store.tell(failed := trial(chain, 1, status="failed", error="no", failure="timeout"))
        assert store.trials()[1] == failed


def test_the_random_state_that_was_kept_draws_the_same_numbers(place: Place, chain: SearchSpace) -> None:
    rng = np.random.default_rng([5, 0])
    with place(create=True) as store:
        store.add_step([trial(chain, 0)], "chain", rng.bit_generator.state, {}, 0.0)
        again = np.random.default_rng()
        again.bit_generator.state = store.steps()[0]["random_state"]
    assert again.integers(2**63, size=9).tolist() == rng.integers(2**63, size=9).tolist()


def test_a_trial_is_told_once(place: Place, chain: SearchSpace) -> None:
    with place(create=True) as store:
        store.add_step([trial(chain, 0)], "chain", {}, {}, 0.0)
        store.tell(trial(chain, 0, status="done", metrics={"loss": 1.0}))
        for again in (trial(chain, 0, status="done", metrics={"loss": 2.0}), trial(chain, 9, status="failed")):
            with pytest.raises(StoreError, match="tell each trial once"):
                store.tell(again)
        assert store.trials()[0].metrics == {"loss": 1.0}


def test_an_identity_is_kept_once_and_a_refused_step_leaves_nothing(place: Place, chain: SearchSpace) -> None:
    with place(create=True) as store:
        store.add_step([trial(chain, 0)], "chain", {}, {}, 0.0)
        twin = Trial(1, 1, trial(chain, 1).proposal, "x", "id0")
        with pytest.raises(StoreError, match="evaluated twice"):
            store.add_step([trial(chain, 2, step=1), twin], "chain", {}, {}, 0.0)
        assert [kept.number for kept in store.trials()] == [0]
        assert len(store.steps()) == 1


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("UPDATE meta SET value = '{' WHERE key = 'config'", "read_config"),
        ("UPDATE meta SET value = '{\"task\": 1}' WHERE key = 'config'", "read_config"),
        ("UPDATE meta SET value = '[]' WHERE key = 'config'", "read_config"),
        ("UPDATE trials SET graph = 'no graph'", "trials"),
        ("UPDATE trials SET metrics = '{'", "trials"),
        ("UPDATE steps SET notes = ''", "steps"),
        ("DROP TABLE trials", "trials"),
    ],
)
def test_a_damaged_value_is_one_clear_error(place: Place, chain: SearchSpace, statement: str, read: str) -> None:
    with place(create=True) as store:
        store.write_config(CONFIG, {})
        store.add_step([trial(chain, 0)], "chain", {}, {}, 0.0)
        with store.writing() as db:
            db.exec_driver_sql(statement)
    with place() as store, pytest.raises(StoreError, match=r"choose another (directory|--dir)|no archgen campaign"):
        getattr(store, read)()


def test_a_newer_store_is_refused(place: Place) -> None:
    with place(create=True) as store:
        store.write_meta({"schema": SCHEMA + 1})
    for create in (False, True):
        match = f"newer archgen .schema {SCHEMA + 1}, this one reads {SCHEMA}.; upgrade"
        with pytest.raises(StoreError, match=match), place(create=create):
            pass


def test_a_missing_store_is_only_made_on_demand(place: Place) -> None:
    with pytest.raises(StoreError, match=r"no campaign here .*archgen search --"), place():
        pass


def test_campaigns_in_folders_of_any_name_are_apart(place: Place, tmp_path: Path) -> None:
    names = ["a?b=c#d%20e ü'&immutable=1", 'quo"ted', "a", "A", "x" * 200, "x" * 199 + "y", "%s", "public"]
    for name in names:
        with place(tmp_path / name, create=True) as store:
            assert store.read_meta("name") is None
            store.write_meta({"name": name})
    for name in names:
        with place(tmp_path / name) as store:
            assert store.read_meta("name") == name


def test_what_was_asked_since_and_what_has_ended_since(place: Place, chain: SearchSpace) -> None:
    with place(create=True) as store, place() as reader:
        store.add_step([trial(chain, number) for number in range(3)], "chain", {}, {}, 0.0)
        assert [t.number for t in reader.trials(start=1)] == [1, 2]
        store.tell(done := trial(chain, 1, status="done", metrics={"loss": 1.0}))
        assert reader.trials([0, 1, 2], start=3) == [done]
        store.add_step([fresh := trial(chain, 3, step=1)], "chain", {}, {}, 0.0)
        assert reader.trials([0, 2], start=3) == [fresh]


def test_processes_that_begin_one_campaign_together_make_it_once(place: Place) -> None:
    errors: list[BaseException] = []

    def begin() -> None:
        try:
            with place(create=True) as store:
                store.write_meta({"a": 1})
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_writers_wait_for_each_other(place: Place) -> None:
    """Also when each reads before it writes, which SQLite refuses without waiting unless it was told beforehand."""
    with place(create=True) as store:
        store.write_meta({"count": 0})

        def count() -> None:
            with place(create=True) as mine:
                for _ in range(10):
                    with mine.writing() as db:
                        row = "SELECT value FROM meta WHERE key = 'count'"
                        locked = row + " FOR UPDATE" * (db.dialect.name == "postgresql")
                        found = int(db.exec_driver_sql(locked).scalar_one())
                        db.exec_driver_sql(f"UPDATE meta SET value = '{found + 1}' WHERE key = 'count'")

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.read_meta("count") == 40
