"""A campaign's prior: what was measured before it began, kept in its store so that nobody needs the file again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bo.records import Proposal, Trial
from graphs.archgraph import ArchGraph
from graphs.graph_json import graph_from_dict, graph_to_dict

KEY = "prior"
"""Under which the store keeps it."""
ORIGIN = "prior"


def prior_trial(place: int, graph: ArchGraph, arch: str, identity: str, metrics: Mapping[str, float]) -> Trial:
    """One measured architecture as a trial that is no query: its number is below 0."""
    return Trial(-1 - place, -1, Proposal(graph, ORIGIN), arch, identity, "done", dict(metrics))


def prior_to_rows(prior: Sequence[Trial], space: str) -> list[dict[str, Any]]:
    """Ready for JSON."""
    return [
        {
            "arch": trial.arch,
            "id": trial.identity,
            "graph": graph_to_dict(trial.graph, space),
            "metrics": dict(trial.metrics),
        }
        for trial in prior
    ]


def prior_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Trial, ...]:
    """The inverse of `prior_to_rows`."""
    return tuple(
        prior_trial(place, graph_from_dict(row["graph"])[0], row["arch"], row["id"], row["metrics"])
        for place, row in enumerate(rows)
    )


def digest(prior: Sequence[Trial]) -> str:
    """Tells one prior from another (SHA-256, 48 bits)."""
    text = json.dumps([[trial.identity, sorted(trial.metrics.items())] for trial in prior])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
