"""Training the denoiser with Lightning: module, data module, and the one call that does it all.

All chance of a step comes from the seed and the step's number, so a run that goes on from a checkpoint ends with the
weights of one that was never interrupted.
"""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from pytorch_lightning.callbacks import EMAWeightAveraging
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import DiffusionGenerator, distinct_starts, new_denoiser
from archgen.diffusion.process import add_noise, negative_elbo
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.layout import Layout, layout_of
from graphs.space import SearchSpace

MOST_GRAPHS = 50_000
"""Training graphs at most: all of a listed space up to some more than this, else a random sample of it."""
LARGE = 200
"""Pairs of nodes that a graph of ordinary size has; of larger graphs fewer are drawn, as each says more."""
JUDGED = 8_192
"""Training graphs on which the bound is measured at the end."""
CELL = 12
"""Slots up to which a space of fixed wiring is a cell space, which is learned soon."""
PAIRS = 1 << 15
"""Pairs of nodes in a batch at most, so that time and memory of a step do not grow with the graphs."""
FEWEST = 16
"""Graphs of a batch at least."""
Distinct = Literal["network", "description"]
WatchSteps = Callable[[int, int, float], object]
"""Called with the numbers of finished steps and of all, and the loss in nats a slot."""
EPOCH = 50
"""Steps of an epoch, at whose end checkpoints are written."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast.

    Args:
        steps: optimiser steps; the learning rate falls to zero over them (cosine).
        batch: graphs a step.
        learning_rate: AdamW's.
        decay: of the exponential moving average of the weights.
        seed: where all chance comes from.
    """

    steps: int = 800
    batch: int = 256
    learning_rate: float = 3e-3
    decay: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise InvalidOption(f"{self.steps} steps of {self.batch} graphs: expected at least 1 of both")


class GraphDataModule(pl.LightningDataModule):
    """Endless shuffled batches of a layout's rows, in epochs of `EPOCH` steps; each item is a whole batch.

    Raises:
        InvalidOption: there is no graph.
        InvalidArchitecture: a graph is not of the space.
    """

    def __init__(self, space: SearchSpace, graphs: Sequence[ArchGraph], config: TrainingConfig) -> None:
        super().__init__()
        if not graphs:
            raise InvalidOption("there is no graph to train on; give at least one")
        self.layout = layout_of(space)
        self.rows = self.layout.read(graphs).to(torch.int16)
        self.config = config

    def train_dataloader(self) -> DataLoader[Tensor]:
        trainer = self.trainer  # there is none where a user asks for batches without training
        seen = trainer.global_step * trainer.accumulate_grad_batches if trainer else 0
        sampler = _Shuffled(len(self.rows), self.config, seen)
        own = torch.Generator()  # the loader would draw from the global random state, though it has no workers
        return DataLoader(_Rows(self.rows), sampler=sampler, batch_size=None, generator=own)


class DiffusionModule(pl.LightningModule):
    """The denoiser and its loss, for a plain `pl.Trainer(max_steps=config.steps)`."""

    def __init__(self, layout: Layout, size: DenoiserConfig, config: TrainingConfig) -> None:
        super().__init__()
        self.denoiser = new_denoiser(layout, size, config.seed)
        self.config = config

    def training_step(self, batch: Tensor, _index: int) -> Tensor:
        rng = torch.Generator().manual_seed(_mixed(self.config.seed, self.global_step))
        loss = self.bound(batch.long(), rng).mean() / len(self.denoiser.layout)
        self.log("train_loss", loss)
        return loss

    def bound(self, rows: Int[Tensor, "b s"], rng: torch.Generator) -> Float[Tensor, " b"]:
        """One draw of the bound on -log p for each row given its start, in nats."""
        layout = self.denoiser.layout
        start = layout.start(rows.cpu()).to(rows.device)
        noised = add_noise(rows, start, layout.hidden.to(rows.device), rng)
        return negative_elbo(self.denoiser(noised.values), rows, noised)

    def configure_optimizers(self) -> pl.utilities.types.OptimizerLRScheduler:
        optimiser = torch.optim.AdamW(self.denoiser.parameters(), lr=self.config.learning_rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.config.learning_rate, total_steps=self.config.steps + 1, pct_start=0.1
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train_generator(
    space: SearchSpace,
    config: TrainingConfig | None = None,
    size: DenoiserConfig | None = None,
    graphs: Sequence[ArchGraph] | None = None,
    distinct: Distinct = "description",
    watch: WatchSteps = lambda *_: None,
) -> DiffusionGenerator:
    """A generator trained on unlabelled graphs of `space`; the same arguments give the same weights.

    Args:
        config: the space's `usual_config` unless given.
        size: of the network; the space's `usual_size` unless given.
        graphs: what to train on; `training_graphs` unless given.
        distinct: whether each description counts once, or each network.
        watch: called with the numbers of finished steps and of all, and the loss in nats a slot.
    """
    layout = layout_of(space)
    config = config or usual_config(layout)
    law = distinct if graphs is None else "given"
    graphs = training_graphs(space, config.seed, distinct) if graphs is None else graphs
    data = GraphDataModule(space, graphs, config)
    module = DiffusionModule(data.layout, size or usual_size(layout), config)
    started = time.perf_counter()
    with _quiet():
        _fit(_trainer(config, watch), module, data)
    return finished_generator(module, data, law, time.perf_counter() - started)


def finished_generator(module: DiffusionModule, data: GraphDataModule, law: str, seconds: float) -> DiffusionGenerator:
    """The generator of a module that has been trained on `data`, with what is known about its training.

    Args:
        law: "description" or "network" where `data` is `training_graphs` of that kind, else "given".
        seconds: that the training took.
    """
    module = module.cpu().eval()
    rng = torch.Generator().manual_seed(module.config.seed)
    rows = data.rows[torch.randint(len(data.rows), (JUDGED,), generator=rng)].long()
    with torch.no_grad():
        bound = float(torch.cat([module.bound(part, rng) for part in torch.split(rows, 1024)]).mean())
    provenance = {
        **asdict(module.config),
        "law": law,
        "graphs": len(data.rows),
        "seconds": round(seconds, 2),
        "bound": round(bound, 4),
    }
    starts, weights = distinct_starts(data.layout, data.rows.long())
    return DiffusionGenerator(data.layout.space, module.denoiser.config, module.denoiser, starts, weights, provenance)


def training_callbacks(config: TrainingConfig) -> list[pl.Callback]:
    """What `train_generator` trains with: an exponential moving average of the weights, which are kept at the end."""
    return [_Average(decay=config.decay, use_buffers=False)]


def usual_size(layout: Layout) -> DenoiserConfig:
    """A network that suits the layout."""
    if layout.edge_slots:
        return DenoiserConfig(layers=2 if _of_attributes(layout) else 4)
    return DenoiserConfig() if len(layout) <= CELL else DenoiserConfig(width=96, layers=2)


def usual_config(layout: Layout, seed: int = 0, steps: int | None = None) -> TrainingConfig:
    """Training that suits the layout; `steps` takes the place of the usual number."""
    batch = max(FEWEST, min(TrainingConfig.batch, PAIRS // layout.nodes**2))
    if layout.edge_slots and _of_attributes(layout):
        batch, usual = min(batch, 128), 2_000  # within a third of a nat of the entropy of the space `gnn`
    elif layout.edge_slots:
        usual = 7_000 if batch == TrainingConfig.batch else 1_500
    else:
        usual = TrainingConfig.steps if len(layout) <= CELL else 4_000
    return TrainingConfig(seed=seed, batch=batch, steps=usual if steps is None else steps)


def _of_attributes(layout: Layout) -> bool:
    """Whether nodes have several slots, most of which say little of each other."""
    return len(layout.node_slots) > layout.nodes


def training_graphs(space: SearchSpace, seed: int, distinct: Distinct = "description") -> Sequence[ArchGraph]:
    """Every description, or one of every network, where the space can be listed, else random architectures."""
    if space.enumerable and (space.size or 0) <= 4 * MOST_GRAPHS:
        return space.networks if distinct == "network" else tuple(space.enumerate())
    rng = np.random.default_rng(seed)
    count = MOST_GRAPHS if space.max_nodes**2 < 4 * LARGE else MOST_GRAPHS * LARGE // space.max_nodes**2
    return [space.sample(rng) for _ in range(count)]


def _mixed(seed: int, number: int) -> int:
    """One seed of two numbers."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _fit(trainer: pl.Trainer, module: DiffusionModule, data: GraphDataModule) -> None:
    """Lightning turns Ctrl-C into `sys.exit(1)` and ignores it from then on; the caller gets KeyboardInterrupt."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, data)
    except SIGTERMException:
        raise SystemExit(128 + signal.SIGTERM) from None  # Lightning's own exception would end as success
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


class _Average(EMAWeightAveraging):
    """Ends with the average also where a checkpoint is of the last step: Lightning then leaves `on_train_end` out."""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.on_train_end(trainer, pl_module)


class _Watch(pl.Callback):
    def __init__(self, watch: WatchSteps) -> None:
        self.watch = watch

    def on_train_batch_end(
        self, trainer: pl.Trainer, _module: pl.LightningModule, outputs: object, _batch: object, _index: int
    ) -> None:
        if trainer.global_step % 20 == 0 or trainer.global_step == trainer.max_steps:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            self.watch(trainer.global_step, trainer.max_steps, float(loss))  # type: ignore[arg-type]


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


def _trainer(config: TrainingConfig, watch: WatchSteps) -> pl.Trainer:
    return pl.Trainer(
        max_steps=config.steps,
        accelerator="cpu",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*training_callbacks(config), _Watch(watch)],
    )


class _Rows(Dataset[Tensor]):
    """Indexed by a whole batch of row numbers."""

    def __init__(self, rows: Int[Tensor, "m s"]) -> None:
        self.rows = rows

    def __getitem__(self, numbers: Tensor) -> Tensor:
        return self.rows[numbers]

    def __len__(self) -> int:
        return len(self.rows)


class _Shuffled(Sampler[Tensor]):
    """The row numbers of the next epoch's batches, cut from one permutation of all rows after another.

    It counts batches itself: Lightning, going on from a checkpoint, ends the epoch it was in at some other step.
    """

    def __init__(self, rows: int, config: TrainingConfig, seen: int) -> None:
        self.rows, self.config, self.seen = rows, config, seen
        self._permutation = (-1, torch.empty(0, dtype=torch.int64))

    def __len__(self) -> int:
        return EPOCH

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(EPOCH):
            places = torch.arange(self.seen * self.config.batch, (self.seen + 1) * self.config.batch)
            self.seen += 1
            passes = torch.unique(places // self.rows)
            yield torch.cat([self._pass(int(k))[places[places // self.rows == k] % self.rows] for k in passes])

    def _pass(self, number: int) -> Tensor:
        if self._permutation[0] != number:
            rng = torch.Generator().manual_seed(_mixed(self.config.seed, number))
            self._permutation = (number, torch.randperm(self.rows, generator=rng))
        return self._permutation[1]
