"""TaskEffects: what architectures are worth on any task, learned from few labels on each of many tasks.

A label is the sum of what its task's classes make easy, what else is particular to the task, what the network is worth,
and noise:

    y = mean of c_k over the task's classes k + t_task + f(network) + e,   all Gaussian.

f is a Gaussian process over networks, so that descriptions of one network share their value, plus an effect of each
network's own (a linear mixed model, Henderson 1975, with one effect as in Williams and Rasmussen 1996). All deviations
maximise the marginal likelihood of the labels. c and t are integrated out first, which leaves a vector and a matrix
over networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.tables.task_labels import TaskLabels
from predictors.feature_table import FeatureTable
from predictors.slot_evidence import JITTER, descend, prior_surprise

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
        length: a mean distance over the feature groups at which the correlation is 1/e; 1 for random graphs.
    """

    classes: float = 10.0
    tasks: float = 1.5
    noise: float = 1.5
    networks: float = 1.5
    own: float = 0.3
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
    _seen: Int[np.ndarray, " u"]
    _root: Float[Tensor, "u u"]
    _posterior: Float[Tensor, "u u"]
    _solved: Float[Tensor, " u"]

    @torch.no_grad()
    def predict(self, graphs: Sequence[ArchGraph]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Mean and deviation of f, the accuracy on a task of mean difficulty, without noise."""
        rows = self._prior.rows(graphs)
        known = torch.linalg.solve_triangular(
            self._root, self._prior.between(self._seen, rows, self.hyper), upper=False
        )
        spread = torch.linalg.solve_triangular(self._posterior, known, upper=False)
        prior = LEVEL**2 + self.hyper.networks**2 + self.hyper.own**2
        variance = prior - known.square().sum(0) + spread.square().sum(0)
        return self.centre + known.T @ self._solved, variance.clamp(min=0.0).sqrt()

    def difficulty(self, classes: Int[np.ndarray, "b c"]) -> Float[Tensor, " b"]:
        """What the classes of a task add to the mean accuracy."""
        effects = torch.cat([self.class_effects, torch.zeros(1, dtype=torch.float64)])
        return effects[torch.from_numpy(classes).clamp(max=len(effects) - 1)].mean(1)


def fit_task_effects(
    table: FeatureTable, groups: Sequence[str], labels: TaskLabels, hyper: TaskHyper | None = None
) -> TaskEffects:
    """Learn from labels; the same labels give the same model.

    Args:
        table: features of the space's graphs, to be shared between fits.
        groups: those of its groups that say which networks are alike.
        labels: all of one source, since one mean serves all.
        hyper: taken as it is where given, else learned.

    Raises:
        InvalidOption: fewer than 2 labels.
    """
    if len(labels) < 2:
        raise InvalidOption(f"cannot fit {len(labels)} labels of tasks; expected at least 2")
    prior = _NetworkPrior(table, tuple(groups))
    seen, network = np.unique(prior.rows(labels.graphs), return_inverse=True)
    sums = _Sums.of(labels, network, len(seen))
    apart = prior.distances(seen, seen)
    if hyper is None:
        start = torch.tensor(_as_list(TaskHyper()), dtype=torch.float64).log()
        logs, priors = start.clone().requires_grad_(), torch.stack([start, torch.full_like(start, DEVIATION)], 1)
        descend(lambda: _Solution.of(sums, apart, logs.exp()).surprise + prior_surprise(logs, priors), [logs])
        hyper = TaskHyper(*logs.detach().exp().tolist())
    with torch.no_grad():
        found = _Solution.of(sums, apart, torch.tensor(_as_list(hyper), dtype=torch.float64))
        solved = torch.cholesky_solve((found.root.T @ found.right)[:, None], found.posterior)[:, 0]
        effects = found.class_effects(found.root @ solved)
    return TaskEffects(hyper, sums.centre, effects, prior, seen, found.root, found.posterior, solved)


@dataclass(frozen=True)
class _NetworkPrior:
    """Covariance of f between rows of the table."""

    table: FeatureTable
    groups: tuple[str, ...]

    def rows(self, graphs: Sequence[ArchGraph]) -> Int[np.ndarray, " b"]:
        return self.table.rows(graphs)[:, 0].numpy().astype(np.int64)

    def distances(self, left: Int[np.ndarray, " l"], right: Int[np.ndarray, " r"]) -> Float[Tensor, "l r"]:
        total = sum(self.table.distance(name, left, right) for name in self.groups)
        return torch.from_numpy(np.asarray(total)) / len(self.groups)

    def between(
        self, left: Int[np.ndarray, " l"], right: Int[np.ndarray, " r"], hyper: TaskHyper
    ) -> Float[Tensor, "l r"]:
        same = torch.from_numpy(left[:, None] == right)
        return _covariance(self.distances(left, right), same, torch.tensor(_as_list(hyper), dtype=torch.float64))


def _covariance(apart: Float[Tensor, "l r"], same: Tensor, hyper: Float[Tensor, " 6"]) -> Float[Tensor, "l r"]:
    """hyper in the order of `TaskHyper`."""
    return LEVEL**2 + hyper[3] ** 2 * (-apart / hyper[5]).exp() + hyper[4] ** 2 * same


@dataclass(frozen=True, eq=False)
class _Sums:
    """All that the labels say, for tasks of m labels each: sums over tasks of products of what each task sums up to.

    T is the share of each class, S how many of the task's labels each network has, y the sum of its labels, from
    which the mean over all is taken away.
    """

    centre: float
    labels: int
    squares: float
    size: Float[Tensor, " m"]
    tasks: Float[Tensor, " m"]
    tt: Float[Tensor, "m k k"]
    ts: Float[Tensor, "m k u"]
    ss: Float[Tensor, "m u u"]
    ty: Float[Tensor, "m k"]
    sy: Float[Tensor, "m u"]
    yy: Float[Tensor, " m"]
    count: Float[Tensor, " u"]
    total: Float[Tensor, " u"]

    @staticmethod
    def of(labels: TaskLabels, network: Int[np.ndarray, " n"], networks: int) -> _Sums:
        centre = float(labels.accuracy.mean())
        accuracy = torch.from_numpy(labels.accuracy - centre)
        _, first, task, size = np.unique(labels.task, return_index=True, return_inverse=True, return_counts=True)
        classes = torch.from_numpy(labels.classes[first])
        t = torch.zeros(len(first), 1 + int(classes.max()), dtype=torch.float64)
        t.scatter_add_(1, classes, torch.full(classes.shape, 1 / classes.shape[1], dtype=torch.float64))
        s, y = torch.zeros(len(first), networks, dtype=torch.float64), torch.zeros(len(first), dtype=torch.float64)
        where, which = torch.from_numpy(task), torch.from_numpy(network)
        s.index_put_((where, which), torch.ones(len(labels), dtype=torch.float64), accumulate=True)
        y.index_add_(0, where, accuracy)
        sizes = np.unique(size)
        alike = [torch.from_numpy((size == m).nonzero()[0]) for m in sizes]
        parts = [(t[a], s[a], y[a]) for a in alike]
        return _Sums(
            centre,
            len(labels),
            float(accuracy.square().sum()),
            torch.from_numpy(sizes).double(),
            torch.tensor([len(a) for a in alike], dtype=torch.float64),
            torch.stack([t.T @ t for t, _, _ in parts]),
            torch.stack([t.T @ s for t, s, _ in parts]),
            torch.stack([s.T @ s for _, s, _ in parts]),
            torch.stack([t.T @ y for t, _, y in parts]),
            torch.stack([s.T @ y for _, s, y in parts]),
            torch.stack([y @ y for _, _, y in parts]),
            s.sum(0),
            torch.zeros(networks, dtype=torch.float64).index_add_(0, which, accuracy),
        )


@dataclass(frozen=True, eq=False)
class _Solution:
    """The labels seen from the networks: exp(h^T f - f^T information f / 2), and what it says under the prior of f.

    root is the Cholesky factor of the prior covariance of f, posterior that of 1 + root^T information root.
    """

    right: Float[Tensor, " u"]
    root: Float[Tensor, "u u"]
    posterior: Float[Tensor, "u u"]
    surprise: Float[Tensor, ""]
    _inner: Float[Tensor, "k k"]
    _ts: Float[Tensor, "k u"]
    _ty: Float[Tensor, " k"]

    @staticmethod
    def of(sums: _Sums, apart: Float[Tensor, "u u"], hyper: Float[Tensor, " 6"]) -> _Solution:
        """hyper in the order of `TaskHyper`."""
        classes, tasks, noise = hyper[0] ** 2, hyper[1] ** 2, hyper[2] ** 2
        summed = 1 / (noise + sums.size * tasks)  # precision of the mean of a task's m labels, over m
        shared = summed * tasks / noise
        prior = (1 / classes).expand(sums.ty.shape[1])
        ts, ty = torch.tensordot(summed, sums.ts, 1), summed @ sums.ty
        inner = torch.linalg.cholesky(torch.tensordot(sums.size * summed, sums.tt, 1) + prior.diag())
        known = torch.linalg.solve_triangular(inner, torch.cat([ts, ty[:, None]], 1), upper=False)
        of_networks, of_labels = known[:, :-1], known[:, -1]
        information = (sums.count / noise).diag() - torch.tensordot(shared, sums.ss, 1) - of_networks.T @ of_networks
        right = sums.total / noise - shared @ sums.sy - of_networks.T @ of_labels
        eye = torch.eye(len(apart), dtype=torch.float64)
        root = torch.linalg.cholesky(_covariance(apart, eye, hyper) + JITTER * eye)
        posterior = torch.linalg.cholesky(eye + root.T @ information @ root)
        explained = torch.linalg.solve_triangular(posterior, (root.T @ right)[:, None], upper=False)
        surprise = (
            (sums.labels - sums.tasks.sum()) * noise.log()
            - sums.tasks @ summed.log()
            + 2 * inner.diagonal().log().sum()
            - prior.log().sum()
            + 2 * posterior.diagonal().log().sum()
            + sums.squares / noise
            - shared @ sums.yy
            - of_labels.square().sum()
            - explained.square().sum()
        ) / 2
        return _Solution(right, root, posterior, surprise, inner, ts, ty)

    def class_effects(self, f: Float[Tensor, " u"]) -> Float[Tensor, " k"]:
        """The means of all c, given f."""
        return torch.cholesky_solve((self._ty - self._ts @ f)[:, None], self._inner)[:, 0]


def _as_list(hyper: TaskHyper) -> list[float]:
    return [hyper.classes, hyper.tasks, hyper.noise, hyper.networks, hyper.own, hyper.length]
