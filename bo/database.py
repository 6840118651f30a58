"""Database: what a campaign's store needs of the database that it lies in, be it SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import sqlalchemy as sa
from sqlalchemy.engine import Connection


@runtime_checkable
class Database(Protocol):
    """A database with the tables of one campaign."""

    engine: sa.Engine
    path: Path
    """The file in the campaign's folder that is the database, or that says where it is."""
    name: str
    """What messages call it."""
    insert: Callable[..., Any]
    """The dialect's `insert`, which knows `on_conflict_do_update`."""

    def prepare(self, db: Connection) -> bool:
        """Make the place where tables go, and say whether it is empty; nobody else can do so at the same time."""

    def settle(self) -> None:
        """What remains to be done once the tables are there."""

    def hold(self, shared: bool) -> AbstractContextManager[None]:
        """Keep other machines from the campaign, or from having it alone; the folder's lock sees to this machine.

        Raises:
            CampaignBusy: another process works on it.
        """

    def now(self) -> sa.ColumnElement[float]:
        """Seconds since 1970 on the clock that all who share the campaign read."""

    def explain(self, error: sa.exc.DBAPIError) -> str:
        """What went wrong and what to do, for people."""

    def damaged(self, reason: str) -> str:
        """What to say where the database holds something that no campaign would have written."""
