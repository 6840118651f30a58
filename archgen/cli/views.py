"""Commands that rebuild a view of a campaign from its store: the report and the W&B run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archgen.campaign_folder import REPORT, read_campaign
from bo.campaign import Campaign
from bo.lock import hold
from bo.wandb_run import Mode
from graphs.errors import ArchgenError
from graphs.tables.catalogue import load_table


def make_report(folder: Path, out: Path | None, as_json: bool) -> None:
    """`archgen report`: write the page, also while the campaign runs."""
    campaign = read_campaign(folder)
    path = _write(campaign, folder) if out is None else _write_to(campaign, out)
    print(json.dumps({"report": str(path)}) if as_json else f"report: {path}")


def refresh_report(campaign: Campaign, folder: Path) -> Path:
    """The report in `folder`, written anew unless it tells of all queries already."""
    path = folder / REPORT
    if path.exists() and campaign.store.read_meta("report") == {"queries": campaign.spent}:
        return path
    return _write(campaign, folder)


def _write(campaign: Campaign, folder: Path) -> Path:
    path = _write_to(campaign, folder / REPORT)
    campaign.store.write_meta({"report": {"queries": campaign.spent}})
    return path


def _write_to(campaign: Campaign, path: Path) -> Path:
    from archgen.explained import explain_best  # loads matplotlib, which a finished search must not wait for
    from bo.report import write_report

    return write_report(campaign.space, campaign.store, path, explain_best(campaign), _columns(campaign))


def _columns(campaign: Campaign) -> Mapping[str, np.ndarray] | None:
    """Of the task's table; None where the task has none, or not on this machine."""
    try:
        return load_table(campaign.config.space, campaign.config.task).columns
    except ArchgenError:
        return None


def wandb_project() -> str:
    """W&B's own variable, or archgen."""
    return os.environ.get("WANDB_PROJECT") or "archgen"


def note_run(campaign: Campaign, location: str, mode: Mode) -> None:
    """Remember in the store that a W&B run holds all queries so far."""
    campaign.store.write_meta({"wandb": {"location": location, "queries": campaign.spent, "mode": mode}})


def logged_run(campaign: Campaign, mode: Mode) -> str:
    """Where a complete W&B run of the campaign lies; "" where there is none."""
    noted = campaign.store.read_meta("wandb") or {}
    complete = noted.get("queries") == campaign.spent and noted.get("mode") == mode
    return noted["location"] if complete and (mode == "online" or Path(noted["location"]).exists()) else ""


def rebuild_wandb(folder: Path, mode: Mode, as_json: bool) -> None:
    """`archgen wandb`: the run from the store alone.

    Raises:
        ArchgenError: W&B failed.
    """
    from bo.wandb_view import rebuild

    campaign = read_campaign(folder)
    with hold(folder):  # offline, an older run is replaced, which must not be a live search's
        report = refresh_report(campaign, folder)
        location = rebuild(campaign.space, campaign.store, folder, mode, report, wandb_project())
        if location:
            note_run(campaign, location, mode)
        elif mode != "disabled":
            raise ArchgenError(
                f"{folder}: W&B could not write the run; the warning above says why, the store is unharmed"
            )
    print(json.dumps({"wandb": location}) if as_json else f"W&B: {location or 'disabled'}")
