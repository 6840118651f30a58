"""Products of CSR matrices and dense ones, with gradients; `SparseMatrix` is what one calls them by."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def product(matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
    found: Tensor = Product.apply(matrix, transposed, x)  # type: ignore[no-untyped-call]
    return found


class Product(Function):
    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.transposed @ grad.contiguous()


class Added(Function):
    @staticmethod
    def forward(
        ctx: Any, matrix: Tensor, transposed: Tensor, base: Tensor, x: Tensor, alpha: float, beta: float
    ) -> Tensor:
        ctx.transposed, ctx.alpha, ctx.beta = transposed, alpha, beta
        return torch.addmm(base, matrix, x, alpha=alpha, beta=beta)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor, Tensor, None, None]:
        at_x = ctx.transposed @ grad.contiguous()
        return None, None, _scaled(grad, ctx.beta), _scaled(at_x, ctx.alpha), None, None


class Repeated(Function):
    """A polynomial of a matrix; that of the transpose, by the same steps, gives the gradient."""

    @staticmethod
    def forward(
        ctx: Any, matrix: Tensor, transposed: Tensor, x: Tensor, steps: int, alpha: float, beta: float
    ) -> Tensor:
        ctx.transposed, ctx.rest = transposed, (steps, alpha, beta)
        return _repeat(matrix, x, steps, alpha, beta)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor, None, None, None]:
        return None, None, _repeat(ctx.transposed, grad.contiguous(), *ctx.rest), None, None, None


class WeightedProduct(Function):
    @staticmethod
    def forward(ctx: Any, matrix: Any, values: Tensor, x: Tensor) -> Tensor:
        ctx.matrix = matrix
        ctx.save_for_backward(values, x)
        found: Tensor = matrix.with_values(values) @ x
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        values, x = ctx.saved_tensors
        return None, ctx.matrix.at_entries(grad, x), ctx.matrix.transposed_with(values) @ grad.contiguous()


class Sampled(Function):
    @staticmethod
    def forward(ctx: Any, matrix: Any, left: Tensor, right: Tensor) -> Tensor:
        ctx.matrix = matrix
        ctx.save_for_backward(left, right)
        found: Tensor = matrix.at_entries(left, right)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        left, right = ctx.saved_tensors
        return None, ctx.matrix.with_values(grad) @ right, ctx.matrix.transposed_with(grad) @ left


def csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A CSR tensor, unchecked."""
    _hear_warning()
    return torch.sparse_csr_tensor(starts, columns, values.detach(), size=shape, check_invariants=False)


@cache
def _hear_warning() -> None:
    """Torch calls CSR tensors a beta feature once a process, when the first is made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor([0, 0], [], [], size=(1, 1), check_invariants=False)


def _repeat(matrix: Tensor, x: Tensor, steps: int, alpha: float, beta: float) -> Tensor:
    found = x
    for _ in range(steps):
        found = torch.addmm(x, matrix, found, alpha=alpha, beta=beta)
    return found


def _scaled(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else x * factor
