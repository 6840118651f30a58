"""The tables of a campaign's store, and trials as rows of them."""

from __future__ import annotations

import json
import time
from typing import Any

import sqlalchemy as sa

from bo.records import CampaignConfig, Objective, Proposal, Trial
from graphs.condition import Condition
from graphs.graph_json import graph_from_json, graph_to_json

SCHEMA = 2
METADATA = sa.MetaData()
META = sa.Table("meta", METADATA, sa.Column("key", sa.String, primary_key=True), sa.Column("value", sa.Text))
STEPS = sa.Table(
    "steps",
    METADATA,
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("random_state", sa.Text, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)
TRIALS = sa.Table(
    "trials",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("step", sa.Integer, sa.ForeignKey("steps.step"), nullable=False),
    sa.Column("identity", sa.String, nullable=False, unique=True),
    sa.Column("arch", sa.Text, nullable=False),
    sa.Column("graph", sa.Text, nullable=False),
    sa.Column("origin", sa.String, nullable=False),
    sa.Column("parent", sa.Integer),
    sa.Column("mean", sa.Float),
    sa.Column("std", sa.Float),
    sa.Column("acquisition", sa.Float),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("told_at", sa.Float),
    sa.Column("failure", sa.String),
    sa.Column("cost", sa.Float),
)
ADDED = {2: (TRIALS.c.failure, TRIALS.c.cost)}
"""The columns that a schema added; a store of an older one lacks them."""


def to_row(trial: Trial, space: str) -> dict[str, Any]:
    """The row of a trial that is being asked now."""
    proposal = trial.proposal
    return {
        "number": trial.number,
        "step": trial.step,
        "identity": trial.identity,
        "arch": trial.arch,
        "graph": graph_to_json(proposal.graph, space),
        "origin": proposal.origin,
        "parent": proposal.parent,
        "mean": proposal.mean,
        "std": proposal.std,
        "acquisition": proposal.acquisition,
        "status": trial.status,
        "metrics": json.dumps(dict(trial.metrics)),
        "asked_at": time.time(),
    }


def from_row(row: Any) -> Trial:
    """The inverse of `to_row`; raises what damaged JSON and graphs raise."""
    graph, _ = graph_from_json(row["graph"])
    proposal = Proposal(graph, row["origin"], row["parent"], row["mean"], row["std"], row["acquisition"])
    return Trial(
        number=row["number"],
        step=row["step"],
        proposal=proposal,
        arch=row["arch"],
        identity=row["identity"],
        status=row["status"],
        metrics=json.loads(row["metrics"]),
        error=row["error"],
        failure=row["failure"],
        cost=row["cost"],
    )


def config_from_dict(kept: dict[str, Any]) -> CampaignConfig:
    """The inverse of `dataclasses.asdict` on a configuration, once through JSON."""
    return CampaignConfig(
        **{
            **kept,
            "objective": Objective(**kept["objective"]),
            "others": tuple(Objective(**one) for one in kept.get("others", ())),
            "constraints": tuple(Condition(**one) for one in kept.get("constraints", ())),
        }
    )
