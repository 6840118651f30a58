"""Where a campaign's store is: a file in its folder, or a PostgreSQL database that a file in the folder names."""

from __future__ import annotations

from pathlib import Path

from bo.database import Database
from bo.sqlite_database import SqliteDatabase
from bo.store import Store
from graphs.errors import StoreError

FILE = "campaign.sqlite"


def open_store(folder: Path, url: str | None = None, *, create: bool = False) -> Store:
    """The store of the campaign in `folder`.

    Args:
        folder: the campaign's folder.
        url: a PostgreSQL database; the one that the folder names, else a file in the folder, unless given.
        create: make it where it is missing.

    Raises:
        InvalidOption: the URL cannot be used.
        StoreError: there is none, it is somewhere else, or it cannot be read or written.
    """
    return Store(_database(folder, url, create), create=create)


def _database(folder: Path, url: str | None, create: bool) -> Database:
    from bo.postgres_database import ADDRESS, PostgresDatabase  # a driver that most campaigns do without

    if url is not None and (folder / FILE).exists():
        raise StoreError(f"{folder}: its campaign is in {FILE}; leave out --store or choose another --dir")
    if url is not None or (folder / ADDRESS).exists():
        return PostgresDatabase(folder / ADDRESS, create, url)
    return SqliteDatabase(folder / FILE, create)
