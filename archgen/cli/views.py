"""Commands that rebuild a view of a campaign from its store: the report and the W&B run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from archgen.session import REPORT, read_campaign
from bo.lock import hold


def make_report(folder: Path, out: Path | None, as_json: bool) -> None:
    from bo.report import write_report

    campaign = read_campaign(folder)
    path = write_report(campaign.space, campaign.store, out or folder / REPORT)
    print(json.dumps({"report": str(path)}) if as_json else f"report: {path}")


def rebuild_wandb(folder: Path, mode: Literal["online", "offline", "disabled"], as_json: bool) -> None:
    from bo.wandb_view import rebuild

    campaign = read_campaign(folder)
    with hold(folder):
        location = rebuild(campaign.space, campaign.store, folder, mode)
    print(json.dumps({"wandb": location}) if as_json else f"W&B: {location or 'disabled'}")
