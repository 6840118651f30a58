"""Softmax, largest and scores over the entries of rows, against loops; gradients against finite differences."""

import pytest
import torch
from torch import Tensor

from gnn_search import neighbours
from gnn_search.neighbours import leaky_softmax, row_largest, row_softmax, tanh_scores
from gnn_search.sparse import SparseMatrix

NODES = 6


@pytest.fixture
def matrix() -> SparseMatrix:
    """A graph with loops."""
    torch.manual_seed(0)
    rows, columns = ((torch.rand(NODES, NODES) < 0.4) | torch.eye(NODES, dtype=torch.bool)).nonzero().unbind(1)
    return SparseMatrix(rows, columns, torch.ones(len(rows), dtype=torch.double), (NODES, NODES))


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, requires_grad=True)


def test_softmax_of_each_row(matrix: SparseMatrix) -> None:
    scores = randn(len(matrix.rows))
    found = row_softmax(matrix, scores)
    for row in range(NODES):
        torch.testing.assert_close(found[matrix.rows == row], scores[matrix.rows == row].softmax(0))
    assert torch.autograd.gradcheck(lambda scores: row_softmax(matrix, scores), [scores])


def test_softmax_of_large_scores_is_finite(matrix: SparseMatrix) -> None:
    scores = torch.linspace(-1e5, 1e5, len(matrix.rows))
    assert row_softmax(matrix, scores).isfinite().all()


def test_softmax_of_leaky_sums(matrix: SparseMatrix) -> None:
    left, right = randn(NODES), randn(NODES)
    scores = torch.nn.functional.leaky_relu(left[matrix.rows] + right[matrix.columns], 0.2)
    torch.testing.assert_close(leaky_softmax(matrix, left, right, 0.2), row_softmax(matrix, scores))
    assert torch.autograd.gradcheck(lambda left, right: leaky_softmax(matrix, left, right, 0.2), [left, right])


@pytest.mark.parametrize("block", [1, 8, 1 << 16])
def test_largest_of_each_row(matrix: SparseMatrix, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    values, x = randn(len(matrix.rows)), randn(NODES, 3)
    found = row_largest(matrix, values, x)
    for row in range(NODES):
        at = matrix.rows == row
        torch.testing.assert_close(found[row], (values[at, None] * x[matrix.columns[at]]).amax(0))
    assert torch.autograd.gradcheck(lambda values, x: row_largest(matrix, values, x), [values, x])


def test_equals_share_the_gradient_of_the_largest() -> None:
    two = torch.tensor([0, 0]), torch.tensor([0, 1])
    matrix = SparseMatrix(*two, torch.ones(2, dtype=torch.double), (1, 2))
    x = torch.ones(2, 1, dtype=torch.double, requires_grad=True)
    row_largest(matrix, matrix.values, x).sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [0.5, 0.5]


@pytest.mark.parametrize("block", [1, 16, 1 << 16])
def test_scores_by_tanh(matrix: SparseMatrix, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    left, right, vector = randn(NODES, 2, 3), randn(NODES, 2, 3), randn(2, 3)
    expected = (torch.tanh(left[matrix.rows] + right[matrix.columns]) * vector).sum(-1)
    torch.testing.assert_close(tanh_scores(matrix, left, right, vector), expected)
    assert torch.autograd.gradcheck(lambda *args: tanh_scores(matrix, *args), [left, right, vector])
