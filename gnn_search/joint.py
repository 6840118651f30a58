"""Joint: a linear map of several inputs side by side, one of which may be sparse features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnn_search.sparse import DroppedMatrix, SparseMatrix


@dataclass(frozen=True, eq=False)
class Raw:
    """Sparse features of a pass.

    Args:
        matrix: the features.
        kept: a factor for each node, or None for 1.
    """

    matrix: SparseMatrix | DroppedMatrix
    kept: Float[Tensor, "n 1"] | None

    def __matmul__(self, weight: Float[Tensor, "d h"]) -> Float[Tensor, "n h"]:
        found = self.matrix @ weight
        return found if self.kept is None else found * self.kept


Part = Tensor | Raw
"""Features of the nodes, shape "n d"."""


class Joint(nn.Module):
    """The linear map of the concatenation of parts, computed part by part, so that none is copied.

    Starts as Glorot and Bengio (2010) with a bias of 0.

    Args:
        widths: features of each part.
        outputs: features that come out.
    """

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(width, outputs)) for width in widths)
        self.bias = nn.Parameter(torch.zeros(outputs))
        reach = math.sqrt(6 / (sum(widths) + outputs))
        for weight in self.weights:
            nn.init.uniform_(weight, -reach, reach)

    def forward(self, parts: Sequence[Part]) -> Float[Tensor, "n outputs"]:
        found: Tensor = self.bias
        for part, weight in zip(parts, self.weights, strict=True):
            found = found + part @ weight if isinstance(part, Raw) else torch.addmm(found, part, weight)
        return found
