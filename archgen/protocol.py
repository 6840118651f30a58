"""How much a search is better than chance: the relative improvement, and what random search has of it at equal budget.

Source: Yang et al., NAS evaluation is frustratingly hard (ICLR 2020), section 3. The best of n random architectures is
better than the mean by selection alone, so no improvement stands without that of random search beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError, InvalidOption
from graphs.space import SearchSpace

Search = Callable[[int], float]
"""A whole search from its seed: the reported accuracy of the architecture that it chooses."""
RESAMPLES = 2_000
CONFIDENCE = 0.95
RANDOM = "random search"
"""The row that stands beside every other."""


@dataclass(frozen=True)
class Improvement:
    """100 (method - random) / random in percent, and a bootstrap interval.

    Args:
        value: of the means.
        low, high: ends of the interval.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} % [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True)
class Protocol:
    """One setting in which searches are compared; all answer the same evaluations.

    Args:
        space: where architectures come from.
        evaluate: metrics of an architecture, by the same training for all.
        chosen_by: the metric that a search may see.
        reported: the metric that is reported, of the architecture that was chosen.
        budget: evaluations of random search; that of the searches that stand beside it.
        seeds: of the searches.
        sampled: architectures whose mean is the baseline; 8 in the paper, more where evaluations cost nothing.
    """

    space: SearchSpace
    evaluate: Callable[[ArchGraph], Mapping[str, float]]
    chosen_by: str
    reported: str
    budget: int
    seeds: Sequence[int]
    sampled: int = 8


def compare(protocol: Protocol, searches: Mapping[str, Search]) -> dict[str, Improvement]:
    """The improvement of each search and, first, that of random search with the same budget and seeds.

    Raises:
        InvalidOption: no seed, a budget or a number of samples below 1, or a search called as random search is.
        EvaluationError: an accuracy that is not finite.
    """
    if protocol.budget < 1 or protocol.sampled < 1 or not len(protocol.seeds) or RANDOM in searches:
        raise InvalidOption(
            f"budget {protocol.budget}, {protocol.sampled} samples, {len(protocol.seeds)} seeds, searches "
            f"{', '.join(searches) or 'none'}; expected at least 1 of each, and no search called {RANDOM!r}"
        )
    baseline = np.array([_draw(protocol, [place, 1])[protocol.reported] for place in range(protocol.sampled)])
    every: dict[str, Search] = {RANDOM: lambda seed: random_search(protocol, seed), **searches}
    reached = {name: np.array([float(search(seed)) for seed in protocol.seeds]) for name, search in every.items()}
    return {name: improvement_over_random(values, baseline) for name, values in reached.items()}


def improvement_over_random(
    reached: Float[np.ndarray, " s"], sampled: Float[np.ndarray, " r"], seed: int = 0
) -> Improvement:
    """The relative improvement with its interval, both sides resampled.

    Args:
        reached: the accuracy that each of several whole searches ends with.
        sampled: accuracies of architectures drawn by chance.
        seed: of the bootstrap.

    Raises:
        EvaluationError: no numbers, one that is not finite, or samples whose mean is not above 0.
    """
    if not len(reached) or not len(sampled) or not np.isfinite(np.concatenate([reached, sampled])).all():
        raise EvaluationError(
            f"{len(reached)} searches and {len(sampled)} samples; expected at least one of each and finite accuracies"
        )
    if sampled.mean() <= 0:
        raise EvaluationError(f"random architectures have {sampled.mean()} in the mean; expected more than 0")
    rng = np.random.default_rng(seed)
    methods, means = (_resampled_means(values, rng) for values in (reached, sampled))
    low, high = np.quantile(100 * (methods - means) / means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    mean = float(sampled.mean())
    return Improvement(100 * (float(reached.mean()) - mean) / mean, float(low), float(high))


def random_search(protocol: Protocol, seed: int) -> float:
    """What the best of `budget` random architectures by the metric that a search may see has of the reported one."""
    drawn = [_draw(protocol, [seed, 2, number]) for number in range(protocol.budget)]
    return max(drawn, key=lambda metrics: metrics[protocol.chosen_by])[protocol.reported]


def _draw(protocol: Protocol, seed: Sequence[int]) -> Mapping[str, float]:
    return protocol.evaluate(protocol.space.sample(np.random.default_rng(seed)))


def _resampled_means(values: Float[np.ndarray, " n"], rng: np.random.Generator) -> Float[np.ndarray, " k"]:
    means: Float[np.ndarray, " k"] = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
    return means
