"""SparseMatrix: a constant matrix whose products with dense ones are quick on one CPU thread, gradients included."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnn_search.dropping import drop_mask as drop_mask
from gnn_search.dropping import dropout as dropout
from gnn_search.products import Added, Repeated, Sampled, WeightedProduct, csr, product


class SparseMatrix:
    """A constant matrix that multiplies dense ones; its transpose is made once, for gradients.

    `rows`, `columns` and `values` are the entries row by row, in each row by column; those of row i begin at
    `starts[i]`, and `order` tells where each was among those that were given.

    Args:
        rows, columns: places of the entries, no place twice.
        values: of the entries.
        shape: of the matrix.
    """

    def __init__(
        self, rows: Int[Tensor, " e"], columns: Int[Tensor, " e"], values: Float[Tensor, " e"], shape: tuple[int, int]
    ) -> None:
        self.shape = shape
        self.order = torch.argsort(rows * shape[1] + columns)
        self.rows, self.columns, self.values = rows[self.order], columns[self.order], values[self.order]
        self.starts = _starts(self.rows, shape[0])
        turned = torch.argsort(self.columns * shape[0] + self.rows)
        self._turned = turned
        # The library multiplies by 32-bit indices; others would be converted at each product.
        self._places = self.starts.int(), self.columns.int()
        self._turned_places = _starts(self.columns[turned], shape[1]).int(), self.rows[turned].int()
        self._plain = self.with_values(self.values)
        self._transposed = self.transposed_with(self.values)
        self._stacked: dict[int, SparseMatrix] = {1: self}

    def with_values(self, values: Float[Tensor, " e"]) -> Tensor:
        """The matrix with other entries at the same places, as a CSR tensor without a gradient."""
        return csr(*self._places, values, self.shape)

    def transposed_with(self, values: Float[Tensor, " e"]) -> Tensor:
        """The transpose of `with_values(values)`."""
        return csr(*self._turned_places, values.index_select(0, self._turned), (self.shape[1], self.shape[0]))

    def __matmul__(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
        return product(self._plain, self._transposed, x)

    def added(
        self, base: Float[Tensor, "n d"], x: Float[Tensor, "m d"], alpha: float = 1.0, beta: float = 1.0
    ) -> Float[Tensor, "n d"]:
        """`beta * base + alpha * self @ x` in one pass over memory."""
        found: Tensor = Added.apply(self._plain, self._transposed, base, x, alpha, beta)  # type: ignore[no-untyped-call]
        return found

    def repeated(self, x: Float[Tensor, "n d"], steps: int, alpha: float, beta: float) -> Float[Tensor, "n d"]:
        """What `steps` times `y = alpha * self @ y + beta * x`, begun at y = x, leads to; keeps nothing of it."""
        found: Tensor = Repeated.apply(self._plain, self._transposed, x, steps, alpha, beta)  # type: ignore[no-untyped-call]
        return found

    def times(self, values: Float[Tensor, " e"], x: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
        """The product with entries that have a gradient."""
        found: Tensor = WeightedProduct.apply(self, values, x)  # type: ignore[no-untyped-call]
        return found

    def sampled(self, left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Float[Tensor, " e"]:
        """For each entry the dot product of `left` at its row and `right` at its column."""
        found: Tensor = Sampled.apply(self, left, right)  # type: ignore[no-untyped-call]
        return found

    def at_entries(self, left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Float[Tensor, " e"]:
        """As `sampled`, without a gradient."""
        pattern = self._plain if left.dtype == self.values.dtype else self.with_values(self.values.to(left.dtype))
        found = torch.sparse.sampled_addmm(pattern, left.contiguous(), right.contiguous().t(), beta=0.0)
        values: Tensor = found.values()
        return values

    def stacked(self, heads: int) -> SparseMatrix:
        """The Kronecker product with the identity: each of `heads` rows of a node reads the same row of others.

        It multiplies heads that stand beside each other, seen as `x.view(n * heads, -1)`, at once. Made once a number.
        """
        if heads not in self._stacked:
            each = torch.arange(heads)
            rows, columns = ((places[:, None] * heads + each).flatten() for places in (self.rows, self.columns))
            shape = (self.shape[0] * heads, self.shape[1] * heads)
            self._stacked[heads] = SparseMatrix(rows, columns, self.values.repeat_interleave(heads), shape)
        return self._stacked[heads]

    def spread(self, values: Float[Tensor, "e h"]) -> Float[Tensor, " eh"]:
        """Values of the entries a head, in the order of the entries of `stacked(h)`."""
        heads = values.shape[1]
        return values.flatten() if heads == 1 else values.flatten().index_select(0, self.stacked(heads).order)

    def dropped(self, share: float) -> DroppedMatrix:
        """The matrix with entries left out at random, the others larger to make up for it."""
        return DroppedMatrix(self, self.values * drop_mask(self.values.shape, share))


class DroppedMatrix:
    """A sparse matrix with other values, made for one pass."""

    def __init__(self, matrix: SparseMatrix, values: Float[Tensor, " e"]) -> None:
        self._plain, self._transposed = matrix.with_values(values), matrix.transposed_with(values)

    def __matmul__(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
        return product(self._plain, self._transposed, x)


def _starts(rows: Int[Tensor, " e"], count: int) -> Int[Tensor, " c"]:
    return torch.cat([rows.new_zeros(1), rows.bincount(minlength=count).cumsum(0)])
