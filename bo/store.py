"""The campaign's store: SQLite in WAL mode, one transaction a step. W&B and the report are views of it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bo.records import CampaignConfig, Trial
from bo.store_schema import ADDED, META, METADATA, SCHEMA, STEPS, TRIALS, config_from_dict, from_row, to_row
from graphs.errors import InvalidArchitecture, StoreError


class Store:
    """The tables `meta`, `steps` and `trials` of one campaign.

    A file that is something else is left as it is.

    Args:
        path: the database.
        create: make it where it is missing or empty; hold the campaign's lock.

    Raises:
        StoreError: the file is no campaign store, is newer than this version, or cannot be read or written.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        if not create and not os.path.isfile(path):
            raise StoreError(f"{path.parent}: no campaign here (no {path.name}); start one with archgen search --dir")
        self._engine = sa.create_engine(
            _url(path, create),
            connect_args={"timeout": 30, "isolation_level": None},
            poolclass=sa.QueuePool if create else sa.NullPool,  # who only reads leaves no open file behind
        )
        sa.event.listen(self._engine, "connect", _prepare)
        sa.event.listen(self._engine, "begin", _begin)
        try:
            if create:
                self._create()
            self._check_schema()
            if create:
                self._use_write_ahead_log()
        except StoreError:
            self.close()
            raise

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
        with self._transaction() as db:
            for key, value in values.items():
                db.execute(sa.insert(META).prefix_with("OR REPLACE").values(key=key, value=json.dumps(value)))

    def read_config(self) -> CampaignConfig | None:
        """The campaign's configuration; None in a store that was just created."""
        found = self.read_meta("config")
        with self._damage():
            return None if found is None else config_from_dict(found)

    def write_config(self, config: CampaignConfig, reference: Mapping[str, float]) -> None:
        """Keep the configuration and what a table tells of the task: `best` and `mean` of the objective."""
        self.write_meta({"config": asdict(config), "reference": dict(reference), "created": time.time()})

    def add_step(
        self, trials: Sequence[Trial], space: str, random_state: Any, notes: Mapping[str, Any], seconds: float
    ) -> None:
        """Write one step's proposals, its random state and what the strategy notes of it, in one transaction."""
        with self._transaction() as db:
            values = {"random_state": json.dumps(random_state), "notes": json.dumps(dict(notes)), "seconds": seconds}
            db.execute(sa.insert(STEPS).values(step=trials[0].step, **values))
            db.execute(sa.insert(TRIALS), [to_row(trial, space) for trial in trials])

    def tell(self, trial: Trial) -> None:
        """Write how a pending trial ended."""
        with self._transaction() as db:
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
            if ended.rowcount != 1:
                raise StoreError(f"trial {trial.number} has ended before; tell each trial once")

    def trials(self) -> list[Trial]:
        """All trials, by number."""
        with self._damage(), self._transaction() as db:
            return [from_row(row) for row in db.execute(sa.select(TRIALS).order_by(TRIALS.c.number)).mappings()]

    def steps(self) -> list[dict[str, Any]]:
        """For each step its number, notes, random state and seconds."""
        with self._transaction() as db:
            rows = db.execute(sa.select(STEPS).order_by(STEPS.c.step)).mappings().all()
        with self._damage():
            return [
                {**row, "notes": json.loads(row["notes"]), "random_state": json.loads(row["random_state"])}
                for row in rows
            ]

    def _create(self) -> None:
        """Make the tables in one transaction, in a database that has none."""
        with self._transaction() as db:
            if not sa.inspect(db).get_table_names():
                METADATA.create_all(db)
                db.execute(sa.insert(META).values(key="schema", value=str(SCHEMA)))

    def _use_write_ahead_log(self) -> None:
        """SQLite changes its journal only outside a transaction, so this goes past SQLAlchemy's."""
        connection = self._engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            raise StoreError(_explain(self.path, str(error))) from error
        finally:
            connection.close()

    def _check_schema(self) -> None:
        with self._transaction() as db:
            found = db.execute(sa.select(META.c.value).where(META.c.key == "schema")).scalar()
        if found is None or not found.isdigit():
            raise StoreError(f"{self.path}: a database, but no archgen campaign; choose another directory")
        if int(found) > SCHEMA:
            raise StoreError(
                f"{self.path}: written by a newer archgen (schema {found}, this one reads {SCHEMA}); upgrade"
            )
        if int(found) < SCHEMA:
            self._migrate(int(found))

    def _migrate(self, found: int) -> None:
        """Give a store of an older schema the columns that it lacks; nothing that is kept changes."""
        with self._transaction() as db:
            for column in (column for schema in range(found + 1, SCHEMA + 1) for column in ADDED[schema]):
                kind = column.type.compile(dialect=db.dialect)
                db.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}")
            db.execute(sa.update(META).where(META.c.key == "schema").values(value=str(SCHEMA)))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DatabaseError as error:
            raise StoreError(_explain(self.path, str(error.orig))) from error

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """What is kept must have our form, or somebody else wrote it."""
        try:
            yield
        except (InvalidArchitecture, KeyError, TypeError, ValueError) as error:
            raise StoreError(_explain(self.path, f"{type(error).__name__}: {error}")) from error


def _url(path: Path, create: bool) -> sa.URL:
    """SQLite needs to write beside a database in WAL mode even to read it, unless it is told that nothing changes."""
    log = path.with_name(path.name + "-wal")
    if create or os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
        return sa.URL.create("sqlite", database=str(path))
    return sa.URL.create("sqlite", database=f"file:{quote(str(path))}", query={"immutable": "1", "uri": "true"})


def _prepare(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    """Python's sqlite3 begins no transaction before a CREATE or a SELECT, so we begin every one."""
    connection.exec_driver_sql("BEGIN")


def _explain(path: Path, reason: str) -> str:
    if "full" in reason or "I/O" in reason:
        return f"{path}: cannot write ({reason}); free disk space and run the same command again, nothing is lost"
    if "readonly" in reason or "unable to open" in reason:
        return f"{path}: cannot write ({reason}); make the directory writable or choose another with --dir"
    if "no such table" in reason:
        return f"{path}: a database, but no archgen campaign; choose another directory"
    if "locked" in reason:
        return f"{path}: another program keeps it locked; close that program and run the same command again"
    if "UNIQUE" in reason:
        return f"{path}: a candidate would have been evaluated twice ({reason}); please report this"
    return f"{path}: not readable as a campaign ({reason}); restore the file or choose another directory"
