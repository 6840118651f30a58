"""GroupKernel: its formula, computed entry by entry."""

import math

import torch

from predictors.latency.kernel import GroupKernel
from predictors.slot_evidence import INTERCEPT

SIZES = (2, 3)


def test_entries_follow_the_formula() -> None:
    torch.manual_seed(0)
    kernel, left, right = GroupKernel(SIZES), torch.randn(4, 5).double(), torch.randn(3, 5).double()
    with torch.no_grad():
        kernel.logs.copy_(torch.randn(5))
        a0, a1, w0, w1, smooth = kernel.logs.exp().tolist()
        found, diagonal = kernel.forward(left, right), kernel.forward(left, left, diag=True)
        for i, x in enumerate(left):
            for j, y in enumerate(right):
                linear = a0**2 * float(x[:2] @ y[:2]) + a1**2 * float(x[2:] @ y[2:])
                apart = w0 * float((x - y)[:2].square().sum()) + w1 * float((x - y)[2:].square().sum())
                expected = INTERCEPT**2 + linear + smooth**2 * math.exp(-math.sqrt(apart))
                assert math.isclose(float(found[i, j]), expected, rel_tol=1e-6)
        torch.testing.assert_close(diagonal, kernel.forward(left, left).diagonal(), rtol=1e-6, atol=1e-6)
        assert torch.linalg.eigvalsh(kernel.forward(left, left)).min() > 0


def test_it_starts_at_the_means_of_its_priors() -> None:
    kernel = GroupKernel(SIZES)
    torch.testing.assert_close(kernel.logs.detach(), kernel.priors[:, 0])
