"""Constrained domination, the fronts it makes, and crowding (Deb et al., NSGA-II, 2002, sections III and VI)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def dominates(gains: Float[np.ndarray, "n m"], violations: Float[np.ndarray, " n"]) -> Bool[np.ndarray, "n n"]:
    """Whether row i beats row j: definition 1 of the paper.

    Of two rows that break constraints the one that breaks them less beats the other, and one that breaks none beats
    one that does; of two that break none, one beats the other where it is at least as good in all and better in one.

    Args:
        gains: the larger the better.
        violations: 0 where a row keeps all constraints.
    """
    no_worse, better = np.ones((len(gains), len(gains)), bool), np.zeros((len(gains), len(gains)), bool)
    for column in gains.T:  # one objective at a time: a third axis would be far slower
        no_worse &= column[:, None] >= column
        better |= column[:, None] > column
    less, same = violations[:, None] < violations, violations[:, None] == violations
    both_keep = same & (violations == 0)
    found: Bool[np.ndarray, "n n"] = less | (both_keep & no_worse & better)
    return found


def front_ranks(gains: Float[np.ndarray, "n m"], violations: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The front of each row, 0 for those that nothing beats, 1 for those that only front 0 beats, and so on."""
    beats = dominates(gains, violations)
    beaten_by = beats.sum(0)
    ranks = np.full(len(gains), -1)
    for front in range(len(gains)):
        members = (ranks < 0) & (beaten_by == 0)
        if not members.any():
            break
        ranks[members] = front
        beaten_by = beaten_by - beats[members].sum(0)
    return ranks


def crowding(gains: Float[np.ndarray, "n m"], ranks: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The crowding distance of each row in its front: the larger the lonelier; infinite at the ends of an objective."""
    distance = np.zeros(len(gains))
    for front in np.unique(ranks):
        members = np.flatnonzero(ranks == front)
        for column in gains[members].T:
            order = members[np.argsort(column, kind="stable")]
            sorted_column = np.sort(column)
            distance[order[[0, -1]]] = np.inf
            spread = sorted_column[-1] - sorted_column[0]
            if spread > 0:
                distance[order[1:-1]] += (sorted_column[2:] - sorted_column[:-2]) / spread
    return distance


def fitness_order(gains: Float[np.ndarray, "n m"], violations: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Rows from the fittest on: the lower front first, in a front the lonelier; of equals the earlier row."""
    ranks = front_ranks(gains, violations)
    return np.lexsort((-crowding(gains, ranks), ranks))
