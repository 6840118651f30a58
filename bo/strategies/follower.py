"""Follower: a controller that has learned from a campaign's history; and what it draws that is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Int
from torch import Tensor

from bo.records import History, Trial
from bo.strategies.controller import Controller
from bo.strategies.early_exit import Gate
from bo.strategies.strategy import Identify
from graphs.archgraph import ArchGraph

DRAWS = (16, 64)
"""Rows that are drawn at once: more where none of those before was new."""
Teach = Callable[[Controller, History, Trial, float], None]
"""Teaches a controller what an evaluated trial of a history has shown, given its advantage."""


class Follower:
    """A controller that has learned from a history, in the order of its trials.

    What it has learned follows from the history alone: where the history goes on from the one before, so does the
    controller, else it begins anew. It learns up to the first trial that is pending, so that the order in which trials
    end does not matter.

    Args:
        make: a controller that has learned nothing.
        teach: what one trial teaches.
    """

    def __init__(self, make: Callable[[], Controller], teach: Teach) -> None:
        self._make, self._teach = make, teach
        self._controller: Controller | None = None
        self._learned: list[tuple[object, ...]] = []

    def follow(self, history: History) -> Controller:
        """The controller after `history`."""
        ready = next((at for at, one in enumerate(history.trials) if one.status == "pending"), len(history.trials))
        done = [trial for trial in history.trials[:ready] if trial.status == "done"]
        told = [_lesson(history, trial) for trial in done]
        if self._controller is None or told[: len(self._learned)] != self._learned:
            self._controller, self._learned = self._make(), []
        for trial, lesson in zip(done[len(self._learned) :], told[len(self._learned) :], strict=True):
            self._teach(self._controller, history, trial, self._advantage(self._controller, history, trial))
            self._learned.append(lesson)
        return self._controller

    @staticmethod
    def _advantage(controller: Controller, history: History, trial: Trial) -> float:
        """Of a trial that breaks a constraint a deviation below the mean, which it leaves as it is."""
        if history.violation(trial) > 0:
            return -1.0
        gain = history.gain(trial)
        advantage = controller.baseline.advantage(gain)
        controller.baseline = controller.baseline.after(gain)
        return advantage


def _lesson(history: History, trial: Trial) -> tuple[object, ...]:
    """All of a trial that is learned from."""
    proposal = trial.proposal
    return trial.number, proposal.graph, proposal.origin, proposal.parent, history.gain(trial), history.violation(trial)


def draw_unseen(
    draw: Callable[[int], Int[Tensor, "b s"]],
    controller: Controller,
    count: int,
    identify: Identify,
    seen: set[str],
    gate: Gate,
    draws: Sequence[int] = DRAWS,
) -> list[ArchGraph]:
    """Up to `count` architectures with new identities that keep the bounds; adds them to `seen`.

    Args:
        draw: draws so many rows.
        draws: how many rows at once, again and again while there are not enough.
    """
    found: list[ArchGraph] = []
    for rows in draws:
        if len(found) == count:
            break
        for graph in controller.decisions.write(draw(rows)):
            if len(found) < count and (identity := identify(graph)) not in seen and gate.lets_child(graph):
                seen.add(identity)
                found.append(graph)
    return found
