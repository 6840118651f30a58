"""Leases: several processes evaluate candidates of one campaign, and none is lost or evaluated twice.

A lease holds as long as its worker's heartbeats come. What a dead worker held is given to another one; an answer that
comes after all from a worker that was only slow is refused. All times are the database's.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bo.lease_tables import LEASES, NEVER, SHARED, TURNS
from bo.records import Trial
from bo.store import Store, end_trial
from bo.store_schema import TRIALS
from graphs.errors import InvalidOption, LeaseLost, StoreError

PROPOSING = "propose"
SECONDS = 60.0


@dataclass(frozen=True)
class Lease:
    """A candidate given to this worker, for the `attempt`-th time in all, from 1 on."""

    trial: int
    attempt: int


class Leases:
    """One worker's hold on candidates of a campaign.

    Args:
        store: the campaign's.
        seconds: without a heartbeat after which a worker counts as dead.
        worker: a name that no other worker has; made up unless given.

    Raises:
        InvalidOption: a lease that ends before it begins.
    """

    def __init__(self, store: Store, seconds: float = SECONDS, worker: str | None = None) -> None:
        if not seconds > 0:
            raise InvalidOption(f"lease of {seconds:g} s: expected more than 0")
        self.store, self.seconds = store, seconds
        self.worker = worker or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        store.add_tables(SHARED)

    def take(self, count: int) -> list[Lease]:
        """Up to `count` pending candidates that nobody holds, oldest first."""
        database, taken = self.store.database, []
        with self.store.writing() as db:
            for number in db.scalars(self._free(count)).all():
                fresh = {"worker": self.worker, "heartbeat": database.now()}
                insert = database.insert(LEASES).values(trial=number, attempt=1, **fresh)
                again = {**fresh, "attempt": LEASES.c.attempt + 1}
                claim = insert.on_conflict_do_update(
                    index_elements=["trial"], set_=again, where=self._expired(LEASES.c.heartbeat)
                )
                attempt = db.scalar(claim.returning(LEASES.c.attempt))
                if attempt is not None:
                    taken.append(Lease(number, attempt))
        return taken

    def end(self, trial: Trial) -> bool:
        """Write how a candidate ended, if this worker still holds it; whether it did."""
        with self.store.writing() as db:
            row = sa.select(TRIALS.c.number).where(TRIALS.c.number == trial.number).with_for_update()
            db.execute(row)  # in the order in which `take` locks, lest two workers wait for each other
            mine = (LEASES.c.trial == trial.number) & (LEASES.c.worker == self.worker)
            if db.execute(sa.delete(LEASES).where(mine)).rowcount != 1:
                return False
            return end_trial(db, trial)

    def give_back(self, trial: int, lost: bool) -> None:
        """Let others have a candidate at once.

        Args:
            lost: the attempt counts, since a worker vanished with it; else it never was.
        """
        mine = (LEASES.c.trial == trial) & (LEASES.c.worker == self.worker)
        attempt = LEASES.c.attempt - (0 if lost else 1)
        with self.store.writing() as db:
            db.execute(sa.update(LEASES).where(mine).values(heartbeat=NEVER, worker="", attempt=attempt))

    def clear(self) -> None:
        """Forget all leases and turns: for who knows, by the campaign's lock, that all other workers are gone."""
        with self.store.writing() as db:
            db.execute(sa.delete(LEASES))
            db.execute(sa.delete(TURNS))

    def beat(self) -> None:
        """Tell that this worker is alive."""
        with self.store.writing() as db:
            for table in (LEASES, TURNS):
                mine = table.c.worker == self.worker
                db.execute(sa.update(table).where(mine).values(heartbeat=self.store.database.now()))

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Heartbeats from a thread, four in the time of a lease, also while this process is busy otherwise."""
        stop = threading.Event()

        def tell() -> None:
            while not stop.wait(self.seconds / 4):
                try:
                    self.beat()
                except StoreError:  # out of reach for a moment; when it is for long, others take what this one held
                    continue

        thread = threading.Thread(target=tell, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    @contextmanager
    def turn(self, name: str = PROPOSING) -> Iterator[bool]:
        """Whether this process may do now what one does at a time; the turn lasts as long as the block."""
        database = self.store.database
        fresh = {"worker": self.worker, "heartbeat": database.now()}
        insert = database.insert(TURNS).values(name=name, **fresh)
        claim = insert.on_conflict_do_update(
            index_elements=["name"], set_=fresh, where=self._expired(TURNS.c.heartbeat)
        )
        with self.store.writing() as db:
            mine = db.scalar(claim.returning(TURNS.c.name)) is not None
        try:
            yield mine
        finally:
            if mine:
                with self.store.writing() as db:
                    db.execute(sa.delete(TURNS).where(TURNS.c.name == name, TURNS.c.worker == self.worker))

    def require_turn(self, db: Connection, name: str = PROPOSING) -> None:
        """Raise `LeaseLost` where the turn has gone to another process; until `db` commits it cannot."""
        holder = db.scalar(sa.select(TURNS.c.worker).where(TURNS.c.name == name).with_for_update())
        if holder != self.worker:
            raise LeaseLost(f"proposing took longer than the lease of {self.seconds:g} s, without a sign of life")

    def _free(self, count: int) -> sa.Select[Any]:
        held = sa.select(LEASES.c.trial).where(~self._expired(LEASES.c.heartbeat))
        free = (TRIALS.c.status == "pending") & TRIALS.c.number.not_in(held)
        found = sa.select(TRIALS.c.number).where(free).order_by(TRIALS.c.number).limit(count)
        return found.with_for_update(skip_locked=True)

    def _expired(self, heartbeat: sa.Column[float]) -> sa.ColumnElement[bool]:
        return heartbeat < self.store.database.now() - self.seconds
