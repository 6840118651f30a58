"""The kernel with a value of each network's own, against the one without."""

import numpy as np
import pytest
import torch

from predictors.own_value_kernel import OWN, OwnValueKernel
from predictors.wl_groups import TERMS


@pytest.fixture(scope="module")
def setting(any_space, table_of):
    """A table, and the rows of 30 random graphs of which some come twice."""
    table, rng = table_of(any_space), np.random.default_rng(3)
    rows = table.rows([any_space.sample(rng) for _ in range(30)])
    return table, torch.cat([rows, rows[:5]])


def test_only_a_network_and_itself_share_its_own_value(setting) -> None:
    table, x = setting
    kernel = OwnValueKernel(table, TERMS, smooth=True)
    with torch.no_grad():
        whole = kernel(x, x[20:]).to_dense()
        kernel.raw_own.fill_(-torch.inf)  # as small as it can be
        shared = kernel(x, x[20:]).to_dense()
    same = (x == x[20:, 0]).double()
    torch.testing.assert_close(whole - shared, (OWN - np.exp(-8)) * same)
    assert same.sum() > 15, "the repeated graphs must meet themselves"


def test_diag_and_batches_are_those_of_the_matrix(setting) -> None:
    table, x = setting
    kernel = OwnValueKernel(table, TERMS, smooth=True)
    with torch.no_grad():
        matrix = kernel(x).to_dense()
        torch.testing.assert_close(kernel(x, diag=True), matrix.diagonal())
        batches = x[:30].view(2, 3, 5, 1)
        for i, j in np.ndindex(2, 3):
            torch.testing.assert_close(kernel(batches).to_dense()[i, j], kernel(batches[i, j]).to_dense())


def test_its_own_value_is_learned_with_the_rest(setting) -> None:
    table, _ = setting
    kernel = OwnValueKernel(table, TERMS)
    names = sorted(name for name, _ in kernel.named_parameters())
    assert names == ["raw_own", "raw_scales", "raw_weights"]
    assert len(kernel.priors) == sum(parameter.numel() for parameter in kernel.parameters())
