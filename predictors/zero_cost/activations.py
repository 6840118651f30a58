"""Metrics of what layers put out: fisher and naswot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from graphs.errors import EvaluationError
from predictors.zero_cost.minibatch import Loss, Minibatch, finite, loss_of, prepared

RELU = (torch.ops.aten.relu.default, torch.ops.aten.relu_.default)


def fisher(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:
    """Half the mean over examples of (the sum over positions of a dL/da)^2, summed over the channels of all layers that
    own weights; a is what the channel puts out (Theis et al. 2018; Turner et al., BlockSwap, ICLR 2020, equation 2).

    Outputs have examples and channels first; what follows is positions.

    Raises:
        EvaluationError: the sum is not finite.
    """
    ours, outputs = prepared(network), list[Tensor]()

    def keep(_: nn.Module, __: object, out: object) -> Tensor | None:
        if not isinstance(out, Tensor):
            return None
        outputs.append(out)
        return out.clone()  # what comes next may overwrite it in place

    for module in ours.modules():
        if any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False)):
            module.register_forward_hook(keep)
    found = loss_of(ours, batch, loss)
    slopes = torch.autograd.grad(found, outputs, materialize_grads=True)
    products = [out * slope for out, slope in zip(outputs, slopes, strict=True)]
    layers = [product.flatten(2).sum(2) if product.ndim > 2 else product for product in products]
    return finite("fisher", torch.stack([layer.square().mean(0).sum() / 2 for layer in layers]).sum())


def naswot(network: nn.Module, batch: Minibatch, loss: Loss = cross_entropy) -> float:  # noqa: ARG001
    """log |det K|, K_ij the number of ReLUs that examples i and j both pass or both do not (Mellor et al., Neural
    Architecture Search without Training, ICML 2021, equations 3 and 4).

    Every ReLU counts, whether a module or a function; other activations have no code.

    Raises:
        EvaluationError: the network has no ReLU, or two examples have the same codes, so that the determinant is 0.
    """
    ours, kernel = prepared(network), _AgreementKernel()
    with torch.no_grad(), kernel:
        ours(*batch.inputs)
    if kernel.total is None:
        raise EvaluationError("naswot is defined by the codes of ReLUs and the network has none; use another metric")
    return finite("naswot", torch.linalg.slogdet(kernel.total).logabsdet)


class _AgreementKernel(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While entered, adds up in `total` how often the ReLUs of two examples agree."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: Float[Tensor, "b b"] | None = None

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in RELU:
            agree = _agreements(out)
            self.total = agree if self.total is None else self.total + agree
        return out


def _agreements(out: Float[Tensor, "b ..."]) -> Float[Tensor, "b b"]:
    """Of codes c in {0, 1}: c c' + (1 - c) (1 - c)', by one product of 2 c - 1, whose entries are -1 and 1."""
    signs = (out > 0).flatten(1).float() * 2 - 1
    return (signs.shape[1] + (signs @ signs.T).double()) / 2
