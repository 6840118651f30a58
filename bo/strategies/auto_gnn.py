"""Reinforced conservative search (Auto-GNN, Zhou et al. 2019): small changes of the best architecture, by learned
policies, in those classes of decisions of which they are least sure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from bo.records import History, Proposal, Trial
from bo.strategies.controller import Controller, Learning
from bo.strategies.decisions import Decisions
from bo.strategies.early_exit import UNBOUNDED, Bounds, Gate
from bo.strategies.follower import Follower, draw_unseen
from bo.strategies.strategy import Identify, draw_random
from graphs.archgraph import ArchGraph
from graphs.layout import Layout
from graphs.space import SearchSpace


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
    learning: Learning = Learning(rate=3.5e-4)
    seed: int = 0
    initial: int = 1
    mutated: int = 1
    guided: bool = True
    conservative: bool = True
    bounds: Bounds = UNBOUNDED
    _memory: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def space(self) -> SearchSpace:
        return self.layout.space

    @property
    def decisions(self) -> Decisions:
        if "decisions" not in self._memory:
            self._memory["decisions"] = Decisions(self.layout)
        found: Decisions = self._memory["decisions"]
        return found

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
            chosen = self.classes(entropies, rng)
            children = self._children(controller, row, chosen, count - len(proposals), rng, seen, gate)
            proposals += [Proposal(graph, "mutation", incumbent.number) for graph in children]
            notes = self._notes(incumbent, entropies, chosen)
        proposals += draw_random(self.space, self.identify, seen, count - len(proposals), rng, "random", gate)
        return proposals, notes | gate.notes()

    def controller(self, history: History) -> Controller:
        """The policies after what `history` has taught them."""
        if "follower" not in self._memory:
            decisions = self.decisions
            self._memory["follower"] = Follower(
                lambda: Controller(decisions, decisions.classes, self.learning, self.seed, told=True), self._teach
            )
        follower: Follower = self._memory["follower"]
        return follower.follow(history)

    def classes(self, entropies: np.ndarray, rng: np.random.Generator) -> list[int]:
        """The classes to mutate: those with the largest entropies, the first of equals; random ones unless guided."""
        order = np.argsort(-entropies, kind="stable") if self.guided else rng.permutation(len(entropies))
        return sorted(order[: self.mutated].tolist())

    def _incumbent(self, history: History) -> Trial | None:
        if not self.conservative:
            return history.done[-1] if history.done else None
        return max(history.done, key=history.merit, default=None)

    def _children(
        self,
        controller: Controller,
        row: Int[Tensor, "1 s"],
        chosen: Collection[int],
        count: int,
        rng: np.random.Generator,
        seen: set[str],
        gate: Gate,
    ) -> list[ArchGraph]:
        """New children with other choices in the chosen classes; in all classes where these have no more."""
        children: list[ArchGraph] = []
        for classes in (chosen, range(len(self.decisions.classes))):
            draw = partial(self._draw, controller, row, classes, rng)
            children += draw_unseen(draw, controller, count - len(children), self.identify, seen, gate)
        return children

    @staticmethod
    def _draw(
        controller: Controller, row: Int[Tensor, "1 s"], classes: Collection[int], rng: np.random.Generator, count: int
    ) -> Int[Tensor, "b s"]:
        return controller.draw(count, rng, row, classes)

    def _teach(self, controller: Controller, history: History, trial: Trial, advantage: float) -> None:
        if trial.proposal.parent is None:
            return
        parent = next(one for one in history.trials if one.number == trial.proposal.parent)
        rows = self.decisions.read([trial.graph, parent.graph])
        differs = (rows[0] != rows[1]).tolist()
        parts = {kind for one, kind in self.decisions.class_of.items() if differs[one]}
        controller.learn(rows[:1], rows[1:], parts, advantage)

    def _notes(self, incumbent: Trial, entropies: np.ndarray, chosen: Collection[int]) -> dict[str, Any]:
        names = self.decisions.names
        return {
            "incumbent": incumbent.number,
            "mutated": [names[one] for one in chosen],
            "entropies": {name: float(one) for name, one in zip(names, entropies, strict=True)},
        }
