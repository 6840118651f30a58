"""jacob_cov: how differently the network reacts to a change of each example."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from predictors.zero_cost.minibatch import Loss, Minibatch, finite, prepared

RIDGE = 1e-5


def jacob_cov(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:  # noqa: ARG001
    """-sum over eigenvalues v of (log(v + k) + 1 / (v + k)), k = 1e-5, of the correlations between the examples'
    gradients of the summed outputs (Mellor et al., Neural Architecture Search without Training, first version of 2020,
    equations 2 to 4; kept by Abdelfattah et al. 2021). Highest, minus the number of examples, where they are
    uncorrelated.

    The gradient is that of the sum of all outputs by the first input; where examples influence one another, by way of
    batch norm or edges, a row of it includes what its example does to the others.

    Raises:
        EvaluationError: an example's gradient is constant, so that it has no correlation, or not finite.
    """
    ours = prepared(network)
    first = batch.inputs[0].detach().clone().requires_grad_(True)
    outputs = ours(first, *batch.inputs[1:])
    (slope,) = torch.autograd.grad(outputs.sum(), first, materialize_grads=True)
    rows = slope.flatten(1).double()
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True)
    correlation = rows @ rows.T
    finite("jacob_cov", correlation.sum())
    values = torch.linalg.eigvalsh(correlation) + RIDGE
    return finite("jacob_cov", -(values.log() + 1 / values).sum())
