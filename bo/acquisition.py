"""Log expected improvement over a discrete pool of graphs (Ament et al., NeurIPS 2023), by BoTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from botorch.sampling.normal import SobolQMCNormalSampler
from jaxtyping import Float
from torch import Tensor

from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph

CHUNK = 256
"""Graphs scored at once, each jointly with the pending ones."""
MC_SAMPLES = 128


@torch.no_grad()
def log_ei(surrogate: Surrogate, graphs: Sequence[ArchGraph]) -> Float[np.ndarray, " m"]:
    """The log expected improvement of each graph over the best training value."""
    marginals = _Given(surrogate.marginals(graphs))
    value: Tensor = LogExpectedImprovement(marginals, best_f=surrogate.best)(torch.zeros(len(graphs), 1, 1))
    return value.numpy()


@torch.no_grad()
def select(
    surrogate: Surrogate, graphs: Sequence[ArchGraph], count: int, pending: Sequence[ArchGraph], seed: int
) -> list[tuple[int, float]]:
    """Up to `count` places in `graphs` with their acquisition values, chosen one after the other.

    One candidate with nothing pending takes the exact log-EI; otherwise each choice maximises qLogEI given the pending
    ones and those chosen before.
    """
    count = min(count, len(graphs))
    if count == 1 and not pending:
        exact = log_ei(surrogate, graphs)
        return [(int(exact.argmax()), float(exact.max()))]
    inputs = surrogate.inputs(graphs)
    waiting = surrogate.inputs(pending) if pending else inputs[:0]
    chosen: list[tuple[int, float]] = []
    for _ in range(count):
        acquisition = qLogExpectedImprovement(
            surrogate.model,
            best_f=surrogate.best,
            sampler=SobolQMCNormalSampler(torch.Size([MC_SAMPLES]), seed=seed),
            X_pending=waiting if len(waiting) else None,
        )
        value = torch.cat([acquisition(part[:, None]) for part in torch.split(inputs, CHUNK)])
        value[[place for place, _ in chosen]] = -torch.inf
        place = int(value.argmax())
        chosen.append((place, float(value[place])))
        waiting = torch.cat([waiting, inputs[place : place + 1]])
    return chosen


class _Given(Model):
    """A posterior that is known already, offered as a model to BoTorch's analytic acquisitions."""

    def __init__(self, posterior: GPyTorchPosterior) -> None:
        super().__init__()
        self._posterior = posterior

    @property
    def num_outputs(self) -> int:
        return 1

    def posterior(self, X: Tensor, *_: Any, **__: Any) -> Posterior:
        return self._posterior
