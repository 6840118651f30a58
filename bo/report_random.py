"""What random search would have found with the same number of queries, computed exactly from the task's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bo.records import CampaignConfig

MOST = 80
"""Numbers of queries at which the band is computed; between them it is drawn straight."""
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class RandomBand:
    """Best so far of random search, over all of its outcomes.

    Args:
        rows: of the table, each drawn with the same chance and none twice.
        queries: the numbers of queries.
        worse, median, better: the best so far after each, in the metric's sign: a tenth of all outcomes are worse than
            the first, half than the second, nine tenths than the third. NaN where nothing feasible has been drawn.
    """

    rows: int
    queries: np.ndarray
    worse: np.ndarray
    median: np.ndarray
    better: np.ndarray


def random_band(config: CampaignConfig, columns: Mapping[str, np.ndarray], queries: int) -> RandomBand | None:
    """The band for up to `queries` draws; None where the table lacks a metric that the campaign needs.

    Args:
        config: its first objective and its constraints count.
        columns: of the task's table, one value a row.
        queries: at least 1.
    """
    needed = [config.objective.metric, *(one.name for one in config.constraints)]
    if any(name not in columns for name in needed):
        return None
    sign = 1.0 if config.objective.maximize else -1.0
    gains = sign * np.asarray(columns[config.objective.metric], dtype=float)
    good = np.isfinite(gains)
    for one in config.constraints:
        good &= one.holds(np.asarray(columns[one.name], dtype=float))
    gains = np.sort(np.where(good, gains, -np.inf))
    most = min(queries, len(gains))
    counts = np.unique(np.geomspace(1, most, MOST).round().astype(int)) if most > MOST else np.arange(1, most + 1)
    found = np.array([gains[places(len(gains), int(n))] for n in counts])
    worse, median, better = sign * np.where(np.isfinite(found), found, np.nan).T
    return RandomBand(len(gains), counts, worse, median, better)


def places(rows: int, draws: int) -> np.ndarray:
    """Where in a sorted column the `QUANTILES` of the largest of `draws` values lie, drawn without replacement.

    The k smallest rows hold all draws with probability C(k, draws) / C(rows, draws).
    """
    below = largest_below(rows, draws)
    return np.array([int(np.searchsorted(below, quantile * (1 - 1e-12))) for quantile in QUANTILES])


def largest_below(rows: int, draws: int) -> Float[np.ndarray, " rows"]:
    """For each place of a sorted column the probability that no draw lies above it."""
    from scipy.special import gammaln  # a quarter of a second that only a band needs

    k = np.arange(1, rows + 1, dtype=float)
    chosen = np.full(rows, -np.inf)
    enough = k >= draws
    chosen[enough] = gammaln(k[enough] + 1) - gammaln(k[enough] - draws + 1)
    return np.asarray(np.exp(np.minimum(chosen - chosen[-1], 0.0)))
