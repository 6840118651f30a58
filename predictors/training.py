"""Training graph neural networks on labels with Lightning, for those who want its trainer, loggers and checkpoints.

`KINDS["gnn-ensemble"]` needs none of that. All chance of a step comes from the seed and the step's number, so a run
that goes on from a checkpoint ends with the weights of one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from graphs.archgraph import ArchGraph
from predictors.gnn import GnnSize, GraphMembers
from predictors.graph_inputs import GraphInputs, GraphTensors
from predictors.latent_model import Moments
from predictors.member_training import Schedule, optimiser_of
from predictors.members import outputs_of
from predictors.scale import Scale

EPOCH = 50
"""Steps of an epoch."""
Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""The parts of `GraphTensors`, and targets."""


class LabelledGraphs(pl.LightningDataModule):
    """Endless batches of labelled graphs by chance, in epochs of `EPOCH` steps.

    Args:
        inputs: makes what the network reads.
        graphs, labels: n of them.
        scale: that of the labels.
        schedule: says how many labels a step sees.
        seed: where the choice of labels comes from.
    """

    def __init__(
        self,
        inputs: GraphInputs,
        graphs: Sequence[ArchGraph],
        labels: Float[Tensor, " n"],
        scale: Scale,
        schedule: Schedule,
        seed: int,
    ) -> None:
        super().__init__()
        x = inputs(graphs)
        self.tensors: Batch = (x.nodes, x.relations, x.present, x.ends, scale(labels.double()).float())
        self.size, self.seed = min(schedule.batch, len(graphs)), seed

    def train_dataloader(self) -> DataLoader[Batch]:
        seen = self.trainer.global_step if self.trainer else 0  # there is no trainer where a user only asks for batches
        sampler = _Chosen(len(self.tensors[-1]), self.size, self.seed, seen)
        own = torch.Generator()  # the loader would draw from the global random state, though it has no workers
        return DataLoader(_Labelled(self.tensors), sampler=sampler, batch_size=None, generator=own)


class GnnModule(pl.LightningModule):
    """An ensemble of graph neural networks and its loss, for a plain `pl.Trainer(max_steps=schedule.steps)`.

    Args:
        inputs: numbers a node, `GraphInputs.width`.
        members: of the ensemble.
        schedule: of the training.
        seed: where weights and dropout come from.
    """

    def __init__(self, inputs: int, members: int, schedule: Schedule, seed: int) -> None:
        super().__init__()
        self.network = GraphMembers(members, inputs, 1, GnnSize(), torch.Generator().manual_seed(seed))
        self.schedule, self.seed = schedule, seed

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        *parts, targets = batch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed * 1_000_003 + self.global_step)
            errors: Tensor = (self.network(GraphTensors(*parts))[..., 0] - targets).square()
        self.log("train_loss", errors.mean())
        return errors.mean(1).sum()

    def configure_optimizers(self) -> pl.utilities.types.OptimizerLRScheduler:
        optimiser, cycle = optimiser_of(self.network, self.schedule)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}

    def moments(self, inputs: GraphTensors) -> Moments:
        """Mean and variance over members of each graph's value on the latent scale."""
        found = outputs_of(self.network, inputs)[..., 0]
        return found.mean(0), found.var(0)


class _Labelled(Dataset[Batch]):
    """Indexed by the row numbers of a whole batch."""

    def __init__(self, tensors: Batch) -> None:
        self.tensors = tensors

    def __getitem__(self, rows: Tensor) -> Batch:
        nodes, relations, present, ends, targets = (part[rows] for part in self.tensors)
        return nodes, relations, present, ends, targets

    def __len__(self) -> int:
        return len(self.tensors[-1])


class _Chosen(Sampler[Tensor]):
    """The rows of each step; it counts steps itself, as Lightning, going on, ends the epoch it was in elsewhere."""

    def __init__(self, rows: int, size: int, seed: int, seen: int) -> None:
        self.rows, self.size, self.seed, self.seen = rows, size, seed, seen

    def __len__(self) -> int:
        return EPOCH

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(EPOCH):
            rng = torch.Generator().manual_seed(self.seed * 1_000_003 + self.seen)
            self.seen += 1
            yield torch.randperm(self.rows, generator=rng)[: self.size]
