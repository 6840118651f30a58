"""The graph kernel against its formula, and what makes it a kernel."""

import numpy as np
import pytest
import torch

from predictors.kernel import GraphKernel
from predictors.wl_groups import GROUPS, TERMS


@pytest.fixture(scope="module")
def setting(any_space, table_of):
    """A table and the rows of 200 random graphs, some of them more than once."""
    table, rng = table_of(any_space), np.random.default_rng(1)
    return table, table.rows([any_space.sample(rng) for _ in range(200)])


def random_kernel(table, seed: int) -> GraphKernel:
    kernel = GraphKernel(table, TERMS)
    rng = torch.Generator().manual_seed(seed)
    for parameter in kernel.parameters():
        parameter.data = 2 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
    return kernel


def dense(kernel, *inputs) -> torch.Tensor:
    with torch.no_grad():
        return kernel(*inputs).to_dense()


@pytest.mark.parametrize("seed", range(4))
def test_entries_are_the_formula(setting, seed: int) -> None:
    table, x = setting
    kernel, places = random_kernel(table, seed), x[:, 0].numpy().astype(np.int64)
    weights = dict(zip(kernel.groups, kernel.positive("weights").tolist(), strict=True))
    expected = np.ones((40, 40))
    for scale, term in zip(kernel.positive("scales").tolist(), TERMS, strict=True):
        total = sum(weights[name] * table.distance(name, places[:40], places[40:80]) for name in term)
        expected += scale * np.exp(-np.sqrt(total))
    scale = expected.max()
    np.testing.assert_allclose(dense(kernel, x[:40], x[40:80]) / scale, expected / scale, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_symmetric_and_positive_semidefinite_for_random_weights(setting, seed: int) -> None:
    table, x = setting
    matrix = dense(random_kernel(table, seed), x)
    torch.testing.assert_close(matrix, matrix.T)
    values = torch.linalg.eigvalsh(matrix)
    assert values.min() > -1e-6 * values.max(), "rounding and the 1e-12 under the root allow no more"


@pytest.mark.parametrize("seed", range(3))
def test_diag_is_the_diagonal(setting, seed: int) -> None:
    table, x = setting
    kernel = random_kernel(table, seed)
    with torch.no_grad():
        torch.testing.assert_close(kernel(x, diag=True), dense(kernel, x).diagonal(), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(kernel(x[None, :9], diag=True), kernel(x[:9], diag=True)[None])


def test_batches_equal_single_matrices(setting) -> None:
    table, x = setting
    kernel = random_kernel(table, 1)
    batches = x[:60].view(3, 4, 5, 1)
    joint = dense(kernel, batches, batches)
    against = dense(kernel, batches, x[100:107])
    assert joint.shape == (3, 4, 5, 5)
    assert against.shape == (3, 4, 5, 7)
    for i, j in np.ndindex(3, 4):
        torch.testing.assert_close(joint[i, j], dense(kernel, batches[i, j]))
        torch.testing.assert_close(against[i, j], dense(kernel, batches[i, j], x[100:107]))


def test_order_and_repetition_of_the_inputs_do_not_matter(setting) -> None:
    table, x = setting
    kernel, order = random_kernel(table, 2), torch.randperm(50, generator=torch.Generator().manual_seed(0))
    matrix = dense(kernel, x[:50])
    torch.testing.assert_close(dense(kernel, x[:50][order]), matrix[order][:, order])
    twice = dense(kernel, torch.cat([x[:5], x[:5]]))
    torch.testing.assert_close(twice[:5, :5], twice[5:, :5])


def test_the_distances_kept_are_those_of_the_inputs_and_not_of_earlier_ones(setting) -> None:
    table, x = setting
    kernel = random_kernel(table, 3)
    first = dense(kernel, x[:10])
    dense(kernel, x[20:30])
    torch.testing.assert_close(dense(kernel, x[:10]), first)


def test_gradients_reach_every_parameter_and_agree_with_differences(setting) -> None:
    table, x = setting
    kernel = GraphKernel(table, TERMS)
    rows = [name for name, _ in kernel.named_parameters()]
    assert sorted(rows) == ["raw_scales", "raw_weights"]
    assert len(kernel.positive("weights")) == len(GROUPS)

    def total(weights: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(kernel, {"raw_weights": weights, "raw_scales": scales}, (x[:6], x[6:12]))

    inputs = tuple(parameter.detach().clone().requires_grad_() for parameter in (kernel.raw_weights, kernel.raw_scales))
    assert torch.autograd.gradcheck(lambda *p: total(*p).to_dense().sum(), inputs)


def test_equal_graphs_correlate_more_than_others(setting) -> None:
    table, x = setting
    matrix = dense(GraphKernel(table, TERMS), x)
    assert (matrix <= matrix.diagonal()[:, None] + 1e-5).all()


@pytest.mark.parametrize("smooth", [False, True])
def test_a_kernel_that_learns_no_more_is_the_same(setting, smooth: bool) -> None:
    table, x = setting
    kernel = GraphKernel(table, TERMS, smooth)
    learning = dense(kernel, x[:60], x[60:100])
    kernel.requires_grad_(False)
    torch.testing.assert_close(dense(kernel, x[:60], x[60:100]), learning)
    torch.testing.assert_close(dense(kernel, x[60:100], x[:60]), learning.T)
