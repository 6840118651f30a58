"""Early exit: architectures whose known costs break a bound are thrown away before they are evaluated.

Source: EEEA-Net (Termritthikun et al. 2021), the early-exit population initialisation. There a network that has too
many parameters is drawn again when the population is initialised; here so is a child.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.errors import InvalidOption

Cost = Callable[[ArchGraph], float]


@dataclass(frozen=True)
class Bounds:
    """Conditions on costs that follow from a graph without evaluation.

    Args:
        conditions: what an architecture must keep.
        costs: by name; those of all conditions.

    Raises:
        InvalidOption: a condition on what is no known cost.
    """

    conditions: tuple[Condition, ...] = ()
    costs: Mapping[str, Cost] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for condition in self.conditions:
            if condition.name not in self.costs:
                known = ", ".join(sorted(self.costs)) or "none"
                raise InvalidOption(f"{condition.text}: not known without evaluation; costs that are: {known}")

    def allow(self, graph: ArchGraph) -> bool:
        """Whether `graph` keeps every condition."""
        return all(one.holds(float(self.costs[one.name](graph))) for one in self.conditions)

    def __str__(self) -> str:
        return ", ".join(condition.text for condition in self.conditions)


UNBOUNDED = Bounds()


class Gate:
    """Bounds during one step, with a count of whom they let through.

    Args:
        bounds: without conditions everything passes, and nothing is noted.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.drawn = self.kept = self.children = self.kept_children = 0

    def lets_draw(self, graph: ArchGraph) -> bool:
        """Whether a random draw passes."""
        allowed = self.bounds.allow(graph)
        self.drawn, self.kept = self.drawn + 1, self.kept + allowed
        return allowed

    def lets_child(self, graph: ArchGraph) -> bool:
        """Whether a mutant or another child passes."""
        allowed = self.bounds.allow(graph)
        self.children, self.kept_children = self.children + 1, self.kept_children + allowed
        return allowed

    def notes(self) -> dict[str, Any]:
        """Draws and children that were looked at and how many passed; `acceptance` is the share among random draws."""
        if not self.bounds.conditions or not self.drawn + self.children:
            return {}
        counts: dict[str, float] = {"drawn": self.drawn, "kept": self.kept}
        if self.drawn:
            counts["acceptance"] = self.kept / self.drawn
        counts |= {"children": self.children, "kept_children": self.kept_children}
        return {"early_exit": counts}
