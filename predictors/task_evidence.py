"""Labels of many tasks as sums over networks: what they say about each once classes and tasks are integrated out.

The model is that of `predictors.task_effects`. Tasks of equally many labels share their sums, so that a change of the
deviations costs no look at the labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.tables.task_labels import TaskLabels
from predictors.slot_evidence import JITTER


@dataclass(frozen=True, eq=False)
class TaskSums:
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
    def of(labels: TaskLabels, network: Int[np.ndarray, " n"], networks: int) -> TaskSums:
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
        return TaskSums(
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
class TaskSolution:
    """The labels seen from the networks: exp(right^T f - f^T information f / 2), and f after them.

    Args:
        right: see above.
        root: the Cholesky factor of the prior covariance of f.
        posterior: the Cholesky factor of 1 + root^T information root.
        surprise: minus the log density of the labels, but for a constant.
    """

    right: Float[Tensor, " u"]
    root: Float[Tensor, "u u"]
    posterior: Float[Tensor, "u u"]
    surprise: Float[Tensor, ""]
    _inner: Float[Tensor, "k k"]
    _ts: Float[Tensor, "k u"]
    _ty: Float[Tensor, " k"]

    @staticmethod
    def of(sums: TaskSums, covariance: Float[Tensor, "u u"], deviations: Float[Tensor, " 3"]) -> TaskSolution:
        """For a prior covariance of f, and the deviations of c, t and e."""
        classes, tasks, noise = deviations.square()
        summed = 1 / (noise + sums.size * tasks)  # precision of the mean of a task's m labels, over m
        shared = summed * tasks / noise
        prior = (1 / classes).expand(sums.ty.shape[1])
        ts, ty = torch.tensordot(summed, sums.ts, 1), summed @ sums.ty
        inner = torch.linalg.cholesky(torch.tensordot(sums.size * summed, sums.tt, 1) + prior.diag())
        known = torch.linalg.solve_triangular(inner, torch.cat([ts, ty[:, None]], 1), upper=False)
        of_networks, of_labels = known[:, :-1], known[:, -1]
        information = (sums.count / noise).diag() - torch.tensordot(shared, sums.ss, 1) - of_networks.T @ of_networks
        right = sums.total / noise - shared @ sums.sy - of_networks.T @ of_labels
        eye = torch.eye(len(covariance), dtype=torch.float64)
        root = torch.linalg.cholesky(covariance + JITTER * eye)
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
        return TaskSolution(right, root, posterior, surprise, inner, ts, ty)

    @property
    def solved(self) -> Float[Tensor, " u"]:
        """The posterior mean of f is root times this."""
        return torch.cholesky_solve((self.root.T @ self.right)[:, None], self.posterior)[:, 0]

    def class_effects(self, f: Float[Tensor, " u"]) -> Float[Tensor, " k"]:
        """The means of all c, given f."""
        return torch.cholesky_solve((self._ty - self._ts @ f)[:, None], self._inner)[:, 0]
