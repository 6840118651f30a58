"""Training the denoiser with Lightning: module, data module, and the one call that does it all."""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import DiffusionGenerator, new_denoiser, require_fixed_size
from archgen.diffusion.process import add_noise, negative_elbo, varying_slots
from graphs.archgraph import ArchGraph
from graphs.batch import GraphBatch, encode
from graphs.space import SearchSpace

MOST_GRAPHS = 50_000
"""Training graphs at most: all networks of a listed space up to this number, else a random sample of it."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast.

    Args:
        steps: optimiser steps; the learning rate falls to zero over them (cosine).
        batch: graphs a step.
        learning_rate: AdamW's.
        seed: where all chance comes from.
    """

    steps: int = 800
    batch: int = 256
    learning_rate: float = 3e-3
    seed: int = 0


class GraphDataModule(pl.LightningDataModule):
    """Endless shuffled batches of encoded graphs; each item is a whole batch `(codes, adj, mask)`."""

    def __init__(self, space: SearchSpace, graphs: Sequence[ArchGraph], config: TrainingConfig) -> None:
        super().__init__()
        self.graphs = encode(space, graphs)
        require_fixed_size(space, self.graphs)
        self.config = config

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        sampler = _Shuffled(len(self.graphs), self.config)
        own = torch.Generator()  # the loader would draw from the global random state, though it has no workers
        return DataLoader(_Rows(self.graphs), sampler=sampler, batch_size=None, generator=own)


class DiffusionModule(pl.LightningModule):
    """The denoiser and its loss, for a plain `pl.Trainer(max_steps=config.steps)`."""

    def __init__(self, space: SearchSpace, data: GraphBatch, size: DenoiserConfig, config: TrainingConfig) -> None:
        super().__init__()
        self.denoiser = new_denoiser(space, size, config.seed)
        self.slots = varying_slots(data)
        self.config = config
        self.noise = torch.Generator().manual_seed(config.seed)

    def training_step(self, batch: Sequence[Tensor], _index: int) -> Tensor:
        codes, adj, mask = batch
        loss = self.bound(GraphBatch(codes, adj, mask), self.noise).mean() / self.slots.count
        self.log("train_loss", loss)
        return loss

    def bound(self, clean: GraphBatch, rng: torch.Generator) -> Tensor:
        """One draw of the bound on -log p for each graph, in nats; times are spread evenly over the batch."""
        b = len(clean)
        time = ((torch.rand((), generator=rng) + torch.arange(b) / b) % 1).clamp(min=1e-3)
        masked = add_noise(clean, self.slots, time, self.denoiser.mask_codes, rng)
        node_logits, edge_logits = self.denoiser(masked)
        return negative_elbo(node_logits, edge_logits, clean, masked, time)

    def configure_optimizers(self) -> pl.utilities.types.OptimizerLRScheduler:
        optimiser = torch.optim.AdamW(self.denoiser.parameters(), lr=self.config.learning_rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.config.learning_rate, total_steps=self.config.steps + 1, pct_start=0.1
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train_generator(
    space: SearchSpace,
    config: TrainingConfig,
    size: DenoiserConfig | None = None,
    watch: Callable[[int, float], object] = lambda _step, _loss: None,
) -> DiffusionGenerator:
    """A generator trained on unlabelled graphs of `space`; the same arguments give the same weights.

    Args:
        watch: called with the number of finished steps and the loss in nats a slot.
    """
    size = size or DenoiserConfig()
    graphs = training_graphs(space, config.seed)
    data = GraphDataModule(space, graphs, config)
    module = DiffusionModule(space, data.graphs, size, config)
    started = time.perf_counter()
    with _quiet():
        _fit(_trainer(config, watch), module, data)
    provenance = {**asdict(config), "graphs": len(graphs), "seconds": round(time.perf_counter() - started, 2)}
    return DiffusionGenerator(space, size, module.denoiser, module.slots, graphs[0], provenance)


def training_graphs(space: SearchSpace, seed: int) -> Sequence[ArchGraph]:
    """One description of every network where the space can be listed, else random architectures."""
    if space.enumerable and (space.size or 0) <= 4 * MOST_GRAPHS:
        return space.networks
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(MOST_GRAPHS)]


def _fit(trainer: pl.Trainer, module: DiffusionModule, data: GraphDataModule) -> None:
    """Lightning turns Ctrl-C into `sys.exit(1)` and ignores it from then on; the caller gets KeyboardInterrupt."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, data)
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


class _Watch(pl.Callback):
    def __init__(self, watch: Callable[[int, float], object]) -> None:
        self.watch = watch

    def on_train_batch_end(
        self, trainer: pl.Trainer, _module: pl.LightningModule, outputs: object, _batch: object, _index: int
    ) -> None:
        if trainer.global_step % 20 == 0 or trainer.global_step == trainer.max_steps:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            self.watch(trainer.global_step, float(loss))  # type: ignore[arg-type]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advice on loaders and loggers, which does not fit in-memory batches."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _trainer(config: TrainingConfig, watch: Callable[[int, float], object]) -> pl.Trainer:
    return pl.Trainer(
        max_steps=config.steps,
        accelerator="cpu",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[_Watch(watch)],
    )


class _Rows(Dataset[tuple[Tensor, ...]]):
    """Indexed by a whole batch of row numbers."""

    def __init__(self, graphs: GraphBatch) -> None:
        self.graphs = graphs

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, ...]:
        batch = self.graphs[rows]
        return batch.codes, batch.adj, batch.mask

    def __len__(self) -> int:
        return len(self.graphs)


class _Shuffled(Sampler[Tensor]):
    """`config.steps` batches of row numbers, each epoch a new permutation."""

    def __init__(self, rows: int, config: TrainingConfig) -> None:
        self.rows, self.config = rows, config

    def __len__(self) -> int:
        return self.config.steps

    def __iter__(self) -> Iterator[Tensor]:
        rng = torch.Generator().manual_seed(self.config.seed)
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(self.config.steps):
            while len(order) < self.config.batch:
                order = torch.cat([order, torch.randperm(self.rows, generator=rng)])
            yield order[: self.config.batch]
            order = order[self.config.batch :]
