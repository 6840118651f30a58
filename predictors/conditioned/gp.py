"""DatasetGP: a Gaussian process on pairs of an architecture and a data set."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from predictors.conditioned.datasets import Pairs, check_targets
from predictors.conditioned.kernel import PairKernel, Places
from predictors.exact_gp import RIDGE
from predictors.prediction import Prediction
from predictors.scale import Scale
from predictors.slot_evidence import inflation, learn

MOST_ROWS = 500
"""Labels from which hyper-parameters are learned."""
FEWEST_OF_ONE = 4
"""Labels of a data set up to which all of them are taken for that: what is a data set's own shows in pairs of them."""
CHUNK = 4096


@final
@dataclass(frozen=True, eq=False)
class DatasetGP:
    """A fitted model; made by `fit_dataset_gp`.

    Args:
        kernel: with learned parameters.
        scale: from labels to the latent scale.
        noise: variance of a label there.
        inflation: the factor of variances for the uncertainty of the hyper-parameters.
    """

    kernel: PairKernel
    scale: Scale
    noise: float
    inflation: float
    _seen: Places
    _root: Float[Tensor, "n n"]
    _solved: Float[Tensor, " n"]

    @torch.no_grad()
    def predict(self, pairs: Pairs) -> Prediction:
        """Of new measurements, noise included; data sets may be new, as may their classes."""
        asked, means, variances = self.kernel.places(pairs), [], []
        for start in range(0, len(pairs), CHUNK):
            part = asked.take(slice(start, start + CHUNK))
            cross = self.kernel(part, self._seen)
            known = torch.linalg.solve_triangular(self._root, cross.T, upper=False).square().sum(0)
            means.append(cross @ self._solved)
            variances.append((self.kernel.variance(part) - known).clamp(min=1e-12))
        return Prediction(self.scale, torch.cat(means), self.inflation * torch.cat(variances) + self.noise)

    def given(self, pairs: Pairs, labels: Float[Tensor, " n"]) -> DatasetGP:
        """The model of these labels instead, with scale and hyper-parameters as they are; raises as a fit does."""
        check_targets(pairs, labels)
        return _condition(self.kernel, self.scale, self.noise, self.inflation, pairs, labels.double())


def fit_dataset_gp(kernel: PairKernel, pairs: Pairs, labels: Float[Tensor, " n"], *, warped: bool = False) -> DatasetGP:
    """Learn by evidence; the same labels give the same model.

    Args:
        kernel: whose parameters are learned from where they are; it is copied.
        pairs: what was measured.
        labels: what it gave, in units that all data sets share.
        warped: whether the labels saturate above.

    Raises:
        InvalidOption: fewer than 2 labels, not one a pair, or one that is not finite.
    """
    check_targets(pairs, labels)
    kernel, labels, rows = copy.deepcopy(kernel), labels.double(), evidence_pairs(pairs.place)
    part, priors = kernel.places(pairs.take(rows)), kernel.priors
    learned = learn(lambda: kernel(part, part), list(kernel.parameters()), priors, labels[rows], warped)
    scale, factor = Scale(1, learned.warp), inflation(len(priors), len(rows))
    return _condition(kernel, scale, learned.noise**2, factor, pairs, labels)


@torch.no_grad()
def _condition(
    kernel: PairKernel, scale: Scale, noise: float, factor: float, pairs: Pairs, labels: Float[Tensor, " n"]
) -> DatasetGP:
    seen = kernel.places(pairs)
    noisy = kernel(seen, seen)
    noisy.diagonal().add_(noise + RIDGE * float(noisy.diagonal().mean()))
    root = torch.linalg.cholesky(noisy)
    solved = torch.cholesky_solve(scale(labels)[:, None], root)[:, 0]
    return DatasetGP(kernel, scale, noise, factor, seen, root, solved)


def evidence_pairs(place: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
    """Rows of the pairs to learn hyper-parameters from: as many of each data set, whole data sets where they are small.

    Args:
        place: of the data set of each pair.
    """
    rng = torch.Generator().manual_seed(0)
    order = torch.randperm(len(place), generator=rng)
    _, place = torch.unique(place, return_inverse=True)
    count = int(place.max()) + 1
    of_one = max(FEWEST_OF_ONE, -(-MOST_ROWS // count))
    turn = torch.randperm(count, generator=rng)[place[order]].argsort(stable=True)
    order = order[turn]
    _, sizes = torch.unique_consecutive(place[order], return_counts=True)
    within = torch.cat([torch.arange(size) for size in sizes.tolist()])
    return order[within < of_one][:MOST_ROWS]
