"""Reinforced conservative search (Auto-GNN, Zhou et al. 2019): small changes of the best architecture, by learned
policies, in those classes of decisions of which they are least sure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from bo.records import History, Proposal, Trial
from bo.strategies.controller import Controller, Learning
from bo.strategies.decisions import Decisions
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.follower import DRAWS, Follower, draw_unseen
from bo.strategies.strategy import Identify, draw_random
from graphs.archgraph import ArchGraph
from graphs.layout import Layout
from graphs.space import SearchSpace

LEARNING = Learning(rate=0.01)
"""With the published rate of 3.5e-4 a hundred trials teach next to nothing; see experiments/auto_gnn.md."""


@dataclass(frozen=True)
class AutoGnn:
    """One policy a class of decisions; `mutated` classes are drawn anew, the others keep the incumbent's choices.

    The incumbent is the best evaluated trial: a child replaces it only where it is better. A policy learns from the
    children that differ from their parents in its class.

    Args:
        layout: the space's.
        learning: of the policies.
        seed: of their first weights.
        initial: random trials before the first child.
        mutated: classes that a child may have other choices in.
        guided: take those classes with the largest entropies, else random ones (an ablation).
        conservative: depart from the best trial, else from the last one (an ablation).
        bounds: what every proposal keeps.
    """

    layout: Layout
    identify: Identify
    learning: Learning = LEARNING
    seed: int = 0
    initial: int = 1
    mutated: int = 1
    guided: bool = True
    conservative: bool = True
    bounds: Bounds = UNBOUNDED

    @property
    def space(self) -> SearchSpace:
        return self.layout.space

    @cached_property
    def decisions(self) -> Decisions:
        """What is decided, and its classes."""
        return Decisions(self.layout)

    @cached_property
    def _follower(self) -> Follower:
        classes = self.decisions.classes
        return Follower(lambda: Controller(self.decisions, classes, self.learning, self.seed, told=True), _teach)

    def propose(
        self, history: History, count: int, rng: np.random.Generator
    ) -> tuple[list[Proposal], Mapping[str, Any]]:
        seen, gate = set(history.seen), Gate(self.bounds)
        incumbent = self._incumbent(history)
        first = min(count, max(0, self.initial - len(history.trials)))
        proposals = draw_random(self.space, self.identify, seen, first, rng, "initial", gate)
        notes: dict[str, Any] = {}
        if incumbent is not None and len(proposals) < count:
            controller, row = self.controller(history), self.decisions.read([incumbent.graph])
            entropies = controller.entropies(row)
            order = self.order(entropies, rng)
            children, mutated = self._children(controller, row, order, count - len(proposals), rng, seen, gate)
            proposals += [Proposal(graph, "mutation", incumbent.number) for graph in children]
            notes = self._notes(incumbent, entropies, mutated)
        proposals += draw_random(self.space, self.identify, seen, count - len(proposals), rng, "random", gate)
        return proposals, notes | gate.notes()

    def controller(self, history: History) -> Controller:
        """The policies after what `history` has taught them."""
        return self._follower.follow(history)

    def order(self, entropies: Float[np.ndarray, " c"], rng: np.random.Generator) -> list[int]:
        """The classes in the order in which they are to be mutated: from the largest entropy on, the first of equals
        first; at random unless guided."""
        order = np.argsort(-entropies, kind="stable") if self.guided else rng.permutation(len(entropies))
        found: list[int] = order.tolist()
        return found

    def _incumbent(self, history: History) -> Trial | None:
        if not self.conservative:
            return history.done[-1] if history.done else None
        return max(history.done, key=history.merit, default=None)

    def _children(
        self,
        controller: Controller,
        row: Int[Tensor, "1 s"],
        order: Sequence[int],
        count: int,
        rng: np.random.Generator,
        seen: set[str],
        gate: Gate,
    ) -> tuple[list[ArchGraph], list[int]]:
        """New children with other choices in the first classes, in the next ones where these have no more, in the end
        in all; and which classes that were."""
        children, mutated = list[ArchGraph](), list[int]()
        some = [order[at : at + self.mutated] for at in range(0, len(order), self.mutated)]
        for classes in (*some, order) if len(some) > 1 else some:
            if len(children) == count:
                break
            draw = partial(self._draw, controller, row, classes, rng)
            draws = DRAWS if classes in (some[0], order) else DRAWS[:1]
            found = draw_unseen(draw, controller, count - len(children), self.identify, seen, gate, draws)
            children += found
            mutated += [one for one in classes if found and one not in mutated]
        return children, mutated

    @staticmethod
    def _draw(
        controller: Controller, row: Int[Tensor, "1 s"], classes: Collection[int], rng: np.random.Generator, count: int
    ) -> Int[Tensor, "b s"]:
        return controller.draw(count, rng, row, classes)

    def _notes(self, incumbent: Trial, entropies: Float[np.ndarray, " c"], mutated: Sequence[int]) -> dict[str, Any]:
        names = self.decisions.names
        return {
            "incumbent": incumbent.number,
            "mutated": [names[one] for one in mutated],
            "entropies": {name: float(one) for name, one in zip(names, entropies, strict=True)},
        }


def _teach(controller: Controller, history: History, trial: Trial, advantage: float) -> None:
    """The policies of those classes in which a child differs from its parent."""
    if trial.proposal.parent is None:
        return
    parent = next(one for one in history.trials if one.number == trial.proposal.parent)
    decisions = controller.decisions
    rows = decisions.read([trial.graph, parent.graph])
    differs = (rows[0] != rows[1]).tolist()
    controller.learn(
        rows[:1], rows[1:], {decisions.class_of[one] for one in decisions.order if differs[one]}, advantage
    )
