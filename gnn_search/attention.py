"""AttentionLayer: Auto-GNN's layer, which weighs neighbours, aggregates their features and combines them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnn_search.inputs import NetworkInput
from gnn_search.neighbours import leaky_softmax, row_largest, row_softmax, tanh_scores
from gnn_search.sparse import SparseMatrix

SLOPE = 0.2
"""Of the leaky ReLU in GAT's scores."""
UNIFORM = ("const", "gcn")
"""Attentions that do not look at features and whose weights do not add up to 1."""


class AttentionLayer(nn.Module):
    """Message passing over neighbours and the node itself, by Auto-GNN's attentions, aggregations and combinations.

    A node's own features are among those that it aggregates. Scores of neighbours, but those of `const` and `gcn`, pass
    a softmax over the neighbours (GraphNAS, Gao et al. 2019, table 1). `mlp` aggregates by a perceptron on the sum;
    `mlp` combines the node's features and the aggregate by a perceptron on both. `const` and `gcn` heed the weights of
    edges, the others, as in GAT, do not.

    Args:
        hidden: features a head.
        attention: one of `graphs.spaces.gnn.ATTENTIONS`.
        heads: how many of them stand beside each other.
        aggregate: one of `graphs.spaces.gnn.AGGREGATES`.
        combine: one of `graphs.spaces.gnn.COMBINES`.
    """

    def __init__(self, hidden: int, attention: str, heads: int, aggregate: str, combine: str) -> None:
        super().__init__()
        width = heads * hidden
        self.attention, self.heads, self.aggregate = attention, heads, aggregate
        vectors = {"gat": 2, "sym-gat": 2, "cos": 2, "linear": 1, "gene-linear": 3}.get(attention, 0)
        self.vectors = nn.ParameterList(nn.Parameter(torch.empty(heads, hidden)) for _ in range(vectors))
        for vector in self.vectors:
            nn.init.uniform_(vector, -math.sqrt(6 / (hidden + 1)), math.sqrt(6 / (hidden + 1)))
        self.merge = _perceptron(width, width) if aggregate == "mlp" else None
        self.join = _perceptron(2 * width, width) if combine == "mlp" else None

    def forward(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        """Args: z: the features after the layer's linear map, heads times hidden of them."""
        found = self._aggregated(z, inputs)
        if self.merge is not None:
            found = self.merge(found)
        if self.join is not None:
            found = self.join(torch.cat([z, found], 1))
        return found

    def _aggregated(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        uniform = self.attention in UNIFORM
        places = inputs.summed if self.attention == "const" else inputs.looped
        if self.aggregate == "max":
            matrix = places if uniform else places.stacked(self.heads)
            values = matrix.values if uniform else self._weights(z, places)
            return row_largest(matrix, values, z.view(matrix.shape[0], -1)).view(z.shape)
        if uniform:
            found = places @ z
        else:
            matrix = places.stacked(self.heads)
            found = matrix.times(self._weights(z, places), z.view(matrix.shape[0], -1)).view(z.shape)
        return found / places.starts.diff()[:, None] if self.aggregate == "mean" else found

    def _weights(self, z: Float[Tensor, "n w"], places: SparseMatrix) -> Float[Tensor, " eh"]:
        """Of the entries of `places.stacked(heads)`; those of a row add up to 1."""
        matrix = places.stacked(self.heads)
        if self.attention == "gat":
            left, right = self._dots(z)
            return leaky_softmax(matrix, left, right, SLOPE)
        return row_softmax(matrix, self._scores(z, places))

    def _scores(self, z: Float[Tensor, "n w"], places: SparseMatrix) -> Float[Tensor, " eh"]:
        """Of `linear`, `cos`, `gene-linear` and `sym-gat`."""
        matrix = places.stacked(self.heads)
        source, target = matrix.columns, matrix.rows
        if self.attention == "linear":
            return torch.tanh(self._dots(z)[0]).index_select(0, source)
        if self.attention == "cos":
            left = (z.view(len(z), self.heads, -1) * (self.vectors[0] * self.vectors[1])).view(matrix.shape[0], -1)
            return matrix.sampled(left, z.view(matrix.shape[0], -1))
        if self.attention == "gene-linear":
            parts = z.view(len(z), self.heads, -1)
            found = tanh_scores(places, parts * self.vectors[0], parts * self.vectors[1], self.vectors[2])
            return places.spread(found)
        left, right = self._dots(z)
        found = _leaky(left.index_select(0, target) + right.index_select(0, source))
        return found + _leaky(left.index_select(0, source) + right.index_select(0, target))

    def _dots(self, z: Float[Tensor, "n w"]) -> list[Float[Tensor, " nh"]]:
        """For each vector its dot products with the heads of all nodes, by one product of matrices."""
        vectors = torch.stack(list(self.vectors))
        apart = torch.einsum("vhd,hk->hdvk", vectors, torch.eye(self.heads)).reshape(z.shape[1], -1)
        return [one.flatten() for one in (z @ apart).chunk(len(vectors), 1)]


def _leaky(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, SLOPE)


def _perceptron(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))
