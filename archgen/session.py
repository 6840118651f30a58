"""open_campaign: a campaign in a directory, begun or gone on with, under the directory's lock."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from archgen.campaign_folder import GENERATOR
from archgen.goals import Goals, read_goals, table_reference
from archgen.properties import Cost, known_costs
from archgen.strategies import (
    MODEL_BASED,
    WatchDrawing,
    WatchTraining,
    build_strategy,
    check_options,
    check_strategy,
)
from archgen.warm_start import read_prior
from bo.campaign import Campaign, identifier
from bo.fidelity import KEEP, Ladder
from bo.lock import hold
from bo.prior import digest
from bo.records import CampaignConfig, History, Proposal
from bo.store import Store
from bo.store_place import open_store
from bo.strategies.strategy import Strategy
from graphs.errors import InvalidOption
from graphs.space import MEMORY, SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table, tasks_of

OWN = "own"
"""The task's name where the user gave an evaluator and no name."""
MOST_SEED = 2**63 - 1
_LOG = logging.getLogger("archgen")


@contextmanager
def open_campaign(
    folder: Path | str,
    *,
    space: str,
    task: str | None = None,
    strategy: str = "archgen",
    seed: int = 0,
    maximize: str | Sequence[str] = (),
    minimize: str | Sequence[str] = (),
    subject_to: str | Sequence[str] = (),
    acquisition: str | None = None,
    warm_start: Path | str | None = None,
    fidelities: Sequence[float] = (),
    keep: float | None = None,
    batch: int = 1,
    threads: int = 1,
    distinct: Literal["network", "description"] = "network",
    generator: Path | None = None,
    generator_steps: int | None = None,
    own_evaluator: bool = False,
    store: str | None = None,
    share: bool = False,
    watch_training: WatchTraining = lambda *_: None,
    watch_drawing: WatchDrawing = lambda _: None,
) -> Iterator[Campaign]:
    """The campaign in `folder`, begun where there is none, ready to ask and tell.

    Args:
        folder: the campaign's directory.
        space, task: a benchmark of `archgen spaces`; with an evaluator of one's own, any words for what it does.
        strategy: one of `archgen.strategies.STRATEGIES`.
        seed: where all chance comes from.
        maximize, minimize: metrics to improve, one or several; the table's own objective is maximised unless any are
            given. `accuracy` stands for that objective.
        subject_to: bounds that a solution must keep, such as `latency<=5ms`.
        acquisition: how a model-based strategy values candidates, one of `bo.acquisition_names.ACQUISITIONS`.
        warm_start: a file of labels or the directory of an earlier campaign, whose measurements of the same metrics
            count as known.
        fidelities: rising numbers, such as epochs, at which every candidate is measured in turn while it is promising;
            in full at once unless given.
        keep: the share that goes on from one to the next; a third unless given.
        batch: candidates a step.
        threads: threads for the numeric libraries.
        distinct: evaluate each network once, or each description once.
        generator: the checkpoint of the diffusion generator; one in `folder`, trained when it is needed, unless given.
        generator_steps: training steps of the generator; `TrainingConfig`'s own number unless given.
        own_evaluator: candidates are not looked up in a table, so nothing is known of the task beforehand.
        store: the URL of a PostgreSQL database, in which the campaign is called as its folder; a file in the folder
            unless given.
        share: let other processes work on the campaign, too, all of which say so; then evaluate with
            `archgen.evaluation.evaluate_campaign` or `bo.runner.run`, since `ask` knows nothing of leases.
        watch_training, watch_drawing: see `build_strategy`.

    Raises:
        UnknownName, InvalidOption, TableError: something in the arguments, before anything is written.
        StoreError: the directory holds another campaign or cannot be used; CampaignBusy: another process is at it.
    """
    folder = Path(folder)
    search_space = get_space(space)
    check_strategy(strategy)
    listed = (_listed(maximize), _listed(minimize), _listed(subject_to))
    goals, reference = _own_goals(*listed) if own_evaluator else _table_goals(space, task, *listed)
    if batch < 1 or threads < 1:
        raise InvalidOption(f"batch {batch} and threads {threads} must both be at least 1")
    if not 0 <= seed <= MOST_SEED:
        raise InvalidOption(f"seed {seed}: expected a number from 0 to {MOST_SEED}")
    costs = goal_costs(search_space, task or OWN, goals)
    identify = identifier(search_space, distinct)
    prior = () if warm_start is None else read_prior(warm_start, search_space, goals, costs, identify)
    asked = {
        "generator_steps": generator_steps,
        "acquisition": acquisition,
        "warm_start": digest(prior) if prior else None,
        **_ladder(fidelities, keep),
    }
    options = {name: value for name, value in asked.items() if value is not None}
    first, *others = goals.objectives
    config = CampaignConfig(
        space, task or OWN, strategy, first, seed, batch, threads, distinct, options, tuple(others), goals.constraints
    )
    check_options(config)
    with hold(folder, share), closing(open_store(folder, store, create=True)) as kept, kept.database.hold(share):
        campaign = Campaign(search_space, config, kept, reference=reference, costs=costs, prior=prior)
        _compare_versions(kept)
        campaign.strategy = _Lazy(campaign, generator or folder / GENERATOR, watch_training, watch_drawing)
        yield campaign


class _Lazy:
    """Builds the strategy at the first proposal, so that a finished campaign opens without torch."""

    def __init__(self, campaign: Campaign, generator: Path, training: WatchTraining, drawing: WatchDrawing) -> None:
        self._campaign, self._generator = campaign, generator
        self._training, self._drawing = training, drawing

    @cached_property
    def _strategy(self) -> Strategy:
        space, config = self._campaign.space, self._campaign.config
        identify = identifier(space, config.distinct)
        costs = self._campaign.costs
        return build_strategy(space, config, identify, self._generator, costs, self._training, self._drawing)

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        with _threads(self._campaign.config):
            return self._strategy.propose(history, count, rng)


def goal_costs(space: SearchSpace, task: str, goals: Goals) -> dict[str, Cost]:
    """The metrics among the goals that follow from a graph, each graph computed once.

    None for a task that is not one of the benchmark's, since an evaluator of one's own may count otherwise.
    """
    tasks = tasks_of(space.name)
    if tasks and task not in tasks:
        return {}
    costs = known_costs(space, task)
    return {name: lru_cache(MEMORY)(costs[name]) for name in goals.metrics if name in costs}


def _table_goals(
    space: str, task: str | None, maximize: Sequence[str], minimize: Sequence[str], subject_to: Sequence[str]
) -> tuple[Goals, dict[str, float]]:
    """The goals on a benchmark's table, and what it tells of them."""
    if task is None:
        raise InvalidOption(f"--task is missing; choose one of {', '.join(tasks_of(space))}, or add --evaluate")
    table = load_table(space, task)
    goals = read_goals(maximize, minimize, subject_to, table.objective, table.columns)
    return goals, table_reference(table, goals)


def _own_goals(
    maximize: Sequence[str], minimize: Sequence[str], subject_to: Sequence[str]
) -> tuple[Goals, dict[str, float]]:
    """The goals of an evaluator of the user's own, of which nothing is known."""
    if not maximize and not minimize:
        raise InvalidOption("an evaluator of your own needs a goal; add --maximize METRIC or --minimize METRIC")
    return read_goals(maximize, minimize, subject_to, ""), {}


def _ladder(fidelities: Sequence[float], keep: float | None) -> dict[str, str]:
    """As options of a campaign."""
    if fidelities:
        return Ladder(tuple(map(float, fidelities)), KEEP if keep is None else keep).options()
    if keep is not None:
        raise InvalidOption(f"keep {keep:g} is of use with several fidelities only; name them, such as 12,200")
    return {}


def _listed(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@contextmanager
def _threads(config: CampaignConfig) -> Iterator[None]:
    """The campaign's number of threads while it proposes; the caller's own again while it evaluates."""
    if config.strategy not in MODEL_BASED:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _compare_versions(store: Store) -> None:
    """Other versions may propose otherwise than the uninterrupted campaign would have; say so."""
    now = {name: version(name) for name in ("archgen", "torch", "gpytorch", "botorch", "numpy")}
    then = store.read_meta("versions")
    if then is None:
        store.write_meta({"versions": now})
    elif then != now:
        changed = ", ".join(f"{name} {then.get(name)} -> {now[name]}" for name in now if then.get(name) != now[name])
        _LOG.warning("the campaign began with other versions (%s); its next proposals may differ from theirs", changed)
