"""DiffusionGenerator: a trained denoiser with its space; draws graphs, guided or not, and is kept in one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from archgen.diffusion.denoiser import Denoiser, DenoiserConfig
from archgen.diffusion.guidance import Guide
from archgen.diffusion.process import Slots
from archgen.diffusion.sampler import sample_graphs
from graphs.archgraph import ArchGraph
from graphs.batch import GraphBatch, encode
from graphs.errors import InvalidOption
from graphs.space import SearchSpace

CHUNK = 4096
"""Graphs drawn at once, which bounds memory."""


@dataclass(frozen=True)
class DiffusionGenerator:
    """A generator of valid architectures of one space.

    Args:
        space: the search space.
        config: the denoiser's size.
        denoiser: its network.
        slots: which slots vary in the training graphs.
        template: one training graph, for the slots that do not.
        provenance: how it was trained.
    """

    space: SearchSpace
    config: DenoiserConfig
    denoiser: Denoiser
    slots: Slots
    template: ArchGraph
    provenance: dict[str, Any] = field(default_factory=dict)

    def sample(
        self,
        count: int,
        seed: int,
        *,
        steps: int = 6,
        guide: Guide | None = None,
        watch: Callable[[Sequence[ArchGraph]], object] = lambda _: None,
    ) -> list[ArchGraph]:
        """`count` valid graphs; the same arguments give the same graphs.

        Args:
            count: how many; at least 1.
            seed: where chance comes from.
            steps: denoising steps; more are slower and closer to the learned law.
            guide: what to tilt by, if anything.
            watch: called with what each step predicts.

        Raises:
            InvalidOption: a count or number of steps below 1.
        """
        if count < 1 or steps < 1:
            raise InvalidOption(f"cannot draw {count} graphs in {steps} steps; both must be at least 1")
        rng = torch.Generator().manual_seed(seed)
        template = encode(self.space, [self.template])
        self.denoiser.eval()
        graphs: list[ArchGraph] = []
        while len(graphs) < count:
            chunk = min(CHUNK, count - len(graphs))
            graphs += sample_graphs(self.space, self.denoiser, self.slots, template, chunk, steps, rng, guide, watch)
        return graphs


def new_denoiser(space: SearchSpace, config: DenoiserConfig, seed: int) -> Denoiser:
    """An untrained denoiser whose weights depend on `seed` alone; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Denoiser(space, config)


def require_fixed_size(space: SearchSpace, batch: GraphBatch) -> None:
    """Raise `InvalidOption` where the training graphs differ in their number of nodes."""
    if not bool(batch.mask.all()):
        raise InvalidOption(
            f"space {space.name!r}: the generator needs graphs of exactly max_nodes = {space.max_nodes} nodes"
        )
