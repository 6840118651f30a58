"""`archgen search`: run a campaign on a benchmark with a live display, and tell what it found."""

from __future__ import annotations

import json
import math
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archgen.cli.gnn_data import DataSearch, note_source, retraining_lines
from archgen.cli.inspect import describe, summarise
from archgen.cli.live import LiveView
from archgen.cli.standing import standing_lines
from archgen.cli.views import logged_run, note_run, refresh_report, wandb_project
from archgen.evaluation import TABLE, Evaluation, check_evaluation, check_fidelities, evaluate_campaign
from archgen.session import open_campaign
from bo.campaign import Campaign
from bo.fidelity import Ladder
from bo.lock import VIEWS, try_hold
from bo.records import Trial
from bo.wandb_run import Mode, require_login
from bo.wandb_view import WandbView
from graphs.errors import InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table

if TYPE_CHECKING:
    from archgen.retraining import Retraining


@dataclass(frozen=True)
class Search:
    """What is searched, as the command line says it; see `archgen.session.open_campaign`."""

    space: str
    task: str | None
    folder: Path
    budget: int
    seed: int
    strategy: str
    maximize: tuple[str, ...]
    minimize: tuple[str, ...]
    subject_to: tuple[str, ...]
    acquisition: str | None
    warm_start: Path | None
    batch: int
    threads: int
    distinct: Literal["network", "description"]
    generator_steps: int | None
    wandb_mode: Mode
    fidelities: tuple[float, ...] = ()
    keep: float | None = None
    cost: float = math.inf
    evaluation: Evaluation = TABLE
    store: str | None = None
    data: DataSearch | None = None


def run_search(search: Search, as_json: bool) -> None:
    """`archgen search`: run or go on with a campaign and tell what it found.

    Raises:
        InvalidOption: the budget cannot be spent, or W&B asks for a login; nothing is written then.
    """
    started = time.perf_counter()
    folder, budget, wandb_mode = search.folder, search.budget, search.wandb_mode
    evaluators = check_evaluation(search.evaluation, search.space)
    table = load_table(search.space, search.task) if evaluators.program is None and search.task else None
    check_budget(get_space(search.space), budget, search.distinct)
    check_fidelities(Ladder(search.fidelities) if search.fidelities else None, evaluators, table)
    if wandb_mode == "online":
        require_login()
    retraining: Retraining | None = None
    with LiveView(budget) as live, _open(search, live) as campaign, try_hold(folder, VIEWS) as leads:
        live.begin(campaign)
        if campaign.store.read_meta("budget") != budget:
            campaign.store.write_meta({"budget": budget})
        if search.data is not None:
            note_source(campaign, search.data.source)
        location = logged_run(campaign, wandb_mode) if campaign.spent >= budget else ""
        mode = "disabled" if location or not leads else wandb_mode  # of those who share a campaign one logs it
        view = WandbView.open(campaign.store, folder, mode, wandb_project())

        def watch(trial: Trial) -> None:
            live.trial(campaign, trial)
            view.log(campaign.history, trial, campaign.reference)

        evaluate_campaign(campaign, search.evaluation, budget, table, watch, search.cost)
        live.note("writing the report")
        report = refresh_report(campaign, folder)
        view.finish(campaign.space, campaign.history, campaign.reference, report)
        if search.data is not None and campaign.best() is not None:
            live.note("training the best with fresh seeds")
            retraining = search.data.retrain(campaign, folder)
        if view.location:
            location = view.location
            note_run(campaign, location, wandb_mode)
    _tell(campaign, report, location, time.perf_counter() - started, as_json, retraining)


def _open(search: Search, live: LiveView) -> AbstractContextManager[Campaign]:
    return open_campaign(
        search.folder,
        space=search.space,
        task=search.task,
        strategy=search.strategy,
        seed=search.seed,
        maximize=search.maximize,
        minimize=search.minimize,
        subject_to=search.subject_to,
        acquisition=search.acquisition,
        warm_start=search.warm_start,
        fidelities=search.fidelities,
        keep=search.keep,
        batch=search.batch,
        threads=search.threads,
        distinct=search.distinct,
        generator_steps=search.generator_steps,
        own_evaluator=search.evaluation.evaluate is not None,
        store=search.store,
        share=search.evaluation.share,
        watch_training=live.training,
        watch_drawing=live.drawing,
    )


def check_budget(space: SearchSpace, budget: int, distinct: str) -> None:
    """Raise `InvalidOption` where `budget` is below 1 or above what the space holds."""
    most = space.network_count if distinct == "network" else space.size
    if budget < 1:
        raise InvalidOption(f"budget {budget}: expected at least 1 query")
    if most is not None and budget > most:
        kind = "distinct networks" if distinct == "network" else "descriptions"
        raise InvalidOption(f"budget {budget}: {space.name} has only {most} {kind}; ask for at most that many queries")


def _tell(
    campaign: Campaign,
    report: Path,
    wandb_location: str,
    seconds: float,
    as_json: bool,
    retraining: Retraining | None = None,
) -> None:
    if as_json:
        found = {**summarise(campaign), "report": str(report), "wandb": wandb_location, "seconds": round(seconds, 1)}
        if retraining is not None:
            found["retrained"] = asdict(retraining)
        print(json.dumps(found))
        return
    best = campaign.best()
    if best is None:
        kept = "be evaluated" if not campaign.history.done else "keep the constraints"
        print(f"no candidate could {kept} in {campaign.spent} queries; see {report}")
    else:
        print("\n".join(describe(campaign, best)))
    for line in standing_lines(campaign):
        print(line)
    if retraining is not None:
        print("\n".join(retraining_lines(retraining)))
    print(f"queries {campaign.spent}, valid {len(campaign.history.done)}, seed {campaign.config.seed}, {seconds:.0f} s")
    print(f"report: {report}")
    print(f"W&B:    {wandb_location or 'not logged; rebuild it with: archgen wandb ' + str(report.parent)}")
