"""The size of a maximum matching in each of many bipartite graphs with the same possible edges."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from torch import Tensor

SMALL = 8
"""Rows, and columns, up to which all sets of rows are listed; faster than searching for paths there."""


def matching_sizes(
    joined: Bool[Tensor, "e b"], rows: Int[Tensor, " e"], columns: Int[Tensor, " e"]
) -> Int[Tensor, " b"]:
    """The most edges of which no two share a row or a column.

    Args:
        joined: which of the possible edges each graph has; graphs come last.
        rows: the row of each possible edge, ascending.
        columns: the column of each.
    """
    small = max(int(rows.max()), int(columns.max())) < SMALL
    return by_subsets(joined, rows, columns) if small else by_paths(joined, rows, columns)


def by_subsets(joined: Bool[Tensor, "e b"], rows: Int[Tensor, " e"], columns: Int[Tensor, " e"]) -> Int[Tensor, " b"]:
    """By König's theorem: the least number, over sets of rows, of the columns they are joined to and the other rows."""
    bits = torch.nn.functional.one_hot(rows, SMALL) << columns[:, None]
    seen = (bits.T.float() @ joined.float()).to(torch.uint8)  # [rows, b]: the columns of each row as bits
    reached, left = seen.new_zeros(1, joined.shape[1]), seen.new_full((1, 1), SMALL)
    for row in seen:
        reached, left = torch.cat([reached, reached | row]), torch.cat([left, left - 1])
    reached -= (reached >> 1).bitwise_and_(0x55)  # three lines that count the bits
    reached = (reached >> 2).bitwise_and_(0x33).add_(reached & 0x33)
    reached = (reached >> 4).add_(reached).bitwise_and_(0x0F)
    return reached.add_(left).amin(0).long()


def by_paths(joined: Bool[Tensor, "e b"], rows: Int[Tensor, " e"], columns: Int[Tensor, " e"]) -> Int[Tensor, " b"]:
    """By the algorithm of Hopcroft and Karp on all graphs at once."""
    b, n = joined.shape[1], 1 + max(int(rows.max()), int(columns.max()))
    graph, edge = joined.T.nonzero().T
    starts = np.concatenate([[0], (graph * n + rows[edge]).bincount(minlength=b * n).cumsum(0).numpy()])
    ends = (graph * n + columns[edge]).numpy()
    together = csr_matrix((np.ones(len(ends), dtype=bool), ends, starts), shape=(b * n, b * n))
    partner = torch.from_numpy(maximum_bipartite_matching(together, perm_type="column"))
    return (partner.view(b, n) >= 0).sum(1)
