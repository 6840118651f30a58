"""How candidates are evaluated: by a table, or by what a user gives, on workers here or elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bo.campaign import Campaign
from bo.evaluators.command import FIDELITY, Command
from bo.evaluators.function import Function
from bo.evaluators.read_evaluator import read_evaluator
from bo.executors.executor import Executor, Program
from bo.executors.inline import InlineExecutor
from bo.executors.limits import Limits
from bo.fidelity import Ladder
from bo.leases import SECONDS, Leases
from bo.records import Trial
from bo.runner import run
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, unknown_name
from graphs.tables.table import BenchmarkTable

Evaluate = Callable[[ArchGraph], Mapping[str, Any]]
EXECUTORS = ("local", "ray")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Evaluation:
    """What a user says about evaluating candidates.

    Args:
        evaluate: a command line with `{graph}`, `module:function`, or a function that can be pickled; a table of the
            space unless given.
        workers: evaluations at once in this process, each in a process of its own.
        timeout: seconds that one evaluation may take.
        memory: what one evaluation may use with all its processes, such as 4G.
        executor: "local", or "ray" for a cluster.
        ray_address: the Ray cluster; the one that was started on this machine, else a new one, unless given.
        share: other processes may work on the campaign at the same time, all of which say so.
        lease: seconds without a sign of life after which others take over what a process was evaluating.
        warm: whether the processes of a function stay from one evaluation to the next, which saves their start.
    """

    evaluate: str | Evaluate | None = None
    workers: int = 1
    timeout: float | None = None
    memory: str | None = None
    executor: str = "local"
    ray_address: str | None = None
    share: bool = False
    lease: float = SECONDS
    warm: bool = False


TABLE = Evaluation()
"""A table answers at once, in this process."""


@dataclass(frozen=True)
class Evaluators:
    """An `Evaluation` that was checked, for one space."""

    asked: Evaluation
    program: Program | None
    limits: Limits

    def open(self, lookup: Evaluate | None) -> Executor:
        """The executor; `lookup` is the table.

        Raises:
            InvalidOption: Ray is not installed or there is no such cluster.
        """
        if self.program is None:
            assert lookup is not None, "without a program of the user's there is a table"
            return InlineExecutor(lookup)
        if self.asked.warm:
            from bo.executors.warm import WarmExecutor

            assert isinstance(self.program, Function), "checked"
            return WarmExecutor(self.program, self.asked.workers, self.asked.timeout)
        if self.asked.executor == "local":
            from bo.executors.local import LocalExecutor  # which a search on a table does without

            return LocalExecutor(self.program, self.asked.workers, self.limits)
        from bo.executors.ray_cluster import RayExecutor  # whose import takes a second

        return RayExecutor(self.program, self.asked.workers, self.limits, self.asked.ray_address)


def check_evaluation(asked: Evaluation, space: str) -> Evaluators:
    """What the user said, ready to be used.

    Raises:
        InvalidOption: a number or size that cannot be, options without `evaluate` that need it, or an evaluator that is
            not there.
        UnknownName: no such executor.
    """
    if asked.executor not in EXECUTORS:
        raise unknown_name("executor", asked.executor, EXECUTORS)
    if asked.workers < 1:
        raise InvalidOption(f"workers {asked.workers}: expected at least 1")
    if asked.timeout is not None and not asked.timeout > 0:
        raise InvalidOption(f"timeout {asked.timeout:g}: expected seconds above 0")
    if not asked.lease > 0:
        raise InvalidOption(f"lease {asked.lease:g}: expected seconds above 0")
    if asked.ray_address is not None and asked.executor != "ray":
        raise InvalidOption("--ray-address is of use with --executor ray only; add it")
    limits = Limits(asked.timeout, None if asked.memory is None else read_size(asked.memory))
    if asked.evaluate is None:
        if asked.workers > 1 or asked.executor != "local" or limits != Limits():
            raise InvalidOption(
                "--workers, --executor, --timeout and --memory are for an evaluator of your own, "
                "as a table answers at once; add --evaluate or leave them out"
            )
        return Evaluators(asked, None, limits)
    program = read_evaluator(asked.evaluate, space) if isinstance(asked.evaluate, str) else Function.of(asked.evaluate)
    if asked.warm and (not isinstance(program, Function) or asked.executor != "local" or asked.memory is not None):
        raise InvalidOption("--warm is for functions on this machine, without --memory; leave it out")
    return Evaluators(asked, program, limits)


def check_fidelities(ladder: Ladder | None, evaluators: Evaluators, lookup: object) -> None:
    """Raise `InvalidOption` where an evaluator is asked for fidelities that it does not offer."""
    if ladder is None:
        return
    told = ",".join(f"{one:g}" for one in ladder.fidelities)
    if isinstance(evaluators.program, Command) and not evaluators.program.offers_fidelity:
        raise InvalidOption(f"fidelities {told}: the command does not say where they go; put {FIDELITY} into it")
    if isinstance(lookup, BenchmarkTable) and not set(ladder.fidelities) <= set(lookup.fidelities):
        there = ", ".join(f"{one:g}" for one in lookup.fidelities) or "none"
        raise InvalidOption(f"fidelities {told}: {lookup.space.name} on {lookup.task} offers {there}")


def evaluate_campaign(
    campaign: Campaign,
    asked: Evaluation,
    budget: int,
    lookup: Evaluate | None = None,
    watch: Callable[[Trial], Any] = lambda _: None,
    cost: float = math.inf,
) -> Trial | None:
    """Run a campaign until `budget` queries are spent, or `cost`; the best trial.

    Args:
        campaign: from `archgen.session.open_campaign`, shared if the evaluation says so.
        asked: how candidates are evaluated.
        budget: queries in all, those of earlier and of other processes included.
        lookup: the table, where the user gave no evaluator.
        watch: called with each trial that has ended.
        cost: in the unit that the evaluator reports as the metric `cost`.

    Raises:
        InvalidOption, UnknownName: see `check_evaluation` and `Evaluators.open`.
        StoreError: the store cannot be read or written; run it again to go on.
    """
    evaluators = check_evaluation(asked, campaign.space.name)
    check_fidelities(campaign.ladder, evaluators, lookup)
    if evaluators.program is None and not asked.share:
        assert lookup is not None, "without a program of the user's there is a table"
        return campaign.run(lookup, budget, watch, cost)
    leases = Leases(campaign.store, asked.lease)
    if not asked.share:
        leases.clear()  # whoever held any of them is gone, since this process has the campaign to itself
    return run(campaign, evaluators.open(lookup), budget, leases, watch, cost=cost)


def read_fidelities(text: str) -> tuple[float, ...]:
    """Fidelities separated by commas; none of nothing.

    Raises:
        InvalidOption: one that is no number.
    """
    try:
        return tuple(float(part) for part in text.split(",")) if text.strip() else ()
    except ValueError as error:
        raise InvalidOption(f"fidelities {text!r}: expected numbers separated by commas, such as 12,200") from error


def read_size(text: str) -> int:
    """Bytes of a size such as 4G or 500 MB, by powers of 1024.

    Raises:
        InvalidOption: another form, or nothing.
    """
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * 1024 ** _POWERS[found[2].upper()]) if found else 0
    if size < 1:
        raise InvalidOption(f"memory {text!r}: expected a size such as 4G or 500M")
    return size
