"""Metrics that weigh each weight: grad_norm, snip, grasp and synflow.

All four as collected by Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS (ICLR 2021), section 3.2, equation 1.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from predictors.zero_cost.minibatch import Loss, Minibatch, finite, loss_of, prepared, weights_of


def grad_norm(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:
    """The sum over weight tensors of the Euclidean norm of the loss's gradient (Abdelfattah et al. 2021, section 3.2).

    Raises:
        EvaluationError: the sum is not finite.
    """
    _, gradients = _gradients(network, batch, loss)
    return finite("grad_norm", _sum(gradient.norm() for gradient in gradients))


def snip(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:
    """The sum of |w dL/dw| over all weights w (Lee et al., SNIP, ICLR 2019, equation 5; here not divided by itself).

    Raises:
        EvaluationError: the sum is not finite.
    """
    weights, gradients = _gradients(network, batch, loss)
    return finite("snip", _sum((weight * slope).abs().sum() for weight, slope in zip(weights, gradients, strict=True)))


def grasp(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:
    """The sum of -w (H g) over all weights, g the loss's gradient and H its Hessian (Wang et al., GraSP, ICLR 2020,
    equation 8).

    Raises:
        EvaluationError: the sum is not finite.
    """
    ours = prepared(network)
    weights = weights_of(ours)
    slopes = torch.autograd.grad(loss_of(ours, batch, loss), weights, create_graph=True, materialize_grads=True)
    half = _sum((slope.detach() * slope).sum() for slope in slopes)
    if not half.requires_grad:  # nothing that the loss reads depends on a weight
        return finite("grasp", half)
    bent = torch.autograd.grad(half, weights, materialize_grads=True)
    return finite("grasp", -_sum((weight * bend).sum() for weight, bend in zip(weights, bent, strict=True)))


def synflow(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:  # noqa: ARG001
    """The sum of w dR/dw over all weights, R the sum of the outputs where all parameters are made absolute, batch norm
    is left out and the input is ones (Tanaka et al., SynFlow, NeurIPS 2020, equation 1 and algorithm 1).

    Grows exponentially with depth: compare logarithms, or ranks. Of the minibatch only the shapes count, and of a sole
    input only the first example; further inputs that are not floating-point, such as edges, are kept. In double
    precision.

    Raises:
        EvaluationError: the sum is not finite.
    """
    ours = prepared(network).double()
    for module in ours.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_hook(lambda _, read, __: read[0])
    weights = weights_of(ours)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.abs_()
    inputs = batch.inputs if len(batch.inputs) > 1 else (batch.inputs[0][:1],)
    ones = [torch.ones_like(one, dtype=torch.float64) if one.is_floating_point() else one for one in inputs]
    slopes = torch.autograd.grad(ours(*ones).sum(), weights, materialize_grads=True)
    return finite("synflow", _sum((weight * slope).sum() for weight, slope in zip(weights, slopes, strict=True)))


def _gradients(network: nn.Module, batch: Minibatch, loss: Loss) -> tuple[list[nn.Parameter], tuple[Tensor, ...]]:
    """The weights and the loss's gradient at each."""
    ours = prepared(network)
    weights = weights_of(ours)
    return weights, torch.autograd.grad(loss_of(ours, batch, loss), weights, materialize_grads=True)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
