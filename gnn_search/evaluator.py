"""GnnEvaluator: trains an architecture on a data set and tells how well it validates."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean, pstdev

import torch

from gnn_search.data_sets import Kind, load_task, require_memory
from gnn_search.gnn import GnnModel
from gnn_search.layers import width_of
from gnn_search.task import GnnTask
from gnn_search.training import PreparedTask, Protocol, Trained, train
from graphs.archgraph import ArchGraph
from graphs.spaces.attributed_dag_text import format_graph
from graphs.spaces.gnn import recipe_of


@dataclass(frozen=True)
class DataSource:
    """Which data, see `gnn_search.data_sets.load_task`."""

    name: str
    kind: Kind | None = None
    inductive: bool = False
    seed: int = 0

    def load(self) -> GnnTask:
        """The task; raises what `load_task` raises."""
        return load_task(self.name, kind=self.kind, inductive=self.inductive, seed=self.seed)


USUAL = Protocol()


@dataclass(frozen=True)
class Outcome:
    """How one training came out."""

    valid: float
    test: float
    loss: float
    epochs: int

    @classmethod
    def of(cls, trained: Trained) -> Outcome:
        return cls(trained.valid, trained.test, trained.loss, trained.epochs)


@dataclass(frozen=True)
class GnnEvaluator:
    """An evaluator of architectures of `gnn` and `auto-gnn`, whose fidelity is a number of seeds.

    Each seed trains the network anew on one thread; the metrics are means over seeds: `valid_accuracy` (`valid_auc` for
    pairs) in percent, `valid_loss`, `params` in millions, `epochs`, and as `cost` the seconds of all trainings.

    Args:
        source: the data.
        protocol: how long to train.
        first_seed: the seeds are this one and the following.
        test: whether the test metric is told, too, with its deviation over the seeds, as `test_accuracy` and
            `test_deviation`. A search must not see it.
        memory: a folder in which each training is remembered, so that more seeds of an architecture take up those that
            are there, in whichever process they ran.
    """

    source: DataSource
    protocol: Protocol = USUAL
    first_seed: int = 0
    test: bool = False
    memory: Path | None = None

    def __call__(self, graph: ArchGraph, fidelity: float = 1) -> dict[str, float]:
        """Train with `fidelity` seeds.

        Raises:
            NotFinite: a training diverged.
            TooLarge: the network would need more memory than there is.
        """
        torch.set_num_threads(1)
        started = time.perf_counter()
        prepared = prepared_task(self.source)
        task = prepared.task
        require_memory(task, max(width_of(op) for op in graph.ops[1:-1]))
        found = [self._outcome(graph, self.first_seed + place, prepared) for place in range(int(fidelity))]
        told = {
            f"valid_{task.metric}": fmean(one.valid for one in found),
            "valid_deviation": pstdev([one.valid for one in found]),
            "valid_loss": fmean(one.loss for one in found),
            "params": parameters(graph, task) / 1e6,
            "epochs": fmean(one.epochs for one in found),
            "cost": time.perf_counter() - started,
        }
        if self.test:
            told[f"test_{task.metric}"] = fmean(one.test for one in found)
            told["test_deviation"] = pstdev([one.test for one in found])
        return told

    def _outcome(self, graph: ArchGraph, seed: int, prepared: PreparedTask) -> Outcome:
        """How a training came out, from memory where it is there."""
        if self.memory is None:
            return Outcome.of(self.train(graph, seed, prepared))
        text = f"{format_graph(graph)}|{seed}|{self.source}|{self.protocol}"
        path = self.memory / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
        if path.is_file():
            return Outcome(**json.loads(path.read_text()))
        outcome = Outcome.of(self.train(graph, seed, prepared))
        self.memory.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(asdict(outcome)))
        os.replace(part, path)
        return outcome

    def train(self, graph: ArchGraph, seed: int, prepared: PreparedTask) -> Trained:
        """The network trained with one seed."""
        return train(lambda: network(graph, prepared.task), prepared, recipe_of(graph), seed, self.protocol)


@lru_cache(maxsize=2)
def prepared_task(source: DataSource) -> PreparedTask:
    """The task of a source, loaded and prepared once a process."""
    return PreparedTask(source.load())


def network(graph: ArchGraph, task: GnnTask) -> GnnModel:
    """The untrained network of an architecture for a task."""
    return GnnModel(graph, task.train.graph.features, task.outputs, pooled=task.kind == "graph")


def parameters(graph: ArchGraph, task: GnnTask) -> int:
    """How many the network has, without making it."""
    with torch.device("meta"):
        return sum(one.numel() for one in network(graph, task).parameters())
