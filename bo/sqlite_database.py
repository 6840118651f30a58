"""SQLite in WAL mode: the database of a campaign that lies in its own folder."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

from graphs.errors import StoreError


class SqliteDatabase:
    """A file.

    Args:
        path: the file.
        create: make it where it is missing or empty.

    Raises:
        StoreError: there is none and none is to be made.
    """

    insert: Callable[..., Any] = staticmethod(sqlite.insert)

    def __init__(self, path: Path, create: bool) -> None:
        if not create and not os.path.isfile(path):
            raise StoreError(f"{path.parent}: no campaign here (no {path.name}); start one with archgen search --dir")
        self.path, self.name, self._create = path, str(path), create
        self.engine = sa.create_engine(
            _url(path, create),
            connect_args={"timeout": 30, "isolation_level": None},
            poolclass=sa.QueuePool if create else sa.NullPool,  # who only reads leaves no open file behind
        )
        sa.event.listen(self.engine, "connect", _prepare)
        sa.event.listen(self.engine, "begin", _begin)

    def prepare(self, db: Connection) -> bool:
        return not sa.inspect(db).get_table_names()

    def settle(self) -> None:
        """SQLite changes its journal only outside a transaction, so this goes past SQLAlchemy's."""
        if not self._create:
            return
        connection = self.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            raise StoreError(self._advise(str(error))) from error
        finally:
            connection.close()

    def hold(self, shared: bool) -> AbstractContextManager[None]:
        """Nothing more than the folder's lock."""
        return nullcontext()

    def now(self) -> sa.ColumnElement[float]:
        """The machine's own clock: those who share a file share the machine."""
        return sa.literal(time.time())

    def explain(self, error: sa.exc.DBAPIError) -> str:
        return self._advise(str(error.orig))

    def damaged(self, reason: str) -> str:
        return f"{self.name}: not readable as a campaign ({reason}); restore the file or choose another directory"

    def _advise(self, reason: str) -> str:
        if "full" in reason or "I/O" in reason:
            told = "free disk space and run the same command again, nothing is lost"
            return f"{self.name}: cannot write ({reason}); {told}"
        if "readonly" in reason or "unable to open" in reason:
            told = "make the directory writable or choose another with --dir"
            return f"{self.name}: cannot write ({reason}); {told}"
        if "no such table" in reason:
            return f"{self.name}: a database, but no archgen campaign; choose another directory"
        if "locked" in reason:
            told = "close that program and run the same command again"
            return f"{self.name}: another program keeps it locked; {told}"
        if "UNIQUE" in reason:
            return f"{self.name}: a candidate would have been evaluated twice ({reason}); please report this"
        return self.damaged(reason)


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
    """Python's sqlite3 begins no transaction before a CREATE or a SELECT, so we begin every one.

    One that will write says so at once: SQLite lets it wait for its turn, but refuses to turn a reader into a writer
    once another one has written.
    """
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
