"""Guidance by tilting: candidates for the clean graph are drawn from the model and one is kept by its score.

For a target law p(x) exp(beta f(x)) the exact reverse step draws the clean graph from p(x | known) exp(beta f(x)).
We draw `candidates` graphs from p(x | known) and keep one with probability proportional to exp(beta f):
self-normalised importance resampling, free of gradients, so any surrogate can guide at once. It is exact as the
candidates grow where the hidden slots are independent given the known ones, as the denoiser draws them; else it is an
approximation. `archgen.diffusion.tilting` trains a denoiser for one score instead, which is faster to draw from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.sampler import Predict, reveal, schedule
from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError, InvalidOption
from graphs.layout import Layout

BIG = 1e6
"""A finite infinity: differences of it stay exact in float64."""
Score = Callable[[Sequence[ArchGraph]], np.ndarray]
"""Graphs to f, larger is better."""


@dataclass(frozen=True)
class Guide:
    """What to tilt by and how strongly.

    Args:
        score: f.
        strength: beta; None sets it so that the weights of all candidates of a step keep `share` of their number as
            effective sample size.
        candidates: clean graphs drawn for each graph and step.
        share: the effective sample size aimed at, as a share of all candidates.
        compete: keep the best of all candidates of a step, distinct graphs drawn without replacement, instead of one of
            each graph's own. Sharper than the tilted law and not a sample of it: for finding good graphs, not for
            drawing from a distribution.

    Raises:
        InvalidOption: no candidates, a share outside (0, 1], or a strength that is not finite.
    """

    score: Score
    strength: float | None = None
    candidates: int = 8
    share: float = 0.2
    compete: bool = False

    def __post_init__(self) -> None:
        if self.candidates < 1 or not 0 < self.share <= 1 or not math.isfinite(self.strength or 0.0):
            raise InvalidOption(
                f"cannot guide with {self.candidates} candidates, share {self.share}, strength {self.strength}; "
                "expected at least 1, a share in (0, 1] and a finite strength"
            )


@torch.no_grad()
def guided_rows(
    layout: Layout,
    predict: Predict,
    start: Int[Tensor, "b s"],
    steps: int,
    rng: torch.Generator,
    guide: Guide,
    watch: Callable[[Sequence[ArchGraph]], object] | None = None,
) -> Int[Tensor, "b s"]:
    """Complete valid rows from partly hidden ones, tilted by the guide.

    Args:
        start: rows with what is given; the rest is hidden.
        steps: denoising steps.
        watch: called with the graphs that each step keeps.

    Raises:
        EvaluationError: not one score for each graph, or a score that is NaN or +inf.
    """
    b, m = len(start), guide.candidates
    values, turn = start, schedule(layout, start == layout.hidden, steps, rng)
    for step in range(int(turn.max()) + 1):
        logits = predict(values).repeat_interleave(m, 0)
        turns = turn.repeat_interleave(m, 0)
        shown = reveal(layout, values.repeat_interleave(m, 0), logits, turns == step, rng)
        clean = reveal(layout, shown, logits, turns > step, rng)
        graphs = layout.write(clean)
        kept = choose(guide, graphs, b, rng)
        turn = turns[kept]
        values = torch.where(turn > step, layout.hidden, clean[kept])
        if watch is not None:
            watch([graphs[int(row)] for row in kept])
    return values


def choose(guide: Guide, graphs: Sequence[ArchGraph], rows: int, rng: torch.Generator) -> Int[Tensor, " rows"]:
    """For each of `rows` equal runs of candidates the number of the one that is kept.

    A score of -inf forbids a candidate; where all of a run are forbidden, one of them is kept at random.

    Raises:
        EvaluationError: not one score for each graph, or a score that is NaN or +inf.
    """
    score = _scores(guide.score, graphs)
    beta = strength_for(score, guide.share) if guide.strength is None else guide.strength
    if guide.compete:
        tilt = (beta * (score - score.max())).masked_fill(score.isneginf(), -torch.inf)
        return _best_of_all(tilt, graphs, rows, rng)
    runs = score.view(rows, -1)
    forbidden = runs.isneginf()
    below = torch.where(forbidden, 0.0, runs - runs.amax(1, keepdim=True))
    tilt = (beta * below).masked_fill(forbidden & ~forbidden.all(1, keepdim=True), -torch.inf).softmax(1)
    picked = torch.multinomial(tilt, 1, generator=rng)[:, 0]
    return picked + torch.arange(rows) * tilt.shape[1]


def _best_of_all(
    tilt: Float[Tensor, " m"], graphs: Sequence[ArchGraph], rows: int, rng: torch.Generator
) -> Int[Tensor, " rows"]:
    """`rows` places drawn without replacement by exp(tilt); repeated graphs, then forbidden ones, come last."""
    first = {graph: place for place, graph in reversed(list(enumerate(graphs)))}
    fresh = torch.zeros(len(graphs), dtype=torch.bool)
    fresh[list(first.values())] = True
    key = torch.where(tilt.isneginf(), -8 * BIG, tilt.clamp(min=-BIG)) + _gumbel(tilt, rng)
    return torch.where(fresh, key, key - 4 * BIG).topk(rows).indices


def strength_for(score: Float[Tensor, " m"], share: float) -> float:
    """The beta at which exp(beta * score) has an effective sample size of `share` times its number, by bisection.

    Scores of -inf have no weight. Where so many share the top score that no beta is strong enough, a large one; where
    no candidate differs from another or too few are allowed, 0.
    """
    gap = score[score.isfinite()].max() - score[score.isfinite()] if bool(score.isfinite().any()) else score[:0]
    if not bool((gap > 0).any()):
        return 0.0

    def too_weak(beta: float) -> bool:
        weight = (-beta * gap).exp()
        return float(weight.sum() ** 2 / (weight**2).sum()) > share * len(score)

    low, high = 0.0, 1.0 / float(gap.max())
    while too_weak(high) and high < 40.0 / float(gap[gap > 0].min()):  # beyond that only the top score has weight
        low, high = high, 4 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if too_weak(middle) else (low, middle)
    return low


def _scores(score: Score, graphs: Sequence[ArchGraph]) -> Float[Tensor, " m"]:
    found = torch.from_numpy(np.asarray(score(graphs), dtype=np.float64))
    if found.shape != (len(graphs),):
        raise EvaluationError(f"the guide's score gave shape {tuple(found.shape)} for {len(graphs)} graphs; one each")
    wrong = (found.isnan() | found.isposinf()).nonzero()
    if len(wrong):
        place = int(wrong[0])
        raise EvaluationError(
            f"the guide's score of {graphs[place]} is {float(found[place])}, expected a number, or -inf to forbid it"
        )
    return found


def _gumbel(like: Float[Tensor, " m"], rng: torch.Generator) -> Float[Tensor, " m"]:
    """Standard Gumbel noise: the arg-max of logits plus this is a draw from their softmax."""
    uniform = torch.rand(like.shape, generator=rng, dtype=torch.float64).clamp_(min=1e-300)
    return -(-uniform.log()).log()
