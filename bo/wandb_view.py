"""WandbView: a campaign as one W&B run. The store is the truth; the run is a view that can be rebuilt from it."""

from __future__ import annotations

import hashlib
import html
import io
import json
import logging
import os
import shutil
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, final, get_args

from bo.records import CampaignConfig, History, Objective, Trial
from bo.store import Store
from graphs.draw_text import draw_text
from graphs.errors import ArchgenError, InvalidOption, StoreError, unknown_name
from graphs.space import SearchSpace

Mode = Literal["online", "offline", "disabled"]
Row = dict[str, float | int | str]
_LOG = logging.getLogger("archgen.wandb")
_INIT_TIMEOUT, _FINISH_TIMEOUT = 60.0, 120.0
"""Seconds to wait for the network, at the start and for the last uploads."""


@final
class WandbView:
    """One W&B run a campaign, under an id that stays the same however often the campaign is opened.

    Row k tells of query k and is written once the queries before it have ended too, so that a batch told in any order
    gives the rows that a rebuild gives. Trouble in W&B ends the view with one warning and never the search.
    """

    def __init__(self, objective: Objective, store: Path) -> None:
        self.location = ""
        """The folder of the offline run, or the address of the online one; "" where nothing is written."""
        self._store, self._tally = store, _Tally(objective)
        self._run: Any = None
        self._logged = 0

    @classmethod
    def open(cls, store: Store, folder: Path, mode: Mode, project: str = "archgen") -> WandbView:
        """Start the campaign's run and log the finished trials that it lacks.

        Args:
            store: holds the campaign.
            folder: W&B writes to `wandb` below it. Offline, an older run of this campaign there is replaced, since W&B
                continues online runs only; hold the campaign's lock, lest it be the run of a live search.
            mode: "online" continues the run on the server, "disabled" does not even import wandb.
            project: the W&B project.

        Raises:
            InvalidOption: online, but nobody is logged in.
            StoreError: the store cannot be read or holds no campaign.
            UnknownName: no such mode.
        """
        if mode not in get_args(Mode):
            raise unknown_name("W&B mode", mode, get_args(Mode))
        config = store.read_config()
        if config is None:
            raise StoreError(f"{store.path}: holds no campaign yet; start one with archgen search --dir")
        view = cls(config.objective, store.path)
        if mode != "disabled":
            trials, reference, identity = store.trials(), store.read_meta("reference") or {}, _identity(store)
            with view._guard("start"):
                view._run = run = _start(config, identity, folder, mode, project)
                # Steps are query numbers, and the server drops a step that is not above its last.
                view._logged = max(run.starting_step - 1, 0) if run.resumed else 0
                view.location = str(Path(run.dir).parent) if mode == "offline" else run.url or ""
                view._advance(trials, reference)
        return view

    def log(self, history: History, trial: Trial, reference: Mapping[str, float]) -> None:
        """Write the row of `trial`, which has just ended, and those of later ones that waited for it."""
        if trial.number >= self._tally.queries:
            with self._guard("log"):
                self._advance(history.trials, reference)

    def finish(
        self, space: SearchSpace, history: History, reference: Mapping[str, float], report: Path | None = None
    ) -> None:
        """Write the summary, all trials as a table, the best network, the report and the store; end the run.

        Args:
            space: the campaign's.
            history: all trials.
            reference: `best` and `mean` of the objective, where known.
            report: an HTML page that W&B shows; any other file is kept beside the store.
        """
        with self._guard("finish"):
            if self._run is None:
                return
            self._advance(history.trials, reference)
            self._run.summary.update(_summarise(space, history, reference))
            self._add_media(space, history, report)
            self._run.finish()
            self._run = None

    def _advance(self, trials: Sequence[Trial], reference: Mapping[str, float]) -> None:
        for trial in trials[self._tally.queries :]:
            if self._run is None or trial.status == "pending":
                return
            row = self._tally.row(trial, reference)
            if self._tally.queries > self._logged:
                self._run.log(row, step=self._tally.queries, commit=True)

    def _add_media(self, space: SearchSpace, history: History, report: Path | None) -> None:
        import wandb

        run, kept = self._run, Path(self._run.dir).parent / self._store.name
        columns, data = _tabulate(history)
        run.summary["trials"] = wandb.Table(columns, data, allow_mixed_types=True)
        if history.best is not None:
            drawn = html.escape(draw_text(space.simplify(history.best.graph)))
            run.summary["best/network"] = wandb.Html(f"<pre>{drawn}</pre>", inject=False)
        with closing(sqlite3.connect(self._store)) as source, closing(sqlite3.connect(kept)) as copy:
            source.backup(copy)  # the file alone lacks what SQLite still has in its write-ahead log
        artifact = wandb.Artifact(f"campaign-{run.id}", type="campaign")
        artifact.add_file(str(kept), policy="immutable")  # not copied once more to a folder in the user's home
        if report is not None and report.suffix == ".html":
            run.summary["report"] = wandb.Html(report.read_text(encoding="utf-8"), inject=False)
        elif report is not None:
            artifact.add_file(str(report))
        run.log_artifact(artifact)

    @contextmanager
    def _guard(self, action: str) -> Iterator[None]:
        try:
            yield
        except ArchgenError:
            raise
        except Exception as error:  # whatever W&B raises must not end the search
            _LOG.warning(
                "W&B failed to %s (%s: %s); the search goes on without it and loses nothing, "
                "`archgen wandb DIR` rebuilds the run from the store",
                action,
                type(error).__name__,
                error,
            )
            run, self._run, self.location = self._run, None, ""
            if run is not None:
                _abandon(run)


def rebuild(space: SearchSpace, store: Store, folder: Path, mode: Mode, report: Path | None = None) -> WandbView:
    """Write the whole run from the store; the arguments and errors of `WandbView.open` and `WandbView.finish`."""
    view = WandbView.open(store, folder, mode)
    if view.location:
        history = History(tuple(store.trials()), view._tally.objective)
        view.finish(space, history, store.read_meta("reference") or {}, report)
    return view


def _identity(store: Store) -> str:
    text = json.dumps([store.read_meta("created"), store.read_meta("config")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _start(config: CampaignConfig, identity: str, folder: Path, mode: Mode, project: str) -> Any:
    if "wandb" not in sys.modules:
        os.environ.pop("WANDB_SERVICE", None)  # a parent's service would keep our run open if we are killed
    import wandb

    (folder / "wandb").mkdir(parents=True, exist_ok=True)
    if not os.access(folder / "wandb", os.W_OK):  # wandb would go on in the system's temporary folder
        raise PermissionError(f"cannot write to {folder / 'wandb'}")
    with redirect_stderr(io.StringIO()):  # some notes on credentials come even when silent
        if mode == "online":
            _require_login()
        for wait in (0.1, 0.3, 1.0, 3.0, 0.0):
            for old in (folder / "wandb").glob(f"offline-run-*-{identity}") if mode == "offline" else ():
                shutil.rmtree(old)
            try:
                run = wandb.init(
                    dir=folder,
                    mode=mode,
                    project=project,
                    id=identity,
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


def _require_login() -> None:
    import wandb

    hint = "run `wandb login`, or use --wandb offline"
    try:
        if wandb.run is not None or wandb.login(prompt=False, verify=False):
            return
    except wandb.errors.AuthenticationError as error:
        raise InvalidOption(f"W&B refuses the login ({error}); {hint}") from error
    unset = "unset WANDB_MODE, " if "WANDB_MODE" in os.environ else ""
    raise InvalidOption(f"--wandb online, but there is no W&B login; {unset}{hint}")


def _abandon(run: Any) -> None:
    import wandb

    try:
        run.finish(exit_code=1)
    except Exception:  # its service is gone, and at exit wandb would say so with a traceback
        with suppress(Exception):
            wandb.teardown()


@dataclass
class _Tally:
    """What the rows accumulate over the queries so far."""

    objective: Objective
    queries: int = 0
    failed: int = 0
    best: float | None = None
    origins: Counter[str] = field(default_factory=Counter)

    def row(self, trial: Trial, reference: Mapping[str, float]) -> Row:
        self.queries += 1
        self.failed += trial.status == "failed"
        self.origins[trial.proposal.origin] += 1
        row: Row = {"query": self.queries, "status": trial.status, "failed": self.failed}
        row |= {f"origin/{name}": count for name, count in self.origins.items()}
        row |= {f"metrics/{name}": value for name, value in trial.metrics.items()}
        mean, std = trial.proposal.mean, trial.proposal.std
        row |= {f"predicted/{name}": v for name, v in (("mean", mean), ("std", std)) if v is not None}
        if trial.status == "done":
            row["objective"] = value = trial.metrics[self.objective.metric]
            better = max if self.objective.maximize else min
            self.best = value if self.best is None else better(self.best, value)
            if mean is not None and std:
                row["predicted/abs_z"] = abs(value - mean) / std
        if self.best is not None:
            row["best_so_far"] = self.best
            if "best" in reference:
                row["regret"] = _sign(self.objective) * (reference["best"] - self.best)
        return row


def _summarise(space: SearchSpace, history: History, reference: Mapping[str, float]) -> dict[str, Any]:
    ended = len(history.trials) - len(history.pending)
    values: dict[str, Any] = {"queries": ended, "space/log10_size": space.log10_size}
    if ended:
        values["valid_share"] = len(history.done) / ended
    if (best := history.best) is not None:
        values |= {"best/arch": best.arch, "best/query": best.number + 1}
        values |= {f"best/{name}": value for name, value in best.metrics.items()}
        value, sign = best.metrics[history.objective.metric], _sign(history.objective)
        if "best" in reference:
            values["regret"] = sign * (reference["best"] - value)
        if mean := reference.get("mean"):
            values["relative_improvement"] = sign * (value - mean) / abs(mean)
    return values


def _tabulate(history: History) -> tuple[list[Any], list[Any]]:
    names = sorted({name for trial in history.done for name in trial.metrics})
    rows = [[t.number, t.arch, t.proposal.origin, t.status, *map(t.metrics.get, names)] for t in history.trials]
    return ["number", "arch", "origin", "status", *names], rows


def _sign(objective: Objective) -> int:
    return 1 if objective.maximize else -1
