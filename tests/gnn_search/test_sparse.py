"""Sparse products against dense ones; gradients against finite differences."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from gnn_search.sparse import SparseMatrix

ROWS, COLUMNS = 7, 5
HEADS = 3


@pytest.fixture
def dense() -> Tensor:
    """Holes, an empty row and an empty column."""
    torch.manual_seed(0)
    found = torch.randn(ROWS, COLUMNS, dtype=torch.double) * (torch.rand(ROWS, COLUMNS) < 0.5)
    found[3], found[:, 2] = 0.0, 0.0
    return found


def sparse(dense: Tensor) -> SparseMatrix:
    """Entries are given in a random order."""
    rows, columns = dense.nonzero().unbind(1)
    order = torch.randperm(len(rows))
    rows, columns = rows[order], columns[order]
    return SparseMatrix(rows, columns, dense[rows, columns], (dense.shape[0], dense.shape[1]))


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, requires_grad=True)


def test_product_is_the_dense_one_with_its_gradient(dense: Tensor) -> None:
    matrix, x = sparse(dense), randn(COLUMNS, 4)
    torch.testing.assert_close(matrix @ x, dense @ x)
    assert torch.autograd.gradcheck(lambda x: matrix @ x, [x])


def test_entries_stand_row_by_row_and_tell_where_they_were(dense: Tensor) -> None:
    rows, columns = dense.nonzero().unbind(1)
    order = torch.randperm(len(rows))
    matrix = SparseMatrix(rows[order], columns[order], dense[rows, columns][order], (ROWS, COLUMNS))
    torch.testing.assert_close(matrix.rows, rows)
    torch.testing.assert_close(matrix.columns, columns)
    torch.testing.assert_close(order[matrix.order], torch.arange(len(rows)))
    assert matrix.starts.diff().tolist() == (dense != 0).sum(1).tolist()


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (-1.0, 1.0), (0.9, 0.1)])
def test_added_is_one_sum(dense: Tensor, alpha: float, beta: float) -> None:
    matrix, base, x = sparse(dense), randn(ROWS, 4), randn(COLUMNS, 4)
    torch.testing.assert_close(matrix.added(base, x, alpha, beta), beta * base + alpha * dense @ x)
    assert torch.autograd.gradcheck(lambda base, x: matrix.added(base, x, alpha, beta), [base, x])


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_repeated_is_the_loop_with_its_gradient(steps: int) -> None:
    torch.manual_seed(0)
    dense = torch.randn(6, 6, dtype=torch.double) * (torch.rand(6, 6) < 0.4)  # not symmetric
    matrix, x = sparse(dense), randn(6, 3)
    expected = x
    for _ in range(steps):
        expected = 0.8 * dense @ expected + 0.3 * x
    torch.testing.assert_close(matrix.repeated(x, steps, 0.8, 0.3), expected)
    assert torch.autograd.gradcheck(lambda x: matrix.repeated(x, steps, 0.8, 0.3), [x])


def test_times_has_gradients_of_entries_and_of_the_other_factor(dense: Tensor) -> None:
    matrix, x = sparse(dense), randn(COLUMNS, 4)
    values = randn(len(matrix.values))
    weighted = torch.zeros(ROWS, COLUMNS, dtype=torch.double).index_put((matrix.rows, matrix.columns), values)
    torch.testing.assert_close(matrix.times(values, x), weighted @ x)
    assert torch.autograd.gradcheck(matrix.times, [values, x])


def test_sampled_is_the_product_at_the_entries(dense: Tensor) -> None:
    matrix, left, right = sparse(dense), randn(ROWS, 4), randn(COLUMNS, 4)
    torch.testing.assert_close(matrix.sampled(left, right), (left @ right.t())[matrix.rows, matrix.columns])
    assert torch.autograd.gradcheck(matrix.sampled, [left, right])


def test_single_precision_reads_entries_of_double(dense: Tensor) -> None:
    matrix, left, right = sparse(dense), torch.randn(ROWS, 4), torch.randn(COLUMNS, 4)
    torch.testing.assert_close(matrix.at_entries(left, right), (left @ right.t())[matrix.rows, matrix.columns])


def test_stacked_multiplies_each_head(dense: Tensor) -> None:
    matrix, x = sparse(dense), torch.randn(COLUMNS, HEADS, 2, dtype=torch.double)
    found = (matrix.stacked(HEADS) @ x.view(COLUMNS * HEADS, 2)).view(ROWS, HEADS, 2)
    torch.testing.assert_close(found, torch.einsum("nm,mhd->nhd", dense, x))
    assert matrix.stacked(1) is matrix
    assert matrix.stacked(HEADS) is matrix.stacked(HEADS)


@pytest.mark.parametrize("heads", [1, HEADS])
def test_values_a_head_are_spread_over_the_stacked_entries(dense: Tensor, heads: int) -> None:
    matrix, x = sparse(dense), torch.randn(COLUMNS, heads, 2, dtype=torch.double)
    values = torch.randn(len(matrix.values), heads, dtype=torch.double)
    found = matrix.stacked(heads).times(matrix.spread(values), x.view(COLUMNS * heads, 2)).view(ROWS, heads, 2)
    for head in range(heads):
        torch.testing.assert_close(found[:, head], matrix.times(values[:, head], x[:, head]))


def test_dropped_keeps_the_mean_and_multiplies_by_what_is_left() -> None:
    torch.manual_seed(0)
    dense = torch.rand(40, 30)
    matrix, x = sparse(dense), torch.randn(30, 2, requires_grad=True)
    found = matrix.dropped(0.25) @ torch.eye(30)
    kept = found != 0
    torch.testing.assert_close(found[kept], dense[kept] / 0.75)
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.05)
    dropped = matrix.dropped(0.5)
    (dropped @ x).sum().backward()
    torch.testing.assert_close(x.grad, (dropped @ torch.eye(30)).sum(0)[:, None].expand(-1, 2))


def test_no_warning_about_csr_and_no_filter_changed() -> None:
    code = (
        "import warnings, torch; warnings.simplefilter('error'); before = list(warnings.filters)\n"
        "from gnn_search.sparse import SparseMatrix\n"
        "one = torch.zeros(1, dtype=torch.long); SparseMatrix(one, one, torch.ones(1), (1, 1)) @ torch.ones(1, 1)\n"
        "assert warnings.filters == before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
