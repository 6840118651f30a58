"""RowPredictor: the feature-kernel Gaussian process of a `Predictor` as a predictor of a layout's rows."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.layout import Layout
from predictors.encodings import Encodings
from predictors.exact_gp import ExactGP
from predictors.fitted_output import FittedOutput
from predictors.kernel import GraphKernel
from predictors.predictor import Predictor
from predictors.slot_predictor import SlotScore, check_rows

WAVES = 512
"""Random features of a draw for each term of the kernel."""


@final
@dataclass(frozen=True, eq=False)
class RowPredictor:
    """A `SlotPredictor`; made by `fit_row_predictor`.

    Args:
        layout: of the rows.
        encodings: of its space.
        output: the model behind it.
        model: the same, as the process that it is.
    """

    layout: Layout
    encodings: Encodings
    output: FittedOutput
    model: ExactGP

    def predict(self, values: Int[Tensor, "b s"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        graphs, place = self._graphs(values)
        mean, variance = self.model.moments(graphs)
        found, deviation = self.model.scale.moments(mean, self.output.widening**2 * variance)
        return found[place], deviation[place]

    @torch.no_grad()
    def draw(self, seed: int) -> SlotScore:
        """One function of the posterior by Matheron's rule, the prior's from `WAVES` waves a term."""
        kernel, model = self.model.kernel, self.model
        assert isinstance(kernel, GraphKernel)
        prior = _PriorDraw(self.encodings, kernel, seed)
        rng = torch.Generator().manual_seed(seed)
        noise = model.noise**0.5 * torch.randn(len(model.seen), generator=rng, dtype=torch.float64)
        misfit = model.solve(model.targets - prior(model.seen) - noise)

        @torch.no_grad()
        def score(values: Int[Tensor, "b s"]) -> Float[Tensor, " b"]:
            graphs, place = self._graphs(values)
            x = self.encodings.numbers(graphs)
            mean, _ = model.moments(graphs)
            drawn = prior(x) + kernel.forward(x, model.seen) @ misfit
            spread = self.output.widening * model.inflation**0.5
            return model.scale.inverse(mean + spread * (drawn - mean))[place]

        return score

    def _graphs(self, values: Int[Tensor, "b s"]) -> tuple[Sequence[ArchGraph], Int[Tensor, " b"]]:
        """The distinct graphs among rows, and the place of each row's."""
        check_rows(self.layout.sizes, values)
        rows, place = torch.unique(values, dim=0, return_inverse=True)
        return self.layout.write(rows), place


def fit_row_predictor(
    layout: Layout, graphs: Sequence[ArchGraph], labels: Float[Tensor, " n"], encodings: Encodings | None = None
) -> RowPredictor:
    """Learn from labels; the same labels give the same predictor.

    Raises:
        InvalidOption: fewer than 2 labels, or one that is not finite.
    """
    predictor = Predictor(layout.space, "wl-gp", encodings=encodings).fit(graphs, labels)
    output = predictor.output()
    assert isinstance(output.model, ExactGP)
    return RowPredictor(layout, predictor.encodings, output, output.model)


class _PriorDraw:
    """A function of the kernel's prior (Rahimi and Recht 2007, Algorithm 1).

    Each feature's frequencies come from a seed of its own, whatever the order in which features are met.
    """

    def __init__(self, encodings: Encodings, kernel: GraphKernel, seed: int) -> None:
        self._encodings, self._kernel, self._seed = encodings, kernel, seed
        self._frequencies: dict[tuple[int, str, str], Float[np.ndarray, " w"]] = {}
        rng = np.random.default_rng([seed, 1])
        terms = len(kernel.term_sizes)
        self._constant = float(rng.normal())
        self._shifts = rng.uniform(0, 2 * np.pi, (terms, WAVES))
        scales = kernel.positive("scales").detach().numpy()
        self._heights = rng.normal(size=(terms, WAVES)) * np.sqrt(2 * scales / WAVES)[:, None]

    def __call__(self, x: Float[Tensor, "m 1"]) -> Float[Tensor, " m"]:
        rows = x[:, 0].numpy().astype(np.int64)
        weights = iter(self._kernel.positive("weights").detach().sqrt().tolist())
        names, found = iter(self._kernel.groups), np.full(len(rows), self._constant)
        for term, size in enumerate(self._kernel.term_sizes):
            phase = np.broadcast_to(self._shifts[term], (len(rows), WAVES)).copy()
            for _ in range(size):
                group, weight = next(names), next(weights)
                features, labels = self._encodings.table.embedding(group, rows)
                phase += weight * features @ np.stack([self._frequency(term, group, label) for label in labels])
            found += np.cos(phase) @ self._heights[term]
        return torch.from_numpy(found)

    def _frequency(self, term: int, group: str, label: str) -> Float[np.ndarray, " w"]:
        key = (term, group, label)
        if key not in self._frequencies:
            place = zlib.crc32(f"{group}|{label}".encode())
            self._frequencies[key] = np.random.default_rng([self._seed, 2 + term, place]).normal(size=WAVES)
        return self._frequencies[key]
