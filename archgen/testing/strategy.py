"""StrategyContract: the tests that a search strategy runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from archgen.testing.objective import made_up_value
from archgen.testing.randomness import stirred
from bo.campaign import identifier
from bo.records import History, Objective, Proposal, Status, Trial
from bo.strategies.strategy import Identify, Strategy, draw_random
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

METRIC = "score"
both_identities = pytest.mark.parametrize("distinct", ["network", "description"])


class StrategyContract:
    """What every `bo.strategies.strategy.Strategy` must hold, on a space small enough to be listed where you have one:

    class TestMine(StrategyContract):
        space = MySmallSpace()

        def strategy(self, identify):
            return MyStrategy(self.space, identify)
    """

    space: SearchSpace
    known = 12  # evaluated trials before most of the steps that are looked at; of all identities, at most a third
    steps = 6  # of the short campaign, two candidates each
    largest_listed = 20_000  # descriptions up to which the strategy is watched exhausting the space

    def strategy(self, identify: Identify) -> Strategy:
        """The strategy, as a new process would make it; `identify` says which graphs count as the same."""
        raise NotImplementedError(f"{type(self).__name__} must define strategy(identify)")

    def waits(self, history: History) -> bool:
        """Whether a step may be short after `history`, because what comes next depends on how its candidates do."""
        return False

    def value(self, graph: ArchGraph) -> float:
        """The objective; a made-up one unless overridden."""
        return made_up_value(self.space, graph)

    def history(self, count: int, identify: Identify, status: Status = "done") -> History:
        """`count` different random trials that ended alike; measured where they are done."""
        drawn = draw_random(self.space, identify, set(), count, np.random.default_rng(count), "random")
        history = History((), Objective(METRIC))
        for proposal in drawn:
            history = self._told(history, [proposal], identify, status)
        return history

    def propose(self, strategy: Strategy, history: History, count: int, identify: Identify) -> list[Proposal]:
        """One step, held against everything that holds of every step."""
        rng = np.random.default_rng([count, len(history.trials)])
        proposals, notes = strategy.propose(history, count, rng)
        assert json.loads(json.dumps(dict(notes))) == dict(notes), f"the notes are not ready for JSON: {notes!r}"
        identities = [identify(proposal.graph) for proposal in proposals]
        again = history.seen.intersection(identities)
        assert not again, f"{sorted(again)} were known and are proposed again"
        assert len(set(identities)) == len(identities), f"a step proposes one identity twice: {identities}"
        most = min(count, self._left(history, identify))
        least = min(1, most) if self.waits(history) else most
        assert least <= len(proposals) <= most, f"expected {least} to {most} proposals, got {len(proposals)}"
        for proposal in proposals:
            self.space.check(proposal.graph)
            assert proposal.parent is None or proposal.parent in {trial.number for trial in history.trials}
            assert all(x is None or math.isfinite(x) for x in (proposal.mean, proposal.std, proposal.acquisition))
        return proposals

    @both_identities
    @pytest.mark.parametrize("count", [1, 3])
    def test_an_empty_history_is_a_start(self, distinct: str, count: int) -> None:
        identify = identifier(self.space, distinct)
        assert self.propose(self.strategy(identify), History((), Objective(METRIC)), count, identify)

    @both_identities
    def test_a_short_campaign(self, distinct: str) -> None:
        identify = identifier(self.space, distinct)
        strategy, history = self.strategy(identify), History((), Objective(METRIC))
        for _ in range(self.steps):
            history = self._told(history, self.propose(strategy, history, 2, identify), identify, "done")

    def test_the_history_and_the_random_state_decide(self) -> None:
        identify = self.space.canonical
        history, old = self.history(self.known, identify), self.strategy(identify)
        with stirred(0):
            first = self.propose(old, history, 2, identify)
        self.propose(old, self.history(self.known // 2, identify), 1, identify)
        with stirred(1):
            assert self.propose(old, history, 2, identify) == first, "a proposal depends on the proposals before it"
            new = self.propose(self.strategy(identify), history, 2, identify)
        assert new == first, "a process that goes on with the campaign proposes something else"

    def test_pending_and_failed_trials_are_not_proposed_again(self) -> None:
        identify = self.space.canonical
        trials = self.history(self.known, identify).trials
        waiting = tuple(replace(t, status="pending", metrics={}) for t in trials[-3:])
        failed = tuple(replace(t, status="failed", metrics={}, error="out of memory") for t in trials[-6:-3])
        history = History((*trials[:-6], *failed, *waiting), Objective(METRIC))
        self.propose(self.strategy(identify), history, 3, identify)

    def test_nothing_is_learned_from_failed_trials(self) -> None:
        identify = self.space.canonical
        trials = self.history(self.known, identify).trials

        def after(value: float) -> list[Proposal]:
            failed = tuple(replace(t, status="failed", metrics={METRIC: value}) for t in trials[-3:])
            history = History((*trials[:-3], *failed), Objective(METRIC))
            return self.propose(self.strategy(identify), history, 2, identify)

        assert after(1e6) == after(-1e6), "the metrics of failed trials change the proposals"

    def test_it_goes_on_where_every_trial_has_failed(self) -> None:
        identify = self.space.canonical
        self.propose(self.strategy(identify), self.history(self.known, identify, "failed"), 2, identify)

    def test_minimising_is_maximising_the_negative(self) -> None:
        identify = self.space.canonical
        up = self.history(self.known, identify)
        turned = tuple(replace(t, metrics={METRIC: -t.metrics[METRIC]}) for t in up.trials)
        down = History(turned, Objective(METRIC, maximize=False))
        more, less = (self.propose(self.strategy(identify), history, 1, identify) for history in (up, down))
        assert [p.graph for p in more] == [p.graph for p in less], "the sign of the objective changes the proposal"
        for one, other in zip(more, less, strict=True):
            assert one.mean is None or other.mean == pytest.approx(-one.mean), (
                "predictions are in the metric's own sign"
            )

    @both_identities
    def test_the_last_of_a_space_are_found_and_then_none(self, distinct: str) -> None:
        if not self._listed:
            pytest.skip("too large a space to exhaust")
        identify = identifier(self.space, distinct)
        every = self.history(self._left(History((), Objective(METRIC)), identify), identify)
        strategy, history = self.strategy(identify), History(every.trials[:-2], Objective(METRIC))
        while len(history.trials) < len(every.trials):
            history = self._told(history, self.propose(strategy, history, 4, identify), identify, "done")
        assert self.propose(strategy, history, 4, identify) == []

    def _told(self, history: History, proposals: list[Proposal], identify: Identify, status: Status) -> History:
        """The history after one more step, whose candidates all ended alike."""
        step = len(history.trials)
        trials = [
            Trial(
                number,
                step,
                proposal,
                self.space.format(proposal.graph),
                identify(proposal.graph),
                status,
                {METRIC: self.value(proposal.graph)} if status == "done" else {},
            )
            for number, proposal in enumerate(proposals, start=step)
        ]
        return History((*history.trials, *trials), history.objective)

    @property
    def _listed(self) -> bool:
        return self.space.enumerable and (self.space.size or math.inf) <= self.largest_listed

    def _left(self, history: History, identify: Callable[[ArchGraph], str]) -> int:
        """Identities that the history lacks; endless in a space that is too large to be listed."""
        if not self._listed:
            return 1_000_000
        return len({identify(graph) for graph in self.space.enumerate()} - history.seen)
