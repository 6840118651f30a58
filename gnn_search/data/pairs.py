"""Parts of a graph's edges, each with as many pairs of nodes that no edge joins."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.random import Generator, default_rng
from torch import Tensor

from gnn_search.data.edges import clean_edges
from graphs.errors import DataError

VALID_SHARE, TEST_SHARE = 0.05, 0.1


@dataclass(frozen=True, eq=False)
class PairSplit:
    """Pairs to tell apart, and the edges that messages may pass.

    Args:
        edge_index, edge_weight: the edges of training, in both directions.
        pairs: for training, validation and test, shape "m 2": the part's edges, then as many pairs without an edge.
    """

    edge_index: Int[Tensor, "2 passing"]
    edge_weight: Float[Tensor, " passing"] | None
    pairs: tuple[Int[Tensor, "train 2"], Int[Tensor, "valid 2"], Int[Tensor, "test 2"]]


def split_pairs(
    name: str, edge_index: Int[Tensor, "2 e"], edge_weight: Float[Tensor, " e"] | None, nodes: int, seed: int
) -> PairSplit:
    """85 % of the undirected edges for training, 5 % for validation, 10 % for test, at least one each.

    Args:
        name: how messages call the graph.
        edge_index, edge_weight: clean edges in both directions.
        nodes: how many there are.
        seed: of the split; pairs without an edge are drawn uniformly, and none is in two parts.

    Raises:
        DataError: fewer than three edges, or more edges than pairs without one.
    """
    rng = default_rng(seed)
    once = edge_index[0] < edge_index[1]
    edges, weight = edge_index[:, once].T, None if edge_weight is None else edge_weight[once]
    count = len(edges)
    if count < 3:
        raise DataError(f"{name} has {count} undirected edges, expected at least 3, one for each part of the split")
    order = torch.from_numpy(rng.permutation(count))
    valid, test = max(round(count * VALID_SHARE), 1), max(round(count * TEST_SHARE), 1)
    cuts = [count - valid - test, count - test]
    absent = torch.from_numpy(_absent_pairs(name, edges.numpy(), nodes, rng))
    train_pairs, valid_pairs, test_pairs = (
        torch.cat(both) for both in zip(edges[order].tensor_split(cuts), absent.tensor_split(cuts), strict=True)
    )
    chosen = order[: cuts[0]]
    passing, passing_weight = clean_edges(edges[chosen].T, None if weight is None else weight[chosen], nodes)
    return PairSplit(passing, passing_weight, (train_pairs, valid_pairs, test_pairs))


def _absent_pairs(
    name: str, edges: "np.ndarray[tuple[int, int], np.dtype[np.int64]]", nodes: int, rng: Generator
) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """As many different pairs of nodes without an edge as there are edges, lower node first, in random order."""
    count, all_pairs = len(edges), nodes * (nodes - 1) // 2
    if all_pairs - count < count:
        raise DataError(
            f"{name} joins {count} of {all_pairs} pairs of nodes, so there are only {all_pairs - count} pairs without "
            f"an edge, expected {count}; a graph this dense cannot be learned by telling edges from other pairs"
        )
    taken = edges[:, 0] * nodes + edges[:, 1]
    if all_pairs <= 4 * count:
        lower, upper = np.triu_indices(nodes, k=1)
        free = np.setdiff1d(lower.astype(np.int64) * nodes + upper, taken)
    else:
        free = np.empty(0, dtype=np.int64)
        while len(free) < count:
            drawn = rng.integers(nodes, size=(3 * count, 2))
            drawn = drawn[drawn[:, 0] < drawn[:, 1]]
            free = np.unique(np.concatenate([free, drawn[:, 0] * nodes + drawn[:, 1]]))
            # Edges are in order, so the code that is not less than a free one is the only candidate to equal it.
            places = np.searchsorted(taken, free).clip(max=count - 1)
            free = free[taken[places] != free]
    codes = rng.choice(free, size=count, replace=False)
    return np.stack([codes // nodes, codes % nodes], axis=1)
