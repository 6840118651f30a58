"""Learned guidance: a denoiser is fine-tuned to draw from p(x) exp(strength * score(x)), then weights make it exact.

The copy of the denoiser takes the strength as an input. It learns, by the same cross-entropy as before, the rows of a
pool, resampled by exp(strength * score). The first pool comes from the generator itself. Where a pool thins out before
the strongest tilt is reached, the next one is drawn from the copy at the strength reached so far: annealed importance
sampling (Neal 2001; Del Moral et al. 2006) with a generator in the place of the Markov moves. The score needs no
gradient and is asked for complete valid rows only.

Each row is drawn with the importance weight of its path under the unguided generator, so that resampling twice as many
draws as are wanted leaves the tilted law of the generator, up to the weights' effective size, which is reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from archgen.diffusion.denoiser import Denoiser
from archgen.diffusion.generator import CHUNK, DiffusionGenerator, new_denoiser
from archgen.diffusion.predictions import Predictions
from archgen.diffusion.process import add_noise, negative_elbo
from archgen.diffusion.sampler import sample_weighted
from graphs.errors import EvaluationError, InvalidOption

RowScore = Callable[[Int[Tensor, "b s"]], Float[Tensor, " b"]]
"""Complete rows to scores, larger is better; -inf forbids a row."""
RUNGS = 4
"""Strengths trained on in each round."""
MOST_DRAWS = 6
"""Batches drawn at most until the effective number of draws is the number of rows that are wanted."""
MOST = 1000.0
"""Strength times the score's deviation at which the level that the denoiser sees is 1."""


@dataclass(frozen=True)
class TiltConfig:
    """How a tilt is trained.

    Args:
        steps: optimiser steps of each round, and of a last one at the strongest tilt.
        batch: rows a step.
        learning_rate: AdamW's, falling to zero in each round.
        pool: rows drawn and scored at each round.
        share: effective sample size, as a share of the pool, down to which one pool serves.
        rounds: pools at most.
        seed: where all chance comes from.
    """

    steps: int = 500
    batch: int = 384
    learning_rate: float = 2e-3
    pool: int = 32_768
    share: float = 0.05
    rounds: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch // RUNGS, self.pool, self.rounds) < 1 or not 0 < self.share < 1:
            raise InvalidOption(f"{self}: expected positive numbers, a batch of {RUNGS} or more and a share in (0, 1)")


@dataclass(frozen=True)
class WeightedRows:
    """Rows with what they weigh as draws from the unguided generator.

    Args:
        rows: complete valid rows.
        log_ratio: log p - log q of each row's path.
        score: of each row.
    """

    rows: Int[Tensor, "m s"]
    log_ratio: Float[Tensor, " m"]
    score: Float[Tensor, " m"]

    def weights(self, strength: float) -> Float[Tensor, " m"]:
        """Normalised weights of draws from the law tilted by `strength`."""
        allowed = self.score.isfinite()
        tilt = self.log_ratio + strength * self.score.where(allowed, 0.0)
        return tilt.masked_fill(~allowed, -torch.inf).softmax(0)

    def joined(self, other: WeightedRows) -> WeightedRows:
        """Both, one after the other."""
        return WeightedRows(
            torch.cat([self.rows, other.rows]),
            torch.cat([self.log_ratio, other.log_ratio]),
            torch.cat([self.score, other.score]),
        )

    def share(self, strength: float) -> float:
        """Effective sample size as a share of the rows."""
        return float(1 / self.weights(strength).square().sum()) / len(self.rows)


@dataclass(frozen=True)
class TiltedGenerator:
    """A generator together with a denoiser that draws from its law tilted by one score.

    Args:
        base: the unguided generator.
        denoiser: the fine-tuned copy, which takes a level.
        score: what it is tilted by.
        deviation: the score's standard deviation under the unguided law.
        strength: the strongest tilt it was trained for.
        excess: draws for each row that is wanted, and again as many while the weights are too uneven for that.
    """

    base: DiffusionGenerator
    denoiser: Denoiser
    score: RowScore
    deviation: float
    strength: float
    excess: int = 2
    _known: dict[float, Predictions] = field(default_factory=dict, repr=False, compare=False)

    def stream(
        self, count: int, seed: int, *, strength: float | None = None, steps: int | None = None
    ) -> Iterator[tuple[Int[Tensor, "b s"], float, float]]:
        """`count` rows in chunks, each with the effective share of its draws and the share that the score allowed.

        Args:
            strength: of the tilt, from 0 to the one trained for, which is the default.

        Raises:
            InvalidOption: a count, number of steps or strength out of range.
            EvaluationError: a score is NaN, or no drawn row is allowed.
        """
        strength = self.strength if strength is None else strength
        if not 0 <= strength <= self.strength:
            raise InvalidOption(f"strength {strength}: trained for 0 to {self.strength}; train a stronger tilt")
        if count < 1:
            raise InvalidOption(f"cannot draw {count} graphs; expected at least 1")
        rng = torch.Generator().manual_seed(seed)
        for done in range(0, count, CHUNK):
            chunk = min(CHUNK, count - done)
            drawn = self.draw_weighted(self.excess * max(chunk, 256), strength, rng, steps)
            for _ in range(MOST_DRAWS - 1):
                if drawn.share(strength) * len(drawn.rows) >= chunk:
                    break
                drawn = drawn.joined(self.draw_weighted(self.excess * max(chunk, 256), strength, rng, steps))
            picked = systematic(drawn.weights(strength), chunk, rng)
            yield drawn.rows[picked], drawn.share(strength), float(drawn.score.isfinite().double().mean())

    def draw_weighted(
        self, count: int, strength: float, rng: torch.Generator, steps: int | None = None
    ) -> WeightedRows:
        """Draws of the fine-tuned denoiser with their weights.

        Raises:
            EvaluationError: a score is NaN, or no row is allowed.
        """
        return _draw(self.base, self._predict(strength), self.score, count, rng, steps)

    def _predict(self, strength: float) -> Predictions | None:
        if strength == 0:
            return None
        if strength not in self._known:
            level = float(_levels(torch.tensor([strength * self.deviation]))[0])
            self._known[strength] = Predictions(self.denoiser.eval(), level)
        return self._known[strength]


def tilt_generator(
    base: DiffusionGenerator,
    score: RowScore,
    strength: float,
    config: TiltConfig | None = None,
    watch: Callable[[int, float, float], object] = lambda *_: None,
) -> TiltedGenerator:
    """Fine-tune a copy of the generator's denoiser to the law p(x) exp(strength * score(x)) and to all weaker ones.

    Args:
        strength: the strongest tilt, positive.
        watch: called after each round with its number, the strength reached and the best score seen.

    Raises:
        InvalidOption: a strength that is not a positive number.
        EvaluationError: a score is NaN, or no row that was drawn is allowed.
    """
    config = config or TiltConfig()
    if not (strength > 0 and math.isfinite(strength)):
        raise InvalidOption(f"strength {strength}: expected a positive number")
    denoiser = new_denoiser(base.layout, replace(base.config, levels=True), config.seed)
    denoiser.load_state_dict(base.denoiser.state_dict(), strict=False)
    rng = torch.Generator().manual_seed(config.seed)
    pool = _draw(base, None, score, config.pool, rng, None)
    finite = pool.score[pool.score.isfinite()]
    tilted = TiltedGenerator(base, denoiser, score, float(finite.std()) or 1.0, strength)
    reached, lesson = 0.0, _Lesson((), ())
    for round_number in range(config.rounds):
        rungs = _rungs(pool, reached, strength, config.share)
        lesson = lesson.extended(pool, rungs)
        tilted = replace(tilted, denoiser=_fit(tilted, lesson, config, rng), _known={})
        reached = rungs[-1]
        watch(round_number, reached, float(pool.score.max()))
        pool = tilted.draw_weighted(config.pool, reached, rng)
        if reached >= strength and pool.share(reached) > config.share / 2:
            break
    last = lesson.extended(pool, [reached]).focused()
    return replace(tilted, strength=reached, denoiser=_fit(tilted, last, config, rng), _known={})


@dataclass(frozen=True)
class _Lesson:
    """For each strength trained on, rows to draw from and the running sum of their weights.

    Args:
        newest: how many of the strongest make up half of a batch.
    """

    strengths: tuple[float, ...]
    parts: tuple[tuple[Tensor, Tensor], ...]
    newest: int = RUNGS

    def focused(self) -> _Lesson:
        """The same with half of each batch from the strongest alone."""
        return replace(self, newest=1)

    def extended(self, pool: WeightedRows, strengths: list[float]) -> _Lesson:
        new = tuple((pool.rows, pool.weights(strength).cumsum(0)) for strength in strengths)
        kept = [at for at, strength in enumerate(self.strengths) if strength < strengths[0]]
        return _Lesson((*(self.strengths[at] for at in kept), *strengths), (*(self.parts[at] for at in kept), *new))

    def batch(self, size: int, rng: torch.Generator) -> tuple[Int[Tensor, "b s"], Float[Tensor, " b"]]:
        """Rows and their strengths; half of them of the strongest, half of all."""
        every = len(self.parts)
        newest = torch.randint(max(0, every - self.newest), every, (size // 2,), generator=rng)
        which = torch.cat([newest, torch.randint(every, (size - size // 2,), generator=rng)]).bincount(minlength=every)
        rows = []
        for (pool, ladder), count in zip(self.parts, which.tolist(), strict=True):
            mark = torch.rand(count, generator=rng, dtype=torch.float64) * ladder[-1]
            rows.append(pool[torch.searchsorted(ladder, mark).clamp(max=len(pool) - 1)])
        return torch.cat(rows), torch.tensor(self.strengths).repeat_interleave(which)


def _fit(tilted: TiltedGenerator, lesson: _Lesson, config: TiltConfig, rng: torch.Generator) -> Denoiser:
    """One round of fine-tuning; the moving average of the weights."""
    layout, denoiser = tilted.base.layout, tilted.denoiser.train()
    optimiser = torch.optim.AdamW(denoiser.parameters(), lr=config.learning_rate, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, config.steps + 1, pct_start=0.1)
    average = AveragedModel(denoiser, multi_avg_fn=get_ema_multi_avg_fn(0.98))  # type: ignore[no-untyped-call]
    for _ in range(config.steps):
        rows, strengths = lesson.batch(config.batch, rng)
        noised = add_noise(rows, layout.start(rows), layout.hidden, rng)
        logits = denoiser(noised.values, _levels(strengths * tilted.deviation))
        loss = negative_elbo(logits, rows, noised).mean() / len(layout)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimiser.step()
        rates.step()
        average.update_parameters(denoiser)
    return cast("Denoiser", average.module.eval())


def _rungs(pool: WeightedRows, reached: float, strength: float, share: float) -> list[float]:
    """Strengths from the one reached to the strongest for which the pool still serves, in steps of equal loss."""
    first = pool.share(reached)
    shares = [first * (share / first) ** (rung / RUNGS) for rung in range(1, RUNGS + 1)] if first > share else []
    rungs = [_strength_at(pool, reached, strength, aim) for aim in shares] or [reached]
    return [reached, *(rung for rung in dict.fromkeys(rungs) if rung > reached)]


def _strength_at(pool: WeightedRows, low: float, high: float, share: float) -> float:
    """The strength at which the pool's effective share is `share`, or `high` if it is larger even there."""
    if pool.share(high) >= share:
        return high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if pool.share(middle) > share else (low, middle)
    return low


def _draw(
    base: DiffusionGenerator,
    predict: Predictions | None,
    score: RowScore,
    count: int,
    rng: torch.Generator,
    steps: int | None,
) -> WeightedRows:
    steps = base.usual_steps if steps is None else steps
    rows, ratios = [], []
    for done in range(0, count, CHUNK):
        start = base.draw_starts(min(CHUNK, count - done), rng)
        target = None if predict is None else base.predict
        drawn, ratio = sample_weighted(base.layout, predict or base.predict, target, start, steps, rng)
        rows.append(drawn)
        ratios.append(ratio)
    every = torch.cat(rows)
    scores = score(every).double()
    if bool(scores.isnan().any() | scores.isposinf().any()):
        raise EvaluationError("the score of a row is NaN or +inf; expected a number, or -inf to forbid the row")
    if not bool(scores.isfinite().any()):
        raise EvaluationError(f"the score forbids all of {count} drawn rows; loosen the conditions")
    return WeightedRows(every, torch.cat(ratios), scores)


def systematic(weights: Float[Tensor, " m"], count: int, rng: torch.Generator) -> Int[Tensor, " count"]:
    """Row numbers in random order, each drawn as often as its weight says within one (systematic resampling)."""
    marks = (torch.arange(count, dtype=torch.float64) + torch.rand((), generator=rng, dtype=torch.float64)) / count
    ladder = weights.double().cumsum(0)
    picked = torch.searchsorted(ladder, marks * ladder[-1]).clamp(max=len(weights) - 1)
    return picked[torch.randperm(count, generator=rng)]


def _levels(strengths: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    return (strengths.float().log1p() / math.log1p(MOST)).clamp(max=1)
