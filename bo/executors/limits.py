"""Limits: what one evaluation may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds of wall time, and bytes of memory of all processes of one evaluation; None is without limit."""

    seconds: float | None = None
    memory: int | None = None


NO_LIMITS = Limits()
