"""train: one network on one task, chosen by validation alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol as Protocol_
from typing import runtime_checkable

import torch
from torch import Tensor, nn

from gnn_search.inputs import NetworkInput
from gnn_search.scores import area_under_curve, pair_scores
from gnn_search.scores import loss_of as loss_of
from gnn_search.task import GnnTask, GraphInput, Split
from graphs.errors import NotFinite
from graphs.spaces.gnn import Recipe

TEMPERATURE = 0.5
"""By which GRAND sharpens the mean of its passes."""
PASSES = 2
"""Random passes that have to agree."""


@dataclass(frozen=True)
class Protocol:
    """How long to train and when to stop.

    Args:
        epochs: at most.
        patience: epochs without a better validation score after which training ends.
        seconds: after which training ends with the best so far, or None.
    """

    epochs: int = 300
    patience: int = 60
    seconds: float | None = None


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch by validation.

    Args:
        model: with the weights of that epoch.
        valid, test: the task's metric in percent.
        loss: on the validation part.
        epoch: the best.
        epochs: that were run.
        seconds: of the wall clock.
    """

    model: nn.Module = field(repr=False)
    valid: float
    test: float
    loss: float
    epoch: int
    epochs: int
    seconds: float


@runtime_checkable
class ReadsFeatures(Protocol_):
    """A network that knows which of its weights raw features are multiplied by."""

    def feature_weights(self) -> list[nn.Parameter]: ...


class PreparedTask:
    """A task with its graphs ready to be read; shared by all candidates."""

    def __init__(self, task: GnnTask) -> None:
        self.task = task
        self._inputs: dict[int, NetworkInput] = {}

    def of(self, graph: GraphInput) -> NetworkInput:
        """The prepared graph."""
        return self._inputs.setdefault(id(graph), NetworkInput(graph))


def train(
    make: Callable[[], nn.Module], prepared: PreparedTask, recipe: Recipe, seed: int, protocol: Protocol | None = None
) -> Trained:
    """Train a network by Adam on the whole graph at once.

    The epoch with the best validation metric is kept, of equals the one with the least loss; the test part is looked at
    there and nowhere else.

    Args:
        make: builds the untrained network, which maps a `NetworkInput` to logits.
        prepared: the task.
        recipe: learning rate, weight decay and consistency; dropout is the network's own.
        seed: of the weights and of dropout.
        protocol: how long.

    Raises:
        NotFinite: a loss that is not finite.
    """
    protocol, task, started = protocol or Protocol(), prepared.task, time.perf_counter()
    torch.manual_seed(seed)
    model = make()
    optimizer = _optimizer(model, prepared, recipe)
    best, chosen, epoch = (-1.0, -float("inf")), 0, 0
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in range(1, protocol.epochs + 1):
        model.train()
        optimizer.zero_grad()
        loss = training_loss(model, prepared, recipe)
        _require_finite(float(loss.detach()), epoch)
        torch.autograd.backward(loss)
        optimizer.step()
        found = evaluate(model, prepared, task.valid)
        _require_finite(found[1], epoch)
        if (score := (found[0], -found[1])) > best:
            best, chosen = score, epoch
            for name, value in model.state_dict().items():
                kept[name].copy_(value)
        over = protocol.seconds is not None and time.perf_counter() - started > protocol.seconds
        if epoch - chosen >= protocol.patience or over:
            break
    model.load_state_dict(kept)
    test, _ = evaluate(model, prepared, task.test)
    return Trained(model, best[0], test, -best[1], chosen, epoch, time.perf_counter() - started)


def _require_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise NotFinite(f"training diverged: the loss of epoch {epoch} is {loss}; lower the learning rate")


def _optimizer(model: nn.Module, prepared: PreparedTask, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, whose decay acts on the weights that read raw features alone, as in GCN and APPNP.

    Decayed everywhere, strong decay makes some networks collapse. A model tells these weights by a method
    `feature_weights`; of one that does not, they are the matrices with a side as long as there are features.
    """
    if isinstance(model, ReadsFeatures):
        first = model.feature_weights()
    else:
        features = prepared.task.train.graph.features
        first = [one for one in model.parameters() if one.dim() == 2 and features in one.shape]
    others = [one for one in model.parameters() if all(one is not other for other in first)]
    groups = [{"params": first, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.Adam([group for group in groups if group["params"]], lr=recipe.learning_rate, fused=True)


def _is_random(recipe: Recipe) -> bool:
    return recipe.feature_dropout > 0 or recipe.dropout > 0 or recipe.drop_node > 0


def training_loss(model: nn.Module, prepared: PreparedTask, recipe: Recipe) -> Tensor:
    """The loss of labels, and where the recipe asks for it GRAND's loss of consistency (equations 3 and 4).

    Without dropout passes are equal, and there is nothing to make consistent.
    """
    split, kind = prepared.task.train, prepared.task.kind
    passes = PASSES if recipe.consistency > 0 and _is_random(recipe) else 1
    outputs = [model(prepared.of(split.graph)) for _ in range(passes)]
    loss: Tensor = torch.stack([loss_of(one, split, kind) for one in outputs]).mean()
    if passes == 1 or kind == "link":
        return loss
    chances = torch.stack([one.softmax(1) for one in outputs])
    with torch.no_grad():
        sharp = chances.mean(0) ** (1 / TEMPERATURE)
        sharp /= sharp.sum(1, keepdim=True)
    return loss + recipe.consistency * (chances - sharp).pow(2).sum(2).mean()


@torch.no_grad()
def evaluate(model: nn.Module, prepared: PreparedTask, split: Split) -> tuple[float, float]:
    """The task's metric in percent, and the loss."""
    model.eval()
    outputs = model(prepared.of(split.graph))
    loss = float(loss_of(outputs, split, prepared.task.kind))
    if prepared.task.kind == "link":
        return 100 * area_under_curve(pair_scores(outputs, split), split.labels), loss
    right = (outputs[split.items].argmax(1) == split.labels).float().mean()
    return 100 * float(right), loss
