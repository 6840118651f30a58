"""DiffusionGenerator: a trained denoiser with its space; draws graphs, guided or not, and is kept in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.denoiser import Denoiser, DenoiserConfig
from archgen.diffusion.guidance import Guide, guided_rows
from archgen.diffusion.predictions import Predictions
from archgen.diffusion.sampler import Predict, categorical, sample_rows
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.layout import Layout
from graphs.space import SearchSpace

CHUNK = 8192
"""Rows drawn at once, which bounds memory."""
FEW_STEPS = 6
"""Denoising steps unless the layout couples more slots than that or the caller says otherwise."""


@dataclass(frozen=True)
class DiffusionGenerator:
    """A generator of valid architectures of one space.

    Args:
        space: the search space.
        config: the denoiser's size.
        denoiser: its network.
        starts: what the training graphs give from the start (e.g. numbers of nodes), each once.
        weights: how often each of them stood among the training graphs.
        provenance: how it was trained.
    """

    space: SearchSpace
    config: DenoiserConfig
    denoiser: Denoiser
    starts: Int[Tensor, "u s"]
    weights: Float[Tensor, " u"]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """The slots that are drawn."""
        return self.denoiser.layout

    @cached_property
    def predict(self) -> Predictions:
        """The denoiser's logits, remembered where the space is small."""
        return Predictions(self.denoiser.eval())

    @property
    def usual_steps(self) -> int:
        """Six, or as many as there are slots where the largest group of coupled slots needs more."""
        largest = max(map(len, self.layout.coupled), default=1)
        return FEW_STEPS if largest <= FEW_STEPS else len(self.layout)

    def sample(
        self,
        count: int,
        seed: int,
        *,
        steps: int | None = None,
        guide: Guide | None = None,
        watch: Callable[[Sequence[ArchGraph]], object] | None = None,
    ) -> list[ArchGraph]:
        """`count` valid graphs; the same arguments give the same graphs.

        Args:
            count: how many; at least 1.
            seed: where chance comes from.
            steps: denoising steps; more are slower and closer to the learned law. `usual_steps` unless given.
            guide: what to tilt by, if anything.
            watch: called with what each step of a guided draw predicts.

        Raises:
            InvalidOption: a count or number of steps below 1.
        """
        layout = self.layout
        if guide is None:
            return [graph for rows in self.stream(count, seed, steps=steps) for graph in layout.write(rows)]
        steps = self._steps(count, steps)
        rng = torch.Generator().manual_seed(seed)
        graphs: list[ArchGraph] = []
        while len(graphs) < count:
            start = self.draw_starts(min(CHUNK, count - len(graphs)), rng)
            rows = guided_rows(layout, self.predict, start, steps, rng, guide, watch)
            graphs += layout.write(rows)
        return graphs

    def stream(
        self,
        count: int,
        seed: int,
        *,
        steps: int | None = None,
        predict: Predict | None = None,
        constrained: bool = True,
    ) -> Iterator[Int[Tensor, "b s"]]:
        """`count` rows of the layout in chunks, so that memory does not grow with the count.

        Args:
            predict: logits in the place of the denoiser's own.
            constrained: whether the layout's rules are obeyed, see `sample_rows`.

        Raises:
            InvalidOption: a count or number of steps below 1.
        """
        steps = self._steps(count, steps)
        rng = torch.Generator().manual_seed(seed)
        for done in range(0, count, CHUNK):
            start = self.draw_starts(min(CHUNK, count - done), rng)
            yield sample_rows(self.layout, predict or self.predict, start, steps, rng, constrained=constrained)

    def draw_starts(self, count: int, rng: torch.Generator) -> Int[Tensor, "b s"]:
        """Rows with what is given from the start, drawn as often as the training graphs had them."""
        if len(self.starts) == 1:
            return self.starts.expand(count, -1)
        return self.starts[categorical(self.weights.log().expand(count, -1), rng)]

    def _steps(self, count: int, steps: int | None) -> int:
        steps = self.usual_steps if steps is None else steps
        if count < 1 or steps < 1:
            raise InvalidOption(f"cannot draw {count} graphs in {steps} steps; both must be at least 1")
        return steps


def new_denoiser(layout: Layout, config: DenoiserConfig, seed: int) -> Denoiser:
    """An untrained denoiser whose weights depend on `seed` alone; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Denoiser(layout, config)


def distinct_starts(layout: Layout, rows: Int[Tensor, "b s"]) -> tuple[Int[Tensor, "u s"], Float[Tensor, " u"]]:
    """What rows give from the start, each once, and its share of the rows."""
    starts, counts = torch.unique(layout.start(rows), dim=0, return_counts=True)
    return starts, counts / counts.sum()
