"""ExactGP: a Gaussian process on graphs with whatever kernel, its hyper-parameters learned with the labels' scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.latent_model import Moments
from predictors.scale import Scale, Sign
from predictors.scale_state import scale_from, scale_numbers
from predictors.slot_evidence import Learned, inflation, learn
from predictors.slot_predictor import Warp

Inputs = Callable[[Sequence[ArchGraph]], Float[Tensor, "m d"]]
"""What a kernel takes for graphs; equal for descriptions of one network."""
CHUNK = 4096
RIDGE = 1e-8
"""Part of the mean variance that is added to a covariance before it is factored."""


@runtime_checkable
class Kernel(Protocol):
    """A GPyTorch kernel whose parameters are logarithms with a prior each."""

    @property
    def priors(self) -> Float[Tensor, "h 2"]:
        """Mean and deviation of each parameter, in the order of `parameters`."""


@final
@dataclass(frozen=True, eq=False)
class ExactGP:
    """A `LatentModel`; made by `fit_exact_gp` and `restore_exact_gp`.

    Args:
        kernel: with learned parameters.
        inputs: of graphs, for the kernel.
        scale: between labels and the latent scale.
        noise: variance of a label there.
        inflation: the factor of all variances for the uncertainty of the hyper-parameters.
        seen: the inputs of the labelled graphs.
        targets: their labels on the latent scale.
        graph_numbers: which labels are of one graph.
    """

    kernel: Kernel
    inputs: Inputs
    scale: Scale
    noise: float
    inflation: float
    seen: Float[Tensor, "n d"]
    targets: Float[Tensor, " n"]
    graph_numbers: Int[Tensor, " n"]

    @torch.no_grad()
    def moments(self, graphs: Sequence[ArchGraph]) -> Moments:
        root, solved = self._factor
        means, variances = [torch.zeros(0).double()], [torch.zeros(0).double()]
        different, place = torch.unique(self.inputs(graphs), dim=0, return_inverse=True)
        for x in different.split(CHUNK):
            cross = _covariance(self.kernel, x, self.seen)
            means.append(cross @ solved)
            known = torch.linalg.solve_triangular(root, cross.T, upper=False).square().sum(0)
            variances.append((_variance(self.kernel, x) - known).clamp(min=1e-12))
        return torch.cat(means)[place], self.inflation * torch.cat(variances)[place]

    @torch.no_grad()
    def joint(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " m"], Float[Tensor, "m m"]]:
        root, solved = self._factor
        x = self.inputs(graphs)
        cross = _covariance(self.kernel, x, self.seen)
        known = torch.linalg.solve_triangular(root, cross.T, upper=False)
        return cross @ solved, self.inflation * (_covariance(self.kernel, x, x) - known.T @ known)

    @torch.no_grad()
    def left_out(self) -> Moments:
        """In closed form (Rasmussen and Williams 2006, eq. 5.10 to 5.12), the hyper-parameters left as they are."""
        root, solved = self._factor
        precision = torch.cholesky_inverse(root)
        mean, variance = torch.empty_like(self.targets), torch.empty_like(self.targets)
        for rows in self._graphs:
            block = torch.linalg.inv(precision[rows[:, None], rows])
            mean[rows] = self.targets[rows] - block @ solved[rows]
            variance[rows] = block.diagonal()
        return mean, self.noise + self.inflation * (variance - self.noise).clamp(min=1e-12)

    @property
    def solved(self) -> Float[Tensor, " n"]:
        """What a covariance with the labelled graphs is multiplied by for a mean."""
        return self._factor[1]

    def solve(self, right: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The labels' covariance, noise included, solved for `right`."""
        found: Tensor = torch.cholesky_solve(right[:, None], self._factor[0])[:, 0]
        return found

    def state(self) -> Mapping[str, Tensor]:
        numbers = [*scale_numbers(self.scale), self.noise, self.inflation]
        parameters = _parameters(self.kernel)
        return {
            "numbers": torch.tensor(numbers, dtype=torch.float64),
            "parameters": torch.cat([torch.zeros(0).double(), *(one.detach().flatten() for one in parameters)]),
        }

    @cached_property
    def _factor(self) -> tuple[Float[Tensor, "n n"], Float[Tensor, " n"]]:
        """The Cholesky factor of the labels' covariance, and the labels solved by it."""
        with torch.no_grad():
            noisy = _covariance(self.kernel, self.seen, self.seen)
        noisy.diagonal().add_(self.noise + RIDGE * float(noisy.diagonal().mean()))
        root = torch.linalg.cholesky(noisy)
        return root, torch.cholesky_solve(self.targets[:, None], root)[:, 0]

    @property
    def _graphs(self) -> list[Int[Tensor, " k"]]:
        """The rows of each labelled graph."""
        order = self.graph_numbers.argsort(stable=True)
        return list(torch.split(order, torch.bincount(self.graph_numbers).tolist()))


def fit_exact_gp(
    kernel: Callable[[], Kernel],
    inputs: Inputs,
    graphs: Sequence[ArchGraph],
    labels: Float[Tensor, " n"],
    most_rows: int,
    scale: Scale | None = None,
) -> ExactGP:
    """Learn the hyper-parameters by evidence; and the scale, that with the sign and the gap of most evidence.

    Args:
        kernel: makes one with its parameters at their start.
        inputs: of graphs, for the kernel.
        graphs: labelled ones.
        labels: finite; at least 2.
        most_rows: labels from which hyper-parameters are learned at most; half as many choose the sign.
        scale: that of the labels where it is known.
    """
    x, labels = inputs(graphs), labels.double()
    if scale is not None:
        model, learned = _learn(kernel, x, scale(labels), 1, most_rows, warped=False)
    else:
        sign, (model, learned) = _choose_sign(kernel, x, labels, most_rows)
        if len(labels) > most_rows // 2:
            model, learned = _learn(kernel, x, labels, sign, most_rows)
        scale = Scale(sign, Warp.fit(sign * labels, learned.warp.gap))
    factor = inflation(len(model.priors), min(len(labels), most_rows))
    return ExactGP(model, inputs, scale, learned.noise**2, factor, x, scale(labels), graph_numbers(graphs))


def restore_exact_gp(
    kernel: Kernel,
    inputs: Inputs,
    graphs: Sequence[ArchGraph],
    labels: Float[Tensor, " n"],
    state: Mapping[str, Tensor],
) -> ExactGP:
    """The model whose `state` this is, given what it was fitted to.

    Raises:
        ValueError: the state is not of this kernel.
    """
    *numbers, noise, factor = state["numbers"].tolist()
    scale = scale_from(numbers)
    if not noise > 0:
        raise ValueError(f"a noise of {noise}")
    parameters = _parameters(kernel)
    sizes = [one.numel() for one in parameters]
    if state["parameters"].shape != (sum(sizes),):
        raise ValueError(f"{len(state['parameters'])} hyper-parameters, expected {sum(sizes)}")
    with torch.no_grad():
        for one, value in zip(parameters, state["parameters"].split(sizes), strict=True):  # type: ignore[no-untyped-call]
            one.copy_(value.view_as(one))
    return ExactGP(kernel, inputs, scale, noise, factor, inputs(graphs), scale(labels), graph_numbers(graphs))


def graph_numbers(graphs: Sequence[ArchGraph]) -> Int[Tensor, " n"]:
    """A number for each graph, the same where it comes again."""
    known: dict[ArchGraph, int] = {}
    return torch.tensor([known.setdefault(graph, len(known)) for graph in graphs], dtype=torch.int64)


def _choose_sign(
    kernel: Callable[[], Kernel], x: Tensor, labels: Tensor, most_rows: int
) -> tuple[Sign, tuple[Kernel, Learned]]:
    up = _learn(kernel, x, labels, 1, most_rows // 2)
    down = _learn(kernel, x, labels, -1, most_rows // 2)
    return (1, up) if up[1].surprise <= down[1].surprise else (-1, down)


def _learn(
    kernel: Callable[[], Kernel], x: Tensor, labels: Tensor, sign: Sign, most_rows: int, warped: bool = True
) -> tuple[Kernel, Learned]:
    """A kernel whose parameters fit up to `most_rows` of the labels."""
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:most_rows].sort().values
    model, part = kernel(), x[rows]
    learned = learn(
        lambda: _covariance(model, part, part), _parameters(model), model.priors, sign * labels[rows], warped
    )
    return model, learned


def _covariance(kernel: Kernel, left: Tensor, right: Tensor) -> Tensor:
    found: Tensor = kernel.forward(left, right)  # type: ignore[attr-defined]
    return found


def _variance(kernel: Kernel, x: Tensor) -> Tensor:
    found: Tensor = kernel.forward(x, x, diag=True)  # type: ignore[attr-defined]
    return found


def _parameters(kernel: Kernel) -> list[Tensor]:
    return list(kernel.parameters())  # type: ignore[attr-defined]
