"""Commands that rebuild a view of a campaign from its store: the report and the W&B run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

from archgen.session import REPORT, read_campaign
from bo.campaign import Campaign
from bo.lock import hold


def make_report(folder: Path, out: Path | None, as_json: bool) -> None:
    from bo.report import write_report

    campaign = read_campaign(folder)
    path = write_report(campaign.space, campaign.store, out or folder / REPORT)
    print(json.dumps({"report": str(path)}) if as_json else f"report: {path}")


def wandb_project() -> str:
    """W&B's own variable, or archgen."""
    return os.environ.get("WANDB_PROJECT") or "archgen"


def note_run(campaign: Campaign, location: str) -> None:
    """Remember in the store that a W&B run holds all queries so far."""
    campaign.store.write_meta({"wandb": {"location": location, "queries": campaign.spent}})


def logged_run(campaign: Campaign) -> str:
    """Where a complete W&B run of the campaign lies; "" where there is none."""
    noted = campaign.store.read_meta("wandb") or {}
    return noted["location"] if noted.get("queries") == campaign.spent else ""


def rebuild_wandb(folder: Path, mode: Literal["online", "offline", "disabled"], as_json: bool) -> None:
    from bo.wandb_view import rebuild

    campaign = read_campaign(folder)
    report = folder / REPORT
    with hold(folder):  # offline, an older run is replaced, which must not be a live search's
        shown = report if report.exists() else None
        location = rebuild(campaign.space, campaign.store, folder, mode, shown, wandb_project())
        if location:
            note_run(campaign, location)
    print(json.dumps({"wandb": location}) if as_json else f"W&B: {location or 'disabled'}")
