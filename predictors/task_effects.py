"""TaskEffects: what architectures are worth on any task, learned from few labels on each of many tasks.

A label is the sum of what its task's classes make easy, what else is particular to the task, what the network is worth,
and noise:

    y = mean of c_k over the task's classes k + t_task + f(network) + e,   all Gaussian.

f is a Gaussian process over networks, so that descriptions of one network share their value, plus an effect of each
network's own, plus a multiple of a score known beforehand (a linear mixed model, Henderson 1975, with an effect as in
Williams and Rasmussen 1996). All deviations maximise the marginal likelihood of the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.tables.task_labels import TaskLabels
from predictors.feature_table import FeatureTable
from predictors.slot_evidence import descend, prior_surprise
from predictors.task_evidence import TaskSolution, TaskSums

NetworkScore = Callable[[Sequence[ArchGraph]], Float[Tensor, " b"]]
"""A number of each network, the same for all descriptions of it."""
LEVEL = 10.0
"""Prior deviation of the mean of f around that of the labels, in points of accuracy."""
DEVIATION = 1.0
"""Of the log of each hyper-parameter around its default."""


@dataclass(frozen=True)
class TaskHyper:
    """Prior deviations in points of accuracy, and the distance over which networks are alike.

    Args:
        classes: of c, what a class makes easy.
        tasks: of t, what else is particular to a task.
        noise: of e.
        networks: of what a network shares with those near it.
        own: of what it shares with none.
        score: of f along a score, per deviation of it over the labelled networks.
        length: a mean distance over the feature groups at which the correlation is 1/e; 1 for random graphs.
    """

    classes: float = 10.0
    tasks: float = 1.5
    noise: float = 1.5
    networks: float = 1.5
    own: float = 0.3
    score: float = 0.5
    length: float = 1.0


@final
@dataclass(frozen=True, eq=False)
class TaskEffects:
    """A fitted model; made by `fit_task_effects`.

    Args:
        hyper: the deviations.
        centre: the mean of the labels.
        class_effects: the mean of c of each class number, 0 where no label had it.
    """

    hyper: TaskHyper
    centre: float
    class_effects: Float[Tensor, " k"]
    _prior: _NetworkPrior
    _seen: _Places
    _root: Float[Tensor, "u u"]
    _posterior: Float[Tensor, "u u"]
    _solved: Float[Tensor, " u"]

    @torch.no_grad()
    def predict(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Mean and deviation of f, the accuracy on a task of mean difficulty, without noise."""
        asked = self._prior.place(graphs)
        cross = _covariance(self._prior.relate(self._seen, asked), _as_tensor(self.hyper))
        known = torch.linalg.solve_triangular(self._root, cross, upper=False)
        spread = torch.linalg.solve_triangular(self._posterior, known, upper=False)
        constant = LEVEL**2 + self.hyper.networks**2 + self.hyper.own**2
        variance = constant + (self.hyper.score * asked.score).square() - known.square().sum(0) + spread.square().sum(0)
        return self.centre + known.T @ self._solved, variance.clamp(min=0.0).sqrt()

    def difficulty(self, classes: Int[np.ndarray, "b c"]) -> Float[Tensor, " b"]:
        """What the classes of a task add to the mean accuracy."""
        effects = torch.cat([self.class_effects, torch.zeros(1, dtype=torch.float64)])
        return effects[torch.from_numpy(classes).clamp(max=len(effects) - 1)].mean(1)


def fit_task_effects(
    table: FeatureTable,
    groups: Sequence[str],
    labels: TaskLabels,
    hyper: TaskHyper | None = None,
    score: NetworkScore | None = None,
) -> TaskEffects:
    """Learn from labels; the same labels give the same model.

    Args:
        table: features of the space's graphs, to be shared between fits.
        groups: those of its groups that say which networks are alike.
        labels: all of one source, since one mean serves all.
        hyper: taken as it is where given, else learned.
        score: what may go with f, e.g. how likely the network is to be among those that were labelled.

    Raises:
        InvalidOption: fewer than 2 labels.
    """
    if len(labels) < 2:
        raise InvalidOption(f"cannot fit {len(labels)} labels of tasks; expected at least 2")
    rows, first, network = np.unique(_rows(table, labels.graphs), return_index=True, return_inverse=True)
    graphs = [labels.graphs[at] for at in first]
    prior = _NetworkPrior.of(table, tuple(groups), score, graphs)
    seen = prior.place(graphs)
    sums, related = TaskSums.of(labels, network, len(rows)), prior.relate(seen, seen)

    def solve(deviations: Float[Tensor, " 7"]) -> TaskSolution:
        return TaskSolution.of(sums, _covariance(related, deviations), deviations[:3])

    if hyper is None:
        start = _as_tensor(TaskHyper()).log()
        logs, priors = start.clone().requires_grad_(), torch.stack([start, torch.full_like(start, DEVIATION)], 1)
        descend(lambda: solve(logs.exp()).surprise + prior_surprise(logs, priors), [logs])
        hyper = TaskHyper(*logs.detach().exp().tolist())
    with torch.no_grad():
        found = solve(_as_tensor(hyper))
        effects = found.class_effects(found.root @ found.solved)
    return TaskEffects(hyper, sums.centre, effects, prior, seen, found.root, found.posterior, found.solved)


@dataclass(frozen=True, eq=False)
class _Places:
    """Networks as the prior of f sees them: rows of the table, and scores in deviations from their mean."""

    row: Int[np.ndarray, " b"]
    score: Float[Tensor, " b"]


@dataclass(frozen=True, eq=False)
class _Related:
    """How alike networks are: their distance, whether they are the same, and the product of their scores."""

    apart: Float[Tensor, "l r"]
    same: Bool[Tensor, "l r"]
    product: Float[Tensor, "l r"]


@dataclass(frozen=True, eq=False)
class _NetworkPrior:
    """What the prior of f looks at; the score's mean and deviation are those of the labelled networks."""

    table: FeatureTable
    groups: tuple[str, ...]
    score: NetworkScore | None
    mean: float
    std: float

    @staticmethod
    def of(
        table: FeatureTable, groups: tuple[str, ...], score: NetworkScore | None, labelled: Sequence[ArchGraph]
    ) -> _NetworkPrior:
        scores = torch.zeros(len(labelled)) if score is None else score(labelled)
        std = float(scores.std(correction=0)) or 1.0
        return _NetworkPrior(table, groups, score, float(scores.mean()), std)

    def place(self, graphs: Sequence[ArchGraph]) -> _Places:
        if self.score is None:
            scores = torch.zeros(len(graphs), dtype=torch.float64)
        else:
            scores = (self.score(graphs).double() - self.mean) / self.std
        return _Places(_rows(self.table, graphs), scores)

    def relate(self, left: _Places, right: _Places) -> _Related:
        total = sum(self.table.distance(name, left.row, right.row) for name in self.groups)
        apart = torch.from_numpy(np.asarray(total)) / len(self.groups)
        same = torch.from_numpy(left.row[:, None] == right.row)
        return _Related(apart, same, left.score[:, None] * right.score)


def _covariance(related: _Related, hyper: Float[Tensor, " 7"]) -> Float[Tensor, "l r"]:
    """Of f, with the numbers of `TaskHyper` in their order."""
    _, _, _, networks, own, score, length = hyper
    shared = networks**2 * (-related.apart / length).exp()
    total: Tensor = LEVEL**2 + shared + own**2 * related.same + score**2 * related.product
    return total


def _rows(table: FeatureTable, graphs: Sequence[ArchGraph]) -> Int[np.ndarray, " b"]:
    return table.rows(graphs)[:, 0].numpy().astype(np.int64)


def _as_tensor(hyper: TaskHyper) -> Float[Tensor, " 7"]:
    return torch.tensor(astuple(hyper), dtype=torch.float64)
