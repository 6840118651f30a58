"""The learned source of rows for a wish: the generator fine-tuned to it, with weights and a check of the bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.tilting import (
    MOST_DRAWS,
    TiltConfig,
    TiltedGenerator,
    WeightedRows,
    systematic,
    tilt_generator,
)
from archgen.sources import LEAST, TRIES, Source, Unguided, unreachable
from archgen.wishes import Properties, Wish
from graphs.condition import Condition

DEVIATIONS = 4.0
"""Strength, per deviation of the property, unless given: a normal law moves by that many."""
PENALTY = 60.0
"""Nats taken off for a bound that is missed by one deviation of the property."""
MISSED = 8.0
"""Nats taken off for a bound that is missed at all."""
LOOKED_AT = 4096
"""Draws of the generator that tell the deviations."""
WatchTilting = Callable[[int, float, float], object]
"""Called after each round with its number, the share of the strength reached and the best score seen."""


@dataclass(frozen=True)
class Learned:
    """Draws from a tilted generator; what breaks a bound weighs nothing."""

    tilted: TiltedGenerator
    properties: Properties
    wish: Wish

    @property
    def how(self) -> str:
        reached = self.tilted.strength
        return "learned" if reached >= 1 else f"learned, to {reached:.0%} of the strength"

    def draw(self, count: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], float]:
        drawn, good = self._batch(count, rng), 0
        for batch in range(1, TRIES):
            kept = self.properties.kept(self.wish.given, drawn.rows)
            good = int(kept.sum())
            weighed = replace(drawn, score=drawn.score.masked_fill(~kept, -torch.inf))
            enough = good > 0 and weighed.share(self.tilted.strength) * len(kept) >= count
            if enough or (good > 0 and batch >= MOST_DRAWS):
                break
            drawn = drawn.joined(self._batch(count, rng))
        if not good:
            raise unreachable(self.wish, self.properties, drawn.rows, sure=False)
        picked = systematic(weighed.weights(self.tilted.strength), count, rng)
        return drawn.rows[picked], good / len(kept)

    def _batch(self, count: int, rng: torch.Generator) -> WeightedRows:
        return self.tilted.draw_weighted(self.tilted.excess * max(count, LEAST), self.tilted.strength, rng)


def learned_source(
    generator: DiffusionGenerator,
    wish: Wish,
    properties: Properties,
    seed: int,
    config: TiltConfig | None = None,
    watch: WatchTilting = lambda *_: None,
) -> Source:
    """The learned source; the generator itself where there is nothing to learn.

    Args:
        config: how it is trained.
        watch: called after each round of training.

    Raises:
        InvalidOption: bounds that nothing keeps, as far as draws of the trained source can tell.
    """
    rng = torch.Generator().manual_seed(seed)
    plain, _ = Unguided(generator).draw(LOOKED_AT, rng)
    penalties = [_Penalty.of(condition, properties, plain) for condition in wish.given]
    objective = properties.objective(wish, seed)
    deviation = float(objective(plain).std())
    strength = (DEVIATIONS / deviation if deviation > 0 else 0.0) if wish.strength is None else wish.strength
    if not penalties and (strength == 0 or wish.maximize is None):
        return Unguided(generator)

    def score(rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        total = objective(rows) * strength
        for penalty in penalties:
            total = total - penalty(properties, rows)
        return total

    config = replace(config or TiltConfig(), seed=seed)
    found = Learned(tilt_generator(generator, score, 1.0, config, watch), properties, wish)
    found.draw(1, rng)
    return found


@dataclass(frozen=True)
class _Penalty:
    """Nats for missing a bound, steep enough that few draws miss it and soft enough to be learned by steps."""

    condition: Condition
    deviation: float

    @staticmethod
    def of(condition: Condition, properties: Properties, rows: Int[Tensor, "b s"]) -> _Penalty:
        return _Penalty(condition, float(properties.evaluate(condition.name, rows)[0].std()) or 1.0)

    def __call__(self, properties: Properties, rows: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
        over = properties.evaluate(self.condition.name, rows)[0] - self.condition.value
        missed = (over if self.condition.operator == "<=" else -over).clamp(min=0) / self.deviation
        return PENALTY * missed + MISSED * (missed > 0)
