"""NetworkInput: a graph with the matrices that layers multiply by, each made once for all candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnn_search.sparse import SparseMatrix
from gnn_search.task import GraphInput

Product = Callable[[Float[Tensor, "d h"]], Float[Tensor, "n h"]]
"""The features times a weight."""


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What a network reads, prepared.

    Matrices have a row for each node that reads and a column for each node that is read.

    Args:
        graph: the graph.
    """

    graph: GraphInput

    @cached_property
    def features(self) -> SparseMatrix | Tensor:
        """The features, as a sparse matrix where they are few."""
        x = self.graph.x
        if x.layout == torch.strided:
            return x
        rows = torch.arange(len(x)).repeat_interleave(x.crow_indices().diff().long())
        return SparseMatrix(rows, x.col_indices().long(), x.values().float(), (x.shape[0], x.shape[1]))

    @cached_property
    def adjacency(self) -> SparseMatrix:
        """A, without self-loops."""
        return self._matrix(self.weights)

    @cached_property
    def summed(self) -> SparseMatrix:
        """A + I, whose entries are in the places of `looped`."""
        return self._looped(torch.cat([self.weights, torch.ones(self.graph.nodes)]))

    @cached_property
    def mean(self) -> SparseMatrix:
        """A with rows that add up to 1; a node that nobody reaches has none."""
        total = _totals(self.weights, self._targets, self.graph.nodes)
        return self._matrix(self.weights / total[self._targets])

    @cached_property
    def symmetric(self) -> SparseMatrix:
        """D^-1/2 A D^-1/2, without self-loops."""
        return self._matrix(_symmetric(self._sources, self._targets, self.weights, self.graph.nodes))

    @cached_property
    def looped(self) -> SparseMatrix:
        """D^-1/2 (A + I) D^-1/2 of a GCN, D the degrees with loops; its places are those that attention looks at."""
        sources, targets = self._with_loops
        weights = torch.cat([self.weights, torch.ones(self.graph.nodes)])
        return self._looped(_symmetric(sources, targets, weights, self.graph.nodes))

    @property
    def weights(self) -> Float[Tensor, " e"]:
        """Of the edges, 1 where none are told."""
        told = self.graph.edge_weight
        return torch.ones(self.graph.edge_index.shape[1]) if told is None else told

    @property
    def _sources(self) -> Int[Tensor, " e"]:
        return self.graph.edge_index[0]

    @property
    def _targets(self) -> Int[Tensor, " e"]:
        return self.graph.edge_index[1]

    @property
    def _with_loops(self) -> tuple[Int[Tensor, " l"], Int[Tensor, " l"]]:
        """Sources and targets of the edges and of a loop at each node."""
        loops = torch.arange(self.graph.nodes)
        return torch.cat([self._sources, loops]), torch.cat([self._targets, loops])

    def _matrix(self, values: Float[Tensor, " e"]) -> SparseMatrix:
        return SparseMatrix(self._targets, self._sources, values, (self.graph.nodes, self.graph.nodes))

    def _looped(self, values: Float[Tensor, " l"]) -> SparseMatrix:
        sources, targets = self._with_loops
        return SparseMatrix(targets, sources, values, (self.graph.nodes, self.graph.nodes))


def _symmetric(sources: Tensor, targets: Tensor, weights: Tensor, nodes: int) -> Tensor:
    degree = _totals(weights, targets, nodes)
    root = degree.rsqrt().masked_fill(degree == 0, 0.0)
    return root[sources] * weights * root[targets]


def _totals(weights: Tensor, targets: Tensor, nodes: int) -> Tensor:
    return weights.new_zeros(nodes).index_add_(0, targets, weights)
