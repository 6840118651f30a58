"""The tables by which processes share a campaign: who evaluates what, and who proposes."""

from __future__ import annotations

import sqlalchemy as sa

SHARED = sa.MetaData()
"""Apart from the store's own tables, which older campaigns have without these."""
LEASES = sa.Table(
    "leases",
    SHARED,
    sa.Column("trial", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("worker", sa.String, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("heartbeat", sa.Float, nullable=False),
)
"""A candidate that was given out, how many times so far, and when its worker last told that it is alive."""
TURNS = sa.Table(
    "turns",
    SHARED,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("worker", sa.String, nullable=False),
    sa.Column("heartbeat", sa.Float, nullable=False),
)
"""What one process does at a time."""
NEVER = 0.0
"""The heartbeat of what was given back."""
