"""run: candidates of a campaign on an executor, as many at once as it takes, together with other processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bo.campaign import Campaign
from bo.executors.executor import Answer, Executor
from bo.leases import Leases
from bo.outcome import Failed, Lost, failed
from bo.records import Trial
from graphs.errors import LeaseLost

ATTEMPTS = 3
"""Workers that may vanish with a candidate before it counts as the cause."""
_PAUSE = 0.2
"""Seconds between two looks at what other processes have done."""

Watch = Callable[[Trial], Any]


def run(
    campaign: Campaign,
    executor: Executor,
    budget: int,
    leases: Leases,
    watch: Watch = lambda _: None,
    step: int | None = None,
    cost: float = math.inf,
) -> Trial | None:
    """Ask, evaluate and tell until `budget` queries have ended, in all processes that share the campaign, or until they
    have cost `cost`.

    As soon as an evaluation ends the next one begins, so proposals are made while others are pending. However this is
    left, evaluations are ended and candidates given back.

    Args:
        campaign: opened with a strategy.
        executor: evaluates; it is closed at the end.
        budget: queries in all, those of earlier and other processes included.
        leases: this process's, on the campaign's store.
        watch: called with each trial that has ended, here or elsewhere.
        cost: in the unit that the evaluator reports.
        step: candidates proposed at once; `campaign.config.batch` unless given, and more where more workers are free.

    Returns:
        The best trial, or None where every one failed.
    """
    round_ = _Run(campaign, executor, budget, leases, watch, step or campaign.config.batch, cost)
    with leases.beating():
        try:
            while not round_.finished():
                round_.fill()
                round_.collect()
        finally:
            round_.abandon()
    return campaign.best()


@dataclass
class _Run:
    campaign: Campaign
    executor: Executor
    budget: int
    leases: Leases
    watch: Watch
    step: int
    cost: float
    attempts: dict[int, int] = field(default_factory=dict)
    """The candidates that are being evaluated here, and for which time."""
    climbing: dict[int, tuple[Trial, float | None]] = field(default_factory=dict)
    """Those candidates with what lower rungs have told of them, and the fidelity at which they are measured."""
    barren: int = -1
    """Queries that had ended when the strategy last had nothing to propose."""

    def finished(self) -> bool:
        """Whether the budget is spent, or the space exhausted with nothing left to wait for."""
        self._refresh()
        campaign = self.campaign
        exhausted = campaign.spent == self.barren and not campaign.history.pending
        return campaign.finished(self.budget, self.cost) or exhausted

    def fill(self) -> None:
        """Give free workers what is pending, and new proposals where nothing is."""
        while (free := min(self.executor.capacity, self.budget - self.campaign.spent) - len(self.attempts)) > 0:
            taken = self.leases.take(free)
            for lease in taken:
                self._submit(lease.trial, lease.attempt)
            if not taken and not self._propose(free):
                return

    def collect(self) -> None:
        """Note what has ended."""
        if not self.attempts:  # all that is left is with other processes, or another one is proposing
            time.sleep(_PAUSE)
            return
        for answer in self.executor.wait(_PAUSE):
            self._note(answer)

    def abandon(self) -> None:
        """End what is being evaluated and let others have it."""
        self.executor.close()
        for number in self.attempts:
            self.leases.give_back(number, lost=False)

    def _propose(self, free: int) -> bool:
        """Whether there are new proposals."""
        if not self._wanted(free):
            return False
        with self.leases.turn() as mine:
            self._refresh()
            if not mine or not (count := self._wanted(free)):
                return False
            try:
                proposed = self.campaign.propose(count, self.leases.require_turn)
            except LeaseLost:  # another process took the turn; what it proposes will do
                return False
            if not proposed:
                self.barren = self.campaign.spent
            return bool(proposed)

    def _wanted(self, free: int) -> int:
        """How many more candidates there should be; none while the strategy waits for how the pending ones do."""
        if self.campaign.spent == self.barren:
            return 0
        return max(0, min(max(self.step, free), self.budget - len(self.campaign.history.trials)))

    def _refresh(self) -> None:
        for trial in self.campaign.refresh():
            self.watch(trial)

    def _submit(self, number: int, attempt: int) -> None:
        if number >= len(self.campaign.history.trials):
            self._refresh()
        trial = self.campaign.trial(number)
        if attempt > ATTEMPTS:
            told = f"{ATTEMPTS} workers vanished with it, one after another"
            self._end(trial, Failed("worker_lost", told))
            return
        self.attempts[number] = attempt
        ladder = self.campaign.ladder
        self._begin(trial, None if ladder is None else ladder.fidelities[0])

    def _begin(self, trial: Trial, fidelity: float | None) -> None:
        self.climbing[trial.number] = trial, fidelity
        self.executor.submit(trial.number, trial.graph, fidelity)

    def _note(self, answer: Answer) -> None:
        attempt = self.attempts.pop(answer.key)
        (trial, fidelity), outcome = self.climbing.pop(answer.key), answer.outcome
        if isinstance(outcome, Lost) and attempt < ATTEMPTS:
            self.leases.give_back(answer.key, lost=True)
        elif isinstance(outcome, Lost):
            told = f"{ATTEMPTS} workers vanished with it, the last one so: {outcome.reason}"
            self._end(trial, Failed("worker_lost", told))
        else:
            ended = self.campaign.conclude(trial, outcome, fidelity)
            if ended.status == "pending":
                self.attempts[answer.key] = attempt
                self._begin(ended, self.campaign.next_fidelity(fidelity))
            else:
                self._write(ended)

    def _end(self, trial: Trial, failure: Failed) -> None:
        self._write(failed(trial, failure.reason, failure.failure))

    def _write(self, ended: Trial) -> None:
        if self.leases.end(ended):
            self.campaign.note(ended)
            self.watch(ended)
