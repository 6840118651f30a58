"""Predictions: a denoiser's logits, each state evaluated once where that is worth it. Same law, less work."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.denoiser import Denoiser

MOST_STATES = 1 << 18
"""Partly hidden rows up to which all logits are kept."""
CHUNK = 2048
"""Rows evaluated at once: what fits the cache is fastest."""
PAIRS = 1 << 18
"""Pairs of nodes in these rows at most, so that memory does not grow with the graphs."""
COMPANY = 16
"""Rows that are evaluated together at least: matrices of fewer go through other kernels, which round otherwise."""


class Predictions:
    """Callable from partly hidden rows to logits, on the CPU whatever the denoiser's device is.

    Args:
        denoiser: in evaluation mode; its weights must not change any more.
        level: the level of guidance, for denoisers that take one.
    """

    def __init__(self, denoiser: Denoiser, level: float | None = None) -> None:
        self._denoiser = denoiser
        self._level = level
        hidden = denoiser.layout.hidden
        states = math.prod(size + 1 for size in denoiser.layout.sizes)
        self._radix: Tensor | None = None
        if states <= MOST_STATES:
            ahead = (hidden + 1).flip(0).cumprod(0).flip(0)
            self._radix = torch.cat([ahead[1:], ahead.new_ones(1)])
            self._known = torch.zeros(states, dtype=torch.bool)
            self._logits = torch.empty(states, len(hidden), denoiser.choices)

    @torch.no_grad()
    def __call__(self, values: Int[Tensor, "b s"]) -> Float[Tensor, "b s k"]:
        if self._radix is None:
            same = bool((values == values[0]).all())
            return self._evaluate(values[:1]).expand(len(values), -1, -1) if same else self._evaluate(values)
        keys = values @ self._radix
        new = torch.unique(keys[~self._known[keys]])
        if len(new):
            sizes = self._denoiser.layout.hidden + 1
            self._logits[new] = self._evaluate(new[:, None] // self._radix % sizes)
            self._known[new] = True
        return self._logits[keys]

    def _evaluate(self, values: Int[Tensor, "b s"]) -> Float[Tensor, "b s k"]:
        device = self._denoiser.offsets.device
        parts = []
        for rows in torch.split(values, max(1, min(CHUNK, PAIRS // self._denoiser.n**2))):
            company = rows.to(device)[torch.arange(max(COMPANY, len(rows)), device=device) % len(rows)]
            level = None if self._level is None else torch.full((len(company),), self._level, device=device)
            parts.append(self._denoiser(company, level)[: len(rows)].cpu())
        return torch.cat(parts)
