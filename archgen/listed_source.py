"""The exact source of rows for a wish where a space can be listed: one weight a row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from archgen.diffusion.listed_law import ListedLaw, strength_for_effective_size, tilted
from archgen.sources import SHARPNESS, unreachable
from archgen.wishes import Properties, Wish


@dataclass(frozen=True)
class ExactListed:
    """Draws from a listed law."""

    law: ListedLaw
    how: str = "exact, listed"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        return self.law.draw(count, rng), 1.0


def listed_source(rows: Int[Tensor, "m s"], wish: Wish, properties: Properties, seed: int) -> ExactListed:
    """The exact source where `rows` are all that a generator draws, each as often as another.

    Raises:
        InvalidOption: bounds that no row keeps, with the nearest value that can be reached.
    """
    law = ListedLaw(rows, torch.zeros(len(rows), dtype=torch.float64))
    kept = properties.kept(wish.given, rows)
    if not bool(kept.any()):
        raise unreachable(wish, properties, rows, sure=True)
    score = properties.objective(wish, seed)(rows).where(kept, -torch.inf)
    allowed = tilted(law, score, 0.0)
    if wish.maximize is None:
        return ExactListed(allowed)
    strength = wish.strength
    if strength is None:
        share = math.exp(-SHARPNESS * math.log(allowed.effective_size()))
        strength = strength_for_effective_size(allowed, score, min(share, 1.0))
    return ExactListed(tilted(law, score, strength))
