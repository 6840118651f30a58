"""Edges without self-loops or repetitions, and the edges between some of the nodes."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Edges = tuple[Int[Tensor, "2 clean"], Float[Tensor, " clean"] | None]
"""Source and target of each edge, and a positive weight for each, or None where all weigh 1."""


def clean_edges(
    edge_index: Int[Tensor, "2 e"], edge_weight: Float[Tensor, " e"] | None, nodes: int, *, directed: bool = False
) -> Edges:
    """The edges by source and target, each once, without self-loops.

    Args:
        edge_index: source and target of each edge.
        edge_weight: its weight; of repetitions, and of the two directions of an undirected edge, the greatest stays.
        nodes: how many the graph has.
        directed: whether to keep directions; else each edge stands in both.
    """
    source, target = edge_index.long()
    if not directed:
        source, target = torch.cat([source, target]), torch.cat([target, source])
        edge_weight = None if edge_weight is None else torch.cat([edge_weight, edge_weight])
    proper = source != target
    codes = (source * nodes + target)[proper]
    codes, places = codes.unique(return_inverse=True)
    cleaned = torch.stack([codes // nodes, codes % nodes]) if nodes else edge_index.new_zeros((2, 0)).long()
    if edge_weight is None:
        return cleaned, None
    weight = torch.zeros(len(codes), dtype=edge_weight.dtype)
    return cleaned, weight.scatter_reduce(0, places, edge_weight[proper], "amax")


def induced_edges(
    edge_index: Int[Tensor, "2 e"], edge_weight: Float[Tensor, " e"] | None, keep: Bool[Tensor, " n"]
) -> Edges:
    """The edges between two nodes that are kept; nodes are numbered anew, in their order."""
    numbers = keep.long().cumsum(0) - 1
    inside = keep[edge_index[0]] & keep[edge_index[1]]
    return numbers[edge_index[:, inside]], None if edge_weight is None else edge_weight[inside]
