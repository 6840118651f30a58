"""Functions of the entries of a sparse matrix row by row: softmax, the largest, and scores of pairs.

What is as large as entries times features is computed in blocks that fit a processor's cache, and once more for the
gradient; kept whole it would take most of the time and the memory of a wide layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import leaky_relu

from gnn_search.sparse import SparseMatrix

BLOCK = 1 << 16
"""Numbers in a block; 256 KiB of float32."""


def row_softmax(matrix: SparseMatrix, scores: Float[Tensor, " e"]) -> Float[Tensor, " e"]:
    """The softmax over the entries of each row."""
    found: Tensor = _Softmax.apply(matrix, scores)  # type: ignore[no-untyped-call]
    return found


def leaky_softmax(
    matrix: SparseMatrix, left: Float[Tensor, " n"], right: Float[Tensor, " m"], slope: float
) -> Float[Tensor, " e"]:
    """`row_softmax` of the leaky ReLU of `left` at an entry's row plus `right` at its column."""
    found: Tensor = _LeakySoftmax.apply(matrix, left, right, slope)  # type: ignore[no-untyped-call]
    return found


def row_largest(matrix: SparseMatrix, values: Float[Tensor, " e"], x: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
    """For each row and feature the largest of an entry's value times `x` at its column.

    Args:
        matrix: where the entries are, at least one in each row.
        values: of the entries.
        x: features of the columns.
    """
    found: Tensor = _Largest.apply(matrix, values, x)  # type: ignore[no-untyped-call]
    return found


def tanh_scores(
    matrix: SparseMatrix, left: Float[Tensor, "n h d"], right: Float[Tensor, "m h d"], vector: Float[Tensor, "h d"]
) -> Float[Tensor, "e h"]:
    """For each entry the dot product of `vector` with tanh of `left` at its row plus `right` at its column."""
    found: Tensor = _TanhScores.apply(matrix, left, right, vector)  # type: ignore[no-untyped-call]
    return found


class _Softmax(Function):
    @staticmethod
    def forward(ctx: Any, matrix: SparseMatrix, scores: Tensor) -> Tensor:
        found = _softmax(matrix, scores.clone())
        ctx.matrix = matrix
        ctx.save_for_backward(found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        (found,) = ctx.saved_tensors
        return None, _softmax_gradient(ctx.matrix, found, grad)


class _LeakySoftmax(Function):
    @staticmethod
    def forward(ctx: Any, matrix: SparseMatrix, left: Tensor, right: Tensor, slope: float) -> Tensor:
        scores = left.index_select(0, matrix.rows).add_(right.index_select(0, matrix.columns))
        found = _softmax(matrix, leaky_relu(scores, slope))
        ctx.matrix, ctx.slope = matrix, slope
        ctx.save_for_backward(scores, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, None]:
        scores, found = ctx.saved_tensors
        at_scores = _softmax_gradient(ctx.matrix, found, grad)
        at_scores = torch.ops.aten.leaky_relu_backward(at_scores, scores, ctx.slope, False)
        at_right = scores.new_zeros(ctx.matrix.shape[1]).index_add_(0, ctx.matrix.columns, at_scores)
        return None, _row_sums(ctx.matrix, at_scores), at_right, None


class _Largest(Function):
    """Of equals, each gets an equal share of the gradient."""

    @staticmethod
    def forward(ctx: Any, matrix: SparseMatrix, values: Tensor, x: Tensor) -> Tensor:
        found = x.new_full((matrix.shape[0], x.shape[1]), -torch.inf)
        for part in _blocks(matrix, x.shape[1]):
            messages = x.index_select(0, matrix.columns[part]).mul_(values[part, None])
            found.scatter_reduce_(0, matrix.rows[part, None].expand_as(messages), messages, "amax")
        ctx.matrix = matrix
        ctx.save_for_backward(values, x, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        values, x, found = ctx.saved_tensors
        matrix, count = ctx.matrix, torch.zeros_like(found)
        for part in _blocks(matrix, x.shape[1]):
            count.index_add_(0, matrix.rows[part], _winners(matrix, part, values, x, found))
        shared, at_values, at_x = grad / count, torch.empty_like(values), torch.zeros_like(x)
        for part in _blocks(matrix, x.shape[1]):
            at_messages = _winners(matrix, part, values, x, found)
            at_messages.mul_(shared.index_select(0, matrix.rows[part]))
            columns = matrix.columns[part]
            torch.sum(at_messages * x.index_select(0, columns), 1, out=at_values[part])
            at_x.index_add_(0, columns, at_messages.mul_(values[part, None]))
        return None, at_values, at_x


class _TanhScores(Function):
    @staticmethod
    def forward(ctx: Any, matrix: SparseMatrix, left: Tensor, right: Tensor, vector: Tensor) -> Tensor:
        ctx.matrix = matrix
        ctx.save_for_backward(left, right, vector)
        found = left.new_empty(len(matrix.rows), left.shape[1])
        for part in _blocks(matrix, vector.numel()):
            torch.sum(_tanhs(matrix, part, left, right).mul_(vector), -1, out=found[part])
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        left, right, vector = ctx.saved_tensors
        at_left, at_right, at_vector = (torch.zeros_like(one) for one in (left, right, vector))
        for part in _blocks(ctx.matrix, vector.numel()):
            together = _tanhs(ctx.matrix, part, left, right)
            weight = grad[part, :, None]
            at_vector += (together * weight).sum(0)
            slopes = together.square_().neg_().add_(1.0).mul_(vector).mul_(weight)
            at_left.index_add_(0, ctx.matrix.rows[part], slopes)
            at_right.index_add_(0, ctx.matrix.columns[part], slopes)
        return None, at_left, at_right, at_vector


def _blocks(matrix: SparseMatrix, features: int) -> Iterator[slice]:
    """Entries of a few rows each."""
    step = max(1, BLOCK // features)
    for start in range(0, len(matrix.rows), step):
        yield slice(start, start + step)


def _softmax(matrix: SparseMatrix, scores: Tensor) -> Tensor:
    """In the memory of `scores`."""
    largest = torch.segment_reduce(scores, "max", offsets=matrix.starts)
    raised = scores.sub_(largest.index_select(0, matrix.rows)).exp_()
    return raised.div_(_row_sums(matrix, raised).index_select(0, matrix.rows))


def _softmax_gradient(matrix: SparseMatrix, found: Tensor, grad: Tensor) -> Tensor:
    weighed = found * grad
    return weighed.addcmul_(found, _row_sums(matrix, weighed).index_select(0, matrix.rows), value=-1.0)


def _row_sums(matrix: SparseMatrix, values: Tensor) -> Tensor:
    return values.new_zeros(matrix.shape[0]).index_add_(0, matrix.rows, values)


def _winners(matrix: SparseMatrix, part: slice, values: Tensor, x: Tensor, found: Tensor) -> Tensor:
    """Ones where an entry's message is the largest of its row."""
    messages = x.index_select(0, matrix.columns[part]).mul_(values[part, None])
    return messages.eq_(found.index_select(0, matrix.rows[part]))


def _tanhs(matrix: SparseMatrix, part: slice, left: Tensor, right: Tensor) -> Tensor:
    of_rows = left.index_select(0, matrix.rows[part])
    return of_rows.add_(right.index_select(0, matrix.columns[part])).tanh_()
