"""The campaign's store: one transaction a step, in SQLite or PostgreSQL. W&B and the report are views of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bo.database import Database
from bo.records import CampaignConfig, Trial
from bo.sqlite_database import SqliteDatabase
from bo.store_schema import ADDED, META, METADATA, SCHEMA, STEPS, TRIALS, config_from_dict, from_row, to_row
from graphs.errors import InvalidArchitecture, StoreError


class Store:
    """The tables `meta`, `steps` and `trials` of one campaign.

    A database that is something else is left as it is.

    Args:
        database: where they are, or the path of an SQLite file; see `bo.store_place` for a campaign's folder.
        create: make the tables where they are missing; hold the campaign's lock.

    Raises:
        StoreError: it is no campaign store, is newer than this version, or cannot be read or written.
    """

    def __init__(self, database: Database | Path, *, create: bool = False) -> None:
        self.database = SqliteDatabase(database, create) if isinstance(database, Path) else database
        self._engine = self.database.engine
        try:
            if create:
                self._create()
            self._check_schema()
            self.database.settle()
        except StoreError:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The file in the campaign's folder that is the database, or that says where it is."""
        return self.database.path

    def close(self) -> None:
        self._engine.dispose()

    def read_meta(self, key: str) -> Any:
        """The JSON value kept under `key`, or None."""
        with self._transaction() as db:
            found = db.execute(sa.select(META.c.value).where(META.c.key == key)).scalar()
        with self._damage():
            return None if found is None else json.loads(found)

    def write_meta(self, values: Mapping[str, Any]) -> None:
        """Keep each value as JSON, in one transaction."""
        with self.writing() as db:
            for key, value in values.items():
                row = {"key": key, "value": json.dumps(value)}
                db.execute(
                    self.database.insert(META).values(row).on_conflict_do_update(index_elements=["key"], set_=row)
                )

    def read_config(self) -> CampaignConfig | None:
        """The campaign's configuration; None in a store that was just created."""
        found = self.read_meta("config")
        with self._damage():
            return None if found is None else config_from_dict(found)

    def write_config(self, config: CampaignConfig, reference: Mapping[str, float]) -> None:
        """Keep the configuration and what a table tells of the task: `best` and `mean` of the objective."""
        self.write_meta({"config": asdict(config), "reference": dict(reference), "created": time.time()})

    def add_step(
        self,
        trials: Sequence[Trial],
        space: str,
        random_state: Any,
        notes: Mapping[str, Any],
        seconds: float,
        check: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Write one step's proposals, its random state and what the strategy notes of it, in one transaction.

        Args:
            check: called in the transaction beforehand; what it raises keeps the step out.
        """
        with self.writing() as db:
            check(db)
            values = {"random_state": json.dumps(random_state), "notes": json.dumps(dict(notes)), "seconds": seconds}
            db.execute(sa.insert(STEPS).values(step=trials[0].step, **values))
            db.execute(sa.insert(TRIALS), [to_row(trial, space) for trial in trials])

    def tell(self, trial: Trial) -> None:
        """Write how a pending trial ended.

        Raises:
            StoreError: it has ended before.
        """
        with self.writing() as db:
            if not end_trial(db, trial):
                raise StoreError(f"trial {trial.number} has ended before; tell each trial once")

    def trials(self, pending: Sequence[int] = (), start: int = 0) -> list[Trial]:
        """Trials by number: all, or those among `pending` that have ended and all from number `start` on."""
        asked = TRIALS.c.number >= start
        if pending:
            asked |= TRIALS.c.number.in_(pending) & (TRIALS.c.status != "pending")
        with self._damage(), self._transaction() as db:
            rows = db.execute(sa.select(TRIALS).where(asked).order_by(TRIALS.c.number)).mappings()
            return [from_row(row) for row in rows]

    def steps(self, first: int = 0) -> list[dict[str, Any]]:
        """For each step from the number `first` on its number, notes, random state and seconds."""
        with self._transaction() as db:
            rows = db.execute(sa.select(STEPS).where(STEPS.c.step >= first).order_by(STEPS.c.step)).mappings().all()
        with self._damage():
            return [
                {**row, "notes": json.loads(row["notes"]), "random_state": json.loads(row["random_state"])}
                for row in rows
            ]

    def add_tables(self, metadata: sa.MetaData) -> None:
        """Make further tables where they are missing."""
        with self.writing() as db:
            self.database.prepare(db)
            metadata.create_all(db)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: on SQLite no other one writes meanwhile."""
        with self._transaction(write=True) as db:
            yield db

    def _create(self) -> None:
        """Make the tables in one transaction, in a database that has none."""
        with self.writing() as db:
            if self.database.prepare(db):
                METADATA.create_all(db)
                db.execute(sa.insert(META).values(key="schema", value=str(SCHEMA)))

    def _check_schema(self) -> None:
        name = self.database.name
        with self._transaction() as db:
            found = db.execute(sa.select(META.c.value).where(META.c.key == "schema")).scalar()
        if not isinstance(found, str) or not found.isdigit():
            raise StoreError(f"{name}: a database, but no archgen campaign; choose another directory")
        if int(found) > SCHEMA:
            raise StoreError(f"{name}: written by a newer archgen (schema {found}, this one reads {SCHEMA}); upgrade")
        if int(found) < SCHEMA:
            self._migrate()

    def _migrate(self) -> None:
        """Give a store of an older schema the columns that it lacks; nothing that is kept changes."""
        with self.writing() as db:
            row = sa.select(META.c.value).where(META.c.key == "schema").with_for_update()
            found = int(db.execute(row).scalar_one())  # once more, since another process may have been faster
            for column in (column for schema in range(found + 1, SCHEMA + 1) for column in ADDED[schema]):
                kind = column.type.compile(dialect=db.dialect)
                db.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}")
            db.execute(sa.update(META).where(META.c.key == "schema").values(value=str(SCHEMA)))

    @contextmanager
    def _transaction(self, write: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.execution_options(write=write).begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise StoreError(self.database.explain(error)) from error

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """What is kept must have our form, or somebody else wrote it."""
        try:
            yield
        except (InvalidArchitecture, KeyError, TypeError, ValueError) as error:
            raise StoreError(self.database.damaged(f"{type(error).__name__}: {error}")) from error


def end_trial(db: Connection, trial: Trial) -> bool:
    """Write how a trial ended, unless it has ended before; whether that was done."""
    ended = db.execute(
        sa.update(TRIALS)
        .where(TRIALS.c.number == trial.number, TRIALS.c.status == "pending")
        .values(
            status=trial.status,
            metrics=json.dumps(dict(trial.metrics)),
            error=trial.error,
            failure=trial.failure,
            cost=trial.cost,
            told_at=time.time(),
        )
    )
    return ended.rowcount == 1
