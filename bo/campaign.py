"""Campaign: ask a strategy for candidates, tell it how they did, and lose nothing in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy.engine import Connection

from bo.fidelity import call, ladder_of
from bo.outcome import Failed, Measured, conclude, failed, measured, raised
from bo.pareto import front, non_dominated
from bo.prior import KEY, prior_from_rows, prior_to_rows
from bo.records import CampaignConfig, Failure, History, Objective, Proposal, Trial
from bo.store import Store
from bo.strategies.strategy import Strategy
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, StoreError
from graphs.space import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

Evaluator = Callable[..., Mapping[str, float]]
"""Trains or looks up an architecture and returns its metrics; the goals must be among them."""


class Campaign:
    """A Bayesian-optimisation campaign over architecture graphs.

    All chance in step k comes from `(seed, k)`, and a strategy sees nothing but the history, so a campaign that is
    opened again proposes what the uninterrupted one would have proposed.

    Args:
        space: where candidates come from.
        config: what decides the proposals; a store that holds another configuration is refused.
        store: where every step is kept.
        strategy: proposes candidates; may be None for reading.
        reference: what is known of the task beforehand: `best` and `mean` of the first objective, and
            `reference_point/` with each metric for the hypervolume.
        costs: metrics that follow from a graph without evaluation; they stand in the place of what evaluators say.
        prior: what was measured beforehand, see `bo.prior`; a store that exists has its own.

    Raises:
        StoreError: the store holds another campaign.
    """

    def __init__(
        self,
        space: SearchSpace,
        config: CampaignConfig,
        store: Store,
        strategy: Strategy | None = None,
        reference: Mapping[str, float] | None = None,
        costs: Mapping[str, Callable[[ArchGraph], float]] | None = None,
        prior: Sequence[Trial] = (),
    ) -> None:
        kept = store.read_config()
        if kept is None:
            if prior:
                store.write_meta({KEY: prior_to_rows(prior, space.name)})
            store.write_config(config, reference or {})
        elif kept != config:
            raise StoreError(
                f"{store.path.parent}: holds another campaign ({_difference(kept, config)}); choose another --dir"
            )
        self.space, self.config, self.store, self.strategy = space, config, store, strategy
        self.costs = dict(costs or {})
        self.ladder = ladder_of(config.options)
        self.reference: dict[str, float] = store.read_meta("reference") or {}
        self.prior = prior_from_rows(store.read_meta(KEY) or ())
        self._trials = {trial.number: trial for trial in store.trials()}
        self._orphans = [trial.number for trial in self._trials.values() if trial.status == "pending"]

    @property
    def objective(self) -> Objective:
        return self.config.objective

    @property
    def history(self) -> History:
        config = self.config
        trials = tuple(self._trials.values())
        return History(trials, config.objective, config.others, config.constraints, self.reference, self.prior)

    def ask(self, count: int | None = None) -> list[Trial]:
        """The next candidates: those that an earlier process asked for and never told, else one new step.

        Args:
            count: how many; `config.batch` unless given. Fewer come back where the strategy waits for how these do, as
                between its random start and its first model, and none where the space is exhausted.

        Raises:
            InvalidOption: a count below 1.
        """
        count = self.config.batch if count is None else count
        if count < 1:
            raise InvalidOption(f"cannot ask for {count} candidates; ask for at least 1")
        if self._orphans:
            handed, self._orphans = self._orphans[:count], self._orphans[count:]
            return [self._trials[number] for number in handed]
        return self.propose(count)

    def propose(self, count: int, check: Callable[[Connection], None] = lambda _: None) -> list[Trial]:
        """One new step of up to `count` candidates, whatever is pending.

        Args:
            check: called in the transaction that keeps the step; what it raises keeps the step out.

        Raises:
            InvalidOption: the campaign was opened for reading.
        """
        if self.strategy is None:
            raise InvalidOption("this campaign was opened for reading; open it with a strategy to ask")
        step = 1 + max((trial.step for trial in self._trials.values()), default=-1)
        rng = np.random.default_rng([self.config.seed, step])
        state = rng.bit_generator.state
        started = time.perf_counter()
        proposals, notes = self.strategy.propose(self.history, count, rng)
        trials = self._number(proposals, step)
        if trials:
            self.store.add_step(trials, self.space.name, state, notes, time.perf_counter() - started, check)
            self._trials.update((trial.number, trial) for trial in trials)
        return trials

    def tell(self, trial: Trial, metrics: Mapping[str, Any]) -> Trial:
        """Record the metrics of a candidate, numbers by name; the trial as it now stands.

        Raises:
            EvaluationError: an objective or a metric with a bound is missing or not finite, or a metric is no number;
                the trial stays pending.
            StoreError: the trial has ended before.
        """
        return self._end(measured(trial, metrics, self.config.goals, self.costs))

    def fail(self, trial: Trial, reason: str, failure: Failure = "error") -> Trial:
        """Record that a candidate could not be evaluated, and how; it counts as a query and is not proposed again.

        Raises:
            StoreError: the trial has ended before.
        """
        return self._end(failed(trial, reason, failure))

    def run(
        self,
        evaluate: Evaluator,
        budget: int,
        watch: Callable[[Trial], Any] = lambda _: None,
        cost: float = math.inf,
    ) -> Trial | None:
        """Ask, evaluate and tell until `budget` queries or `cost` are spent or the space is exhausted.

        Args:
            evaluate: what a candidate is given to; its exceptions become failed trials. A campaign with fidelities says
                at which to measure, as the keyword `fidelity`.
            budget: queries in all, those of earlier processes included.
            watch: called with each trial that has ended.
            cost: in the unit that the evaluator reports as the metric `cost`.

        Returns:
            The best trial, or None where every one failed.
        """
        while not self.finished(budget, cost):
            trials = self.ask(min(self.config.batch, budget - self.spent))
            if not trials:
                break
            for trial in trials:
                watch(self._evaluate(evaluate, trial))
        return self.best()

    def finished(self, budget: int, cost: float = math.inf) -> bool:
        """Whether so many queries have ended, or have cost so much."""
        return self.spent >= budget or self.cost >= cost

    @property
    def cost(self) -> float:
        """What the queries that have ended took, in the unit that the evaluator reports; 0 where it reports none."""
        return math.fsum(trial.cost or 0.0 for trial in self._trials.values() if trial.status != "pending")

    @property
    def spent(self) -> int:
        """Queries that have ended."""
        return sum(trial.status != "pending" for trial in self._trials.values())

    def best(self) -> Trial | None:
        """The best trial so far."""
        return self.history.best

    def front(self) -> list[Trial]:
        """The feasible trials that no other one beats in the campaign's objectives, best first objective first."""
        return front(self.history)

    def pareto(self, directions: Mapping[str, bool]) -> list[Trial]:
        """The feasible trials that no other one beats in metrics of one's choice, best first objective first.

        Args:
            directions: for each metric whether more of it is better; trials without a finite value are left out.
        """
        done = [t for t in self.history.feasible if all(math.isfinite(t.metrics.get(m, math.nan)) for m in directions)]
        signs = [1 if up else -1 for up in directions.values()]
        table = np.array([[sign * t.metrics[m] for m, sign in zip(directions, signs, strict=True)] for t in done])
        table = table.reshape(len(done), len(signs))
        kept = [trial for trial, good in zip(done, non_dominated(table), strict=True) if good]
        return sorted(kept, key=lambda trial: (-self.history.gain(trial), trial.number))

    def to_frame(self) -> pd.DataFrame:
        """One row a trial: number, step, arch, origin, parent, status, mean, std, and each metric."""
        import pandas as pd  # a tenth of a second that only this call needs

        rows = [
            {
                "number": trial.number,
                "step": trial.step,
                "arch": trial.arch,
                "id": trial.identity,
                "origin": trial.proposal.origin,
                "parent": trial.proposal.parent,
                "status": trial.status,
                "mean": trial.proposal.mean,
                "std": trial.proposal.std,
                **trial.metrics,
            }
            for trial in self._trials.values()
        ]
        return pd.DataFrame(rows)

    def trial(self, number: int) -> Trial:
        """The trial of this number, as this process knows it."""
        return self._trials[number]

    def refresh(self) -> list[Trial]:
        """Read what other processes that share the campaign have written; the trials that they have ended."""
        pending = [number for number, trial in self._trials.items() if trial.status == "pending"]
        found = self.store.trials(pending, start=len(self._trials))
        self._trials.update((trial.number, trial) for trial in found)
        return [trial for trial in found if trial.status != "pending"]

    def note(self, trial: Trial) -> None:
        """Take up a trial that has ended and is written already."""
        self._trials[trial.number] = trial

    def conclude(self, trial: Trial, outcome: Measured | Failed, fidelity: float | None = None) -> Trial:
        """What becomes of a candidate that was evaluated, at a fidelity where there are several; not written yet.

        Returns:
            The trial as it ended, or still pending where it is to be measured at the next fidelity.
        """
        ended = conclude(trial, outcome, self.config.goals, self.costs)
        if self.ladder is None or fidelity is None or ended.status != "done":
            return ended
        return self.ladder.climb(self.history, trial, ended, fidelity)

    def next_fidelity(self, fidelity: float | None) -> float | None:
        """At what a promising candidate is measured after `fidelity`."""
        return None if self.ladder is None or fidelity is None else self.ladder.after(fidelity)

    def _evaluate(self, evaluate: Evaluator, trial: Trial) -> Trial:
        fidelity = None if self.ladder is None else self.ladder.fidelities[0]
        while trial.status == "pending":
            try:
                outcome: Measured | Failed = Measured(call(evaluate, trial.graph, fidelity))
            except StoreError:
                raise
            except Exception as error:  # whatever a user's training raises must not end the campaign
                outcome = raised(error)
            trial = self.conclude(trial, outcome, fidelity)
            fidelity = self.next_fidelity(fidelity) if trial.status == "pending" else None
        return self._end(trial)

    def _end(self, trial: Trial) -> Trial:
        self.store.tell(trial)
        self.note(trial)
        return trial

    def _number(self, proposals: Sequence[Proposal], step: int) -> list[Trial]:
        first = len(self._trials)
        return [
            Trial(number, step, proposal, self.space.format(proposal.graph), self.identify(proposal.graph))
            for number, proposal in enumerate(proposals, start=first)
        ]

    def identify(self, graph: ArchGraph) -> str:
        """What makes two candidates the same in this campaign: the network, or the description."""
        return identifier(self.space, self.config.distinct)(graph)


def identifier(space: SearchSpace, distinct: str) -> Callable[[ArchGraph], str]:
    """The function that gives a graph's identity: `space.canonical` or `space.format`."""
    return space.canonical if distinct == "network" else space.format


def _difference(kept: CampaignConfig, asked: CampaignConfig) -> str:
    changed = [name for name in vars(kept) if getattr(kept, name) != getattr(asked, name)]
    return ", ".join(f"{name} {getattr(kept, name)} there, {getattr(asked, name)} asked" for name in changed)
