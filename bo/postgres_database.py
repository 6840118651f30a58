"""PostgreSQL: the database of a campaign that several machines work on, one schema a campaign."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from graphs.errors import CampaignBusy, InvalidOption, StoreError

ADDRESS = "campaign.postgresql"
"""The file in a campaign's folder that says in which database the campaign is; without the password."""
_LONGEST = 63  # bytes of a name; PostgreSQL cuts what is longer


class PostgresDatabase:
    """A schema of a PostgreSQL database, named after the campaign's folder.

    Args:
        path: the file `ADDRESS` in the campaign's folder.
        create: make the schema where it is missing, and keep the address in the folder.
        url: the database; the one that the folder names unless given.

    Raises:
        InvalidOption: the URL is no PostgreSQL one, or there is no driver.
        StoreError: the folder names no database, or another one.
    """

    insert: Callable[..., Any] = staticmethod(postgresql.insert)

    def __init__(self, path: Path, create: bool, url: str | None = None) -> None:
        self.path, self._create = path, create
        asked = None if url is None else read_url(url)
        self.url = _address(path, asked)
        self.schema = schema_name(path.absolute().parent.name)
        self.name = f"{self.url.render_as_string()} ({self.schema})"
        self.engine = _engine(asked or self.url, self.schema)

    def prepare(self, db: Connection) -> bool:
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(_number(self.schema))))
        if not sa.inspect(db).has_schema(self.schema):
            db.execute(sa.schema.CreateSchema(self.schema))
        return not sa.inspect(db).get_table_names(schema=self.schema)

    def settle(self) -> None:
        """Keep the address, so that the folder is enough to find the campaign again."""
        if self._create:
            try:
                self.path.write_text(_bare(self.url) + "\n")
            except OSError as error:
                raise StoreError(f"{self.path}: cannot write ({error.strerror}); choose another --dir") from error

    @contextmanager
    def hold(self, shared: bool) -> Iterator[None]:
        """A lock of the server's, which goes with the connection however this process ends."""
        kind = "_shared" if shared else ""
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                lock = getattr(sa.func, f"pg_try_advisory_lock{kind}")(_number(f"hold {self.schema}"))
                if not connection.scalar(sa.select(lock)):
                    raise CampaignBusy(
                        f"{self.name}: another process works on this campaign; wait for it or choose another --dir, "
                        "or start all of its processes with --share"
                    )
                try:
                    yield
                finally:
                    connection.invalidate()  # not back to the pool, where the lock would live on
        except sa.exc.DBAPIError as error:
            raise StoreError(self.explain(error)) from error

    def now(self) -> sa.ColumnElement[float]:
        """The server's clock."""
        return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Float)

    def explain(self, error: sa.exc.DBAPIError) -> str:
        reason = " ".join(str(error.orig).split())
        match getattr(error.orig, "sqlstate", None):
            case "42P01" | "3F000":
                told = "no archgen campaign is kept here; start one with archgen search --store"
            case "23505":
                told = f"a candidate would have been evaluated twice ({reason}); please report this"
            case "53100":
                told = f"the server's disk is full ({reason}); free space and run the same command again"
            case "42501" | "25006":
                told = f"not permitted ({reason}); ask for the right to create schemas in this database"
            case _ if error.connection_invalidated or isinstance(error, sa.exc.OperationalError):
                told = f"no connection ({reason}); check --store and that the server runs, then run the same again"
            case _:
                return self.damaged(reason)
        return f"{self.name}: {told}"

    def damaged(self, reason: str) -> str:
        return f"{self.name}: not readable as a campaign ({reason}); restore the schema or choose another --dir"


def read_url(text: str) -> sa.URL:
    """The address in SQLAlchemy's form, with the driver that we use.

    Raises:
        InvalidOption: it is not one of a PostgreSQL database.
    """
    hint = "expected postgresql://user@host/database; without --store a campaign is kept in its own folder"
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise InvalidOption(f"--store {text!r} is no URL; {hint}") from error
    if url.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        raise InvalidOption(f"--store {url.render_as_string()!r}: {hint}")
    return url.set(drivername="postgresql+psycopg")


def schema_name(folder: str) -> str:
    """The schema for a campaign in a folder of this name; different for different names."""
    name = f"archgen:{folder}"
    if len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.sha256(folder.encode()).hexdigest()[:16]
    return name.encode()[: _LONGEST - 17].decode(errors="ignore") + "-" + digest


def _engine(url: sa.URL, schema: str) -> sa.Engine:
    try:
        engine = sa.create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise InvalidOption(f"--store needs {error.name}; install it with: pip install 'archgen[postgres]'") from error
    quoted = '"' + schema.replace('"', '""') + '"'

    def prepare(connection: Any, _record: Any) -> None:
        connection.execute(f"SET search_path TO {quoted}")
        connection.commit()

    sa.event.listen(engine, "connect", prepare)
    return engine


def _address(path: Path, asked: sa.URL | None) -> sa.URL:
    """The database that was asked for, else the one that the folder names; both must be one."""
    kept = read_url(path.read_text().strip()) if path.is_file() else None
    if kept is None and asked is None:
        raise StoreError(f"{path.parent}: no campaign here (no {path.name}); start one with archgen search --store")
    if kept is not None and asked is not None and _bare(kept) != _bare(asked):
        raise StoreError(
            f"{path.parent}: its campaign is in {_bare(kept)}, not in {_bare(asked)}; choose another --dir"
        )
    found = asked or kept
    assert found is not None
    return found


def _bare(url: sa.URL) -> str:
    """The address without the password, which does not belong into a folder that is handed around."""
    return url.set(drivername="postgresql", password=None).render_as_string()


def _number(schema: str) -> int:
    """A number for PostgreSQL's advisory locks."""
    return int.from_bytes(hashlib.sha256(schema.encode()).digest()[:8], "big", signed=True)
