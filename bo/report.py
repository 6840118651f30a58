"""write_report: a campaign as one HTML file that a person reads, on its own and without a network."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bo import report_outcomes as outcomes
from bo import report_sections, report_winner
from bo.report_data import ReportData, read_campaign
from bo.report_front import fronts
from bo.report_header import header, moment
from bo.report_html import Html, element, join, page
from bo.report_motifs import MotifEffects, motifs
from bo.report_progress import curves
from bo.report_sections import section
from bo.report_trade_offs import trade_offs
from bo.store import Store
from graphs.errors import StoreError
from graphs.space import SearchSpace


def write_report(
    space: SearchSpace,
    store: Store,
    path: Path,
    explanation: MotifEffects | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write the report of the campaign in `store` to `path`, whole or not at all.

    Args:
        space: the campaign's search space.
        store: the campaign, at any point of its life.
        path: an HTML file; one that is there is replaced.
        explanation: of the best architecture, where there is one.
        columns: of the task's table, where there is one, for what random search would have found.

    Returns:
        `path`.

    Raises:
        StoreError: the store holds no campaign or one of another space, or `path` cannot be written.
    """
    data = read_campaign(space, store, columns)
    title = f"{data.config.space} on {data.config.task}"
    sections = _sections(data, explanation)
    written = f"Written {moment(datetime.now(UTC).timestamp())} from {store.path.name}"
    text = page(f"{title} · archgen report", join([header(data, title), *sections]), element("p", written))
    _replace(path, text)
    return path


def _sections(data: ReportData, explanation: MotifEffects | None) -> list[Html]:
    winner = data.history.best
    tail = [outcomes.constraints(data), outcomes.failed(data), outcomes.steps(data), outcomes.all_trials(data)]
    if winner is None and not data.history.done:
        told = "No query has been evaluated yet, so there is no best architecture to show."
        if data.ended:
            told = (
                f"None of the {len(data.ended)} queries could be evaluated, so there is no best architecture to show."
            )
        return [section("winner", "Nothing evaluated yet", element("p", told)), *tail]
    lead = report_winner.winner(data, winner) if winner is not None else report_winner.nothing_feasible(data)
    return [
        fronts(data),
        lead,
        curves(data),
        report_sections.best_ten(data),
        report_sections.surrogate(data),
        *([motifs(data, explanation)] if explanation is not None and winner is not None else []),
        report_sections.origins(data),
        *([report_sections.ancestry(data, winner)] if winner is not None else []),
        trade_offs(data),
        *tail,
    ]


def _replace(path: Path, text: str) -> None:
    """Write beside `path`, then rename: whoever opens it finds the old report or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        raise StoreError(
            f"{path}: cannot write the report ({reason}); free the disk, make {path.parent} a writable directory, "
            "or choose another file"
        ) from error
