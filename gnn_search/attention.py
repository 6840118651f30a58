"""AttentionLayer: Auto-GNN's layer, which weighs neighbours, aggregates their features and combines them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.utils import scatter

from gnn_search.inputs import NetworkInput
from gnn_search.sparse import SparseMatrix

SLOPE = 0.2
"""Of the leaky ReLU in GAT's scores."""
UNIFORM = ("const", "gcn")
"""Attentions that do not look at features and whose weights do not add up to 1."""


class AttentionLayer(nn.Module):
    """Message passing over neighbours and the node itself, by Auto-GNN's attentions, aggregations and combinations.

    A node's own features are among those that it aggregates. Scores of neighbours, but those of `const` and `gcn`, pass
    a softmax over the neighbours (GraphNAS, Gao et al. 2019, table 1). `mlp` aggregates by a perceptron on the sum;
    `mlp` combines the node's features and the aggregate by a perceptron on both.

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
        return found if self.join is None else self.join(torch.cat([z, found], 1))

    def _aggregated(self, z: Float[Tensor, "n w"], inputs: NetworkInput) -> Float[Tensor, "n w"]:
        matrix = inputs.looped
        if self.aggregate == "max":
            messages = z.view(len(z), self.heads, -1).index_select(0, matrix.columns)
            weighed = (messages * self._weights(z, matrix)[..., None]).flatten(1)
            return scatter(weighed, matrix.rows, dim_size=len(z), reduce="max")
        found = self._summed(z, inputs, matrix)
        return found / matrix.starts.diff()[:, None] if self.aggregate == "mean" else found

    def _summed(self, z: Float[Tensor, "n w"], inputs: NetworkInput, matrix: SparseMatrix) -> Float[Tensor, "n w"]:
        if self.attention == "gcn":
            return matrix @ z
        if self.attention == "const":
            return inputs.adjacency @ z + z
        weights = self._weights(z, matrix)
        parts = z.view(len(z), self.heads, -1).unbind(1)
        return torch.cat([matrix.times(weights[:, head], part) for head, part in enumerate(parts)], 1)

    def _weights(self, z: Float[Tensor, "n w"], matrix: SparseMatrix) -> Float[Tensor, "e h"]:
        if self.attention in UNIFORM:
            values = matrix.values if self.attention == "gcn" else torch.ones_like(matrix.values)
            return values[:, None].expand(-1, self.heads)
        return _softmax(self._scores(z.view(len(z), self.heads, -1), matrix), matrix)

    def _scores(self, z: Float[Tensor, "n h d"], matrix: SparseMatrix) -> Float[Tensor, "e h"]:
        source, target = matrix.columns, matrix.rows
        if self.attention == "linear":
            return torch.tanh((z * self.vectors[0]).sum(-1)).index_select(0, source)
        if self.attention == "cos":
            left, right = z * self.vectors[0], z * self.vectors[1]
            return (left.index_select(0, target) * right.index_select(0, source)).sum(-1)
        if self.attention == "gene-linear":
            left, right = z * self.vectors[0], z * self.vectors[1]
            together = torch.tanh(left.index_select(0, target) + right.index_select(0, source))
            return (together * self.vectors[2]).sum(-1)
        left, right = (z * self.vectors[0]).sum(-1), (z * self.vectors[1]).sum(-1)
        found = _leaky(left.index_select(0, target) + right.index_select(0, source))
        if self.attention == "sym-gat":
            found = found + _leaky(left.index_select(0, source) + right.index_select(0, target))
        return found


def _leaky(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, SLOPE)


def _softmax(scores: Float[Tensor, "e h"], matrix: SparseMatrix) -> Float[Tensor, "e h"]:
    """Over the entries of each row; a row's largest score is taken off first, without a gradient."""
    rows, count = matrix.rows, matrix.shape[0]
    largest = scatter(scores.detach(), rows, dim_size=count, reduce="max")
    raised = torch.exp(scores - largest.index_select(0, rows))
    total = scores.new_zeros(count, scores.shape[1]).index_add_(0, rows, raised)
    return raised / total.index_select(0, rows)


def _perceptron(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))
