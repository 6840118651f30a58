"""WandbView: a campaign as one W&B run. The store is the truth; the run is a view that can be rebuilt from it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final, get_args

from bo.records import CampaignConfig, History, Trial
from bo.store import Store
from bo.wandb_media import add_media, summarise
from bo.wandb_rows import Tally
from bo.wandb_run import Mode, abandon, identity, start
from graphs.errors import ArchgenError, StoreError, unknown_name
from graphs.space import SearchSpace

_LOG = logging.getLogger("archgen.wandb")


@final
class WandbView:
    """One W&B run a campaign, under an id that stays the same however often the campaign is opened.

    Row k tells of query k and is written once the queries before it have ended too, so that a batch told in any order
    gives the rows that a rebuild gives. Trouble in W&B ends the view with one warning and never the search.
    """

    def __init__(self, config: CampaignConfig, store: Store, folder: Path) -> None:
        self.location = ""
        """The folder of the offline run, or the address of the online one; "" where nothing is written."""
        self._store, self._folder, self._tally = store, folder, Tally(config)
        self._steps: dict[int, Mapping[str, Any]] = {}
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
        view = cls(config, store, folder)
        if mode != "disabled":
            trials, reference, run_id = store.trials(), store.read_meta("reference") or {}, identity(store)
            with view._guard("start"):
                view._run = run = start(config, run_id, folder, mode, project)
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
        """Write the summary, all trials as a table, the best network, the report, the store and the checkpoints beside
        it; end the run.

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
            self._run.summary.update(summarise(space, history, reference))
            add_media(self._run, self._store, self._folder, space, history, report)
            self._run.finish()
            self._run = None

    def _advance(self, trials: Sequence[Trial], reference: Mapping[str, float]) -> None:
        for trial in trials[self._tally.queries :]:
            if self._run is None or trial.status == "pending":
                return
            row = self._tally.row(trial, reference, self._step(trial))
            if self._tally.queries > self._logged:
                self._run.log(row, step=self._tally.queries, commit=True)

    def _step(self, trial: Trial) -> Mapping[str, Any] | None:
        """What the store keeps of the step that `trial` is the first to end the wait for; None for later ones."""
        if self._tally.trials and self._tally.trials[-1].step == trial.step:
            return None
        if trial.step not in self._steps:
            self._steps = {step["step"]: step for step in self._store.steps(trial.step)}
        return self._steps.get(trial.step)

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
                abandon(run)


def rebuild(
    space: SearchSpace, store: Store, folder: Path, mode: Mode, report: Path | None = None, project: str = "archgen"
) -> str:
    """Write the whole run from the store; the arguments and errors of `WandbView.open` and `WandbView.finish`.

    Returns:
        Where the run is; "" if disabled or if W&B failed.
    """
    view = WandbView.open(store, folder, mode, project)
    config = view._tally.config
    history = History(tuple(store.trials()), config.objective, config.others, config.constraints)
    view.finish(space, history, store.read_meta("reference") or {}, report)
    return view.location
