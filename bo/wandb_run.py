"""A W&B run: login, settings, leftovers of a crash, what it is made of. The one place that imports wandb."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bo.records import CampaignConfig
from bo.store import Store
from graphs.errors import InvalidOption

Mode = Literal["online", "offline", "disabled"]
_INIT_TIMEOUT, _FINISH_TIMEOUT = 60.0, 120.0
"""Seconds to wait for the network, at the start and for the last uploads."""


def identity(store: Store) -> str:
    """The run id of a campaign, the same however often it is opened."""
    text = json.dumps([store.read_meta("created"), store.read_meta("config")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def start(config: CampaignConfig, run_id: str, folder: Path, mode: Mode, project: str) -> Any:
    """A fresh offline run in place of an older one of this campaign, or the online run continued."""
    if "wandb" not in sys.modules:
        os.environ.pop("WANDB_SERVICE", None)  # a parent's service would keep our run open if we are killed
    import wandb

    (folder / "wandb").mkdir(parents=True, exist_ok=True)
    if not os.access(folder / "wandb", os.W_OK):  # wandb would go on in the system's temporary folder
        raise PermissionError(f"cannot write to {folder / 'wandb'}")
    with redirect_stderr(io.StringIO()):  # some notes on credentials come even when silent
        if mode == "online":
            require_login()
        for wait in (0.1, 0.3, 1.0, 3.0, 0.0):
            for old in (folder / "wandb").glob(f"offline-run-*-{run_id}") if mode == "offline" else ():
                shutil.rmtree(old)
            try:
                run = wandb.init(
                    dir=folder,
                    mode=mode,
                    project=project,
                    id=run_id,
                    name=f"{config.space}-{config.task}-{config.strategy}-s{config.seed}",
                    config=asdict(config),
                    resume="allow" if mode == "online" else None,
                    reinit="create_new",  # a run of the user's own in this process stays theirs
                    settings=_settings(),
                )
                break
            except Exception as error:
                if not wait or "is in use" not in str(error):
                    raise
                time.sleep(wait)  # the service closes a run a little after finish() has returned
    run.define_metric("query")
    run.define_metric("*", step_metric="query")
    return run


def _settings() -> Any:
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        save_code=False,
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        use_dot_wandb=False,
        init_timeout=_INIT_TIMEOUT,
        finish_timeout=_FINISH_TIMEOUT,
        finish_timeout_raises=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def require_login() -> None:
    """Raise `InvalidOption` where nobody is logged in to W&B."""
    import wandb

    hint = "run `wandb login`, or use --wandb offline"
    try:
        if wandb.run is not None or wandb.login(prompt=False, verify=False):
            return
    except wandb.errors.AuthenticationError as error:
        raise InvalidOption(f"W&B refuses the login ({error}); {hint}") from error
    unset = "unset WANDB_MODE, " if "WANDB_MODE" in os.environ else ""
    raise InvalidOption(f"--wandb online, but there is no W&B login; {unset}{hint}")


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """A table; within a column all cells are of one kind or missing, images among them."""
    import wandb

    return wandb.Table(list(columns), [list(row) for row in rows])


def image(pixels: np.ndarray) -> Any:
    """An image of rows, columns, and red, green and blue."""
    import wandb

    return wandb.Image(pixels)


def web_page(text: str) -> Any:
    """Markup that W&B shows as it is."""
    import wandb

    return wandb.Html(text, inject=False)


def log_files(run: Any, name: str, kind: str, files: Sequence[Path]) -> None:
    """Keep `files` as an artifact; nothing where there are none."""
    import wandb

    if not files:
        return
    artifact = wandb.Artifact(name, type=kind)
    for file in files:
        artifact.add_file(str(file), policy="immutable")  # not copied once more to a folder in the user's home
    run.log_artifact(artifact)


def abandon(run: Any) -> None:
    """End a run that W&B itself has lost, quietly."""
    import wandb

    try:
        run.finish(exit_code=1)
    except Exception:  # its service is gone, and at exit wandb would say so with a traceback
        with suppress(Exception):
            wandb.teardown()
