"""Products with fixed sparse matrices, and fast dropout: what makes training on one CPU thread quick."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

LEVELS = 256
"""Probabilities of dropout are rounded to multiples of one over this, and outputs scaled by what was rounded to."""


class SparseMatrix:
    """A constant matrix that multiplies dense ones; its transpose is made once, for gradients.

    Args:
        rows, columns: places of the entries, no place twice.
        values: of the entries.
        shape: of the matrix.
    """

    def __init__(
        self, rows: Int[Tensor, " e"], columns: Int[Tensor, " e"], values: Float[Tensor, " e"], shape: tuple[int, int]
    ) -> None:
        self.shape = shape
        order = torch.argsort(rows * shape[1] + columns)
        self.rows, self.columns, self.values = rows[order], columns[order], values[order]
        self.starts = _starts(self.rows, shape[0])
        self._turned = torch.argsort(self.columns * shape[0] + self.rows)
        self._turned_rows = self.rows[self._turned]
        self._turned_starts = _starts(self.columns[self._turned], shape[1])
        self._plain = self.with_values(self.values)
        self._transposed = self.transposed_with(self.values)

    def with_values(self, values: Float[Tensor, " e"]) -> Tensor:
        """The matrix with other entries at the same places, as a CSR tensor without a gradient."""
        return _csr(self.starts, self.columns, values, self.shape)

    def transposed_with(self, values: Float[Tensor, " e"]) -> Tensor:
        """The transpose of `with_values(values)`."""
        turned = (self.shape[1], self.shape[0])
        return _csr(self._turned_starts, self._turned_rows, values[self._turned], turned)

    def __matmul__(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
        found: Tensor = _Product.apply(self._plain, self._transposed, x)
        return found

    def times(self, values: Float[Tensor, " e"], x: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
        """The product with entries that have a gradient."""
        found: Tensor = _WeightedProduct.apply(self, values, x)
        return found

    def dropped(self, share: float) -> DroppedMatrix:
        """The matrix with entries left out at random, the others larger to make up for it."""
        mask = drop_mask(self.values.shape, share)
        return DroppedMatrix(self, self.values * mask)


class DroppedMatrix:
    """A sparse matrix with other values, made for one pass."""

    def __init__(self, matrix: SparseMatrix, values: Float[Tensor, " e"]) -> None:
        self._plain, self._transposed = matrix.with_values(values), matrix.transposed_with(values)

    def __matmul__(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
        found: Tensor = _Product.apply(self._plain, self._transposed, x)
        return found


def drop_mask(shape: torch.Size, share: float) -> Float[Tensor, "..."]:
    """Zeros with probability `share`, rounded to one of `LEVELS`, else what keeps the mean at 1.

    A byte decides on each entry, four times as fast as a float.

    Args:
        share: in [0, 1).
    """
    least = min(round(share * LEVELS), LEVELS - 1)
    count = shape.numel()
    bits = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)[:count]
    return (bits.view(shape) >= least).float() * (LEVELS / (LEVELS - least))


def dropout(x: Float[Tensor, "..."], share: float, training: bool) -> Float[Tensor, "..."]:
    """As `torch.nn.functional.dropout`, for `share` rounded to one of `LEVELS`."""
    return x * drop_mask(x.shape, share) if training and share > 0 else x


class _Product(Function):
    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor | None]:
        return None, None, ctx.transposed @ grad.contiguous() if ctx.needs_input_grad[2] else None


class _WeightedProduct(Function):
    @staticmethod
    def forward(ctx: Any, matrix: SparseMatrix, values: Tensor, x: Tensor) -> Tensor:
        ctx.matrix = matrix
        ctx.save_for_backward(values, x)
        return matrix.with_values(values) @ x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        values, x = ctx.saved_tensors
        matrix, grad = ctx.matrix, grad.contiguous()
        at_values = (grad.index_select(0, matrix.rows) * x.index_select(0, matrix.columns)).sum(1)
        return None, at_values, matrix.transposed_with(values) @ grad


def _starts(rows: Int[Tensor, " e"], count: int) -> Int[Tensor, " c"]:
    return torch.cat([rows.new_zeros(1), rows.bincount(minlength=count).cumsum(0)])


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():  # torch calls CSR tensors a beta feature each time that one is made
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(starts, columns, values, size=shape)
