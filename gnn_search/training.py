"""train: one network on one task, chosen by validation alone."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnn_search.inputs import NetworkInput
from gnn_search.task import GnnTask, GraphInput, Split
from graphs.errors import EvaluationError
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
        EvaluationError: a loss that is not finite.
    """
    protocol, task, started = protocol or Protocol(), prepared.task, time.perf_counter()
    torch.manual_seed(seed)
    model = make()
    optimizer = _optimizer(model, prepared, recipe)
    best, kept, chosen = (-1.0, -float("inf")), copy.deepcopy(model.state_dict()), 0
    epoch = 0
    for epoch in range(1, protocol.epochs + 1):
        model.train()
        optimizer.zero_grad()
        loss = training_loss(model, prepared, recipe)
        if not bool(loss.isfinite()):
            raise EvaluationError(f"training diverged: the loss of epoch {epoch} is {float(loss)}; lower the rate")
        loss.backward()
        optimizer.step()
        found = evaluate(model, prepared, task.valid)
        if (score := (found[0], -found[1])) > best:
            best, kept, chosen = score, copy.deepcopy(model.state_dict()), epoch
        over = protocol.seconds is not None and time.perf_counter() - started > protocol.seconds
        if epoch - chosen >= protocol.patience or over:
            break
    model.load_state_dict(kept)
    test, _ = evaluate(model, prepared, task.test)
    return Trained(model, best[0], test, -best[1], chosen, epoch, time.perf_counter() - started)


def _optimizer(model: nn.Module, prepared: PreparedTask, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, whose decay acts on the weights that read raw features alone, as in GCN and APPNP.

    Decayed everywhere, strong decay makes some networks collapse.
    """
    features = prepared.task.train.graph.features
    first = [one for one in model.parameters() if one.dim() == 2 and features in one.shape]
    others = [one for one in model.parameters() if all(one is not other for other in first)]
    groups = [{"params": first, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.Adam([group for group in groups if group["params"]], lr=recipe.learning_rate, fused=True)


def training_loss(model: nn.Module, prepared: PreparedTask, recipe: Recipe) -> Tensor:
    """The loss of labels, and where the recipe asks for it GRAND's loss of consistency (equations 3 and 4)."""
    split, kind = prepared.task.train, prepared.task.kind
    passes = PASSES if recipe.consistency > 0 else 1
    outputs = [model(prepared.of(split.graph)) for _ in range(passes)]
    loss: Tensor = torch.stack([loss_of(one, split, kind) for one in outputs]).mean()
    if passes == 1 or kind == "link":
        return loss
    chances = torch.stack([one.softmax(1) for one in outputs])
    with torch.no_grad():
        sharp = chances.mean(0) ** (1 / TEMPERATURE)
        sharp /= sharp.sum(1, keepdim=True)
    return loss + recipe.consistency * (chances - sharp).pow(2).sum(2).mean()


def loss_of(outputs: Float[Tensor, "n k"], split: Split, kind: str) -> Tensor:
    """Cross-entropy of the labels."""
    if kind == "link":
        return nn.functional.binary_cross_entropy_with_logits(pair_scores(outputs, split), split.labels.float())
    return nn.functional.cross_entropy(outputs[split.items], split.labels)


def pair_scores(outputs: Float[Tensor, "n k"], split: Split) -> Float[Tensor, " m"]:
    """The dot product of each pair."""
    return (outputs[split.items[:, 0]] * outputs[split.items[:, 1]]).sum(1)


@torch.no_grad()
def evaluate(model: nn.Module, prepared: PreparedTask, split: Split) -> tuple[float, float]:
    """The task's metric in percent, and the loss."""
    model.eval()
    outputs = model(prepared.of(split.graph))
    loss = float(loss_of(outputs, split, prepared.task.kind))
    if prepared.task.kind == "link":
        from torchmetrics.functional.classification import binary_auroc  # its import takes seconds

        return 100 * float(binary_auroc(pair_scores(outputs, split), split.labels)), loss
    right = (outputs[split.items].argmax(1) == split.labels).float().mean()
    return 100 * float(right), loss
