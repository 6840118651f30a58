"""SharedWeights: weights that architectures inherit from each other, and a single-path trainer for them.

Sources: Auto-GNN's constrained parameter sharing (Zhou et al. 2019, section 4.3), single-path one-shot training (Guo et
al. 2020). How well shared weights rank architectures is measured by `experiments/supernet.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from gnn_search.evaluator import network
from gnn_search.gnn import GnnModel
from gnn_search.joint import Joint
from gnn_search.training import PreparedTask, Protocol, Trained, evaluate, train
from graphs.archgraph import ArchGraph
from graphs.spaces.gnn import recipe_of

Key = tuple[object, ...]
"""What two weights have in common that are the same one."""
PATH = Protocol(epochs=5, patience=5)
"""Of one architecture, each time that it is drawn."""


class SharedWeights:
    """One tensor for each kind of weight, that of the architecture which was trained last.

    A weight is shared by two architectures where it belongs to the same node, joins it to the same other node, and has
    the same shape. Constrained as in Auto-GNN, the node's operation, attention and activation are the same, too. Batch
    norms, and maps of a layer that is passed by (from a node to the output where others lead there), are never shared.

    Args:
        constrained: whether operation, attention and activation count.
    """

    def __init__(self, constrained: bool = True) -> None:
        self.constrained = constrained
        self._kept: dict[Key, Tensor] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @torch.no_grad()
    def lend(self, model: GnnModel) -> float:
        """Write what is known into a network; the share of its numbers that it inherits."""
        inherited = 0
        for key, weight in self._shared(model):
            if key in self._kept:
                weight.copy_(self._kept[key])
                inherited += weight.numel()
        return inherited / sum(one.numel() for one in model.parameters())

    @torch.no_grad()
    def keep(self, model: GnnModel) -> None:
        """Remember the weights of a network."""
        for key, weight in self._shared(model):
            self._kept[key] = weight.detach().clone()

    def _shared(self, model: GnnModel) -> Iterator[tuple[Key, nn.Parameter]]:
        """The weights that may be shared, and what they share by."""
        graph = model.graph
        for node in range(1, len(graph) - 1):
            op, joint, layer = graph.ops[node], model.maps[node - 1], model.layers[node - 1]
            assert isinstance(joint, Joint)
            kind: Key = ("layer", node, op.name)
            if self.constrained:
                kind = (*kind, op.get("attention"), op.get("activation"))
            for source, weight in zip(graph.predecessors[node], joint.weights, strict=True):
                yield (*kind, "map", source, tuple(weight.shape)), weight
            yield (*kind, "bias", tuple(joint.bias.shape)), joint.bias
            for name, weight in layer.named_parameters():
                yield (*kind, name, tuple(weight.shape)), weight
        ends = graph.predecessors[-1]
        if len(ends) == 1 and model.ends is None:
            (weight,) = model.head.weights
            yield ("head", ends[0], tuple(weight.shape)), weight
            yield ("head", "bias", tuple(model.head.bias.shape)), model.head.bias


def train_shared(
    shared: SharedWeights,
    sample: Callable[[np.random.Generator], ArchGraph],
    prepared: PreparedTask,
    paths: int,
    seed: int,
    protocol: Protocol = PATH,
    watch: Callable[[int, Trained], object] = lambda *_: None,
) -> None:
    """Train shared weights: draw an architecture, lend it what it inherits, train it a little, keep its weights.

    Args:
        shared: changed in place.
        sample: draws an architecture.
        prepared: the task; architectures train on its training part.
        paths: architectures drawn.
        seed: of the draws, and of weights that nobody has yet.
        protocol: epochs a path; the last epoch's weights of the best by validation are kept.
        watch: called with the number of each path and how it came out.
    """
    rng = np.random.default_rng(seed)
    for place in range(paths):
        graph = sample(rng)
        done = _train_once(shared, graph, prepared, seed * paths + place, protocol)
        watch(place, done)


def _train_once(
    shared: SharedWeights, graph: ArchGraph, prepared: PreparedTask, seed: int, protocol: Protocol
) -> Trained:
    def inherit() -> GnnModel:
        model = network(graph, prepared.task)
        shared.lend(model)
        return model

    done = train(inherit, prepared, recipe_of(graph), seed, protocol)
    assert isinstance(done.model, GnnModel)
    shared.keep(done.model)
    return done


def one_shot_score(
    shared: SharedWeights, graph: ArchGraph, prepared: PreparedTask, seed: int, epochs: int = 0
) -> tuple[float, float]:
    """The validation metric in percent with inherited weights, after `epochs` of training; and the share inherited.

    Shared weights stay as they are.
    """
    torch.manual_seed(seed)
    model = network(graph, prepared.task)
    share = shared.lend(model)
    if epochs == 0:
        return evaluate(model, prepared, prepared.task.valid)[0], share
    protocol = replace(PATH, epochs=epochs, patience=epochs)
    done = train(lambda: model, prepared, recipe_of(graph), seed, protocol)
    return done.valid, share
