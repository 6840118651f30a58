"""A kernel on slot rows: additive effects, agreement of whole rows, and distance between their descriptors."""

from __future__ import annotations

from collections.abc import Callable

import gpytorch
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from predictors.slot_evidence import INTERCEPT, SCALE
from predictors.slot_features import SlotFeatures

Describe = Callable[[Int[Tensor, "b s"]], Float[Tensor, "b d"]]
"""Numbers of a whole row that matter, e.g. its number of paths or the log of its MACs."""
WEIGHT = (0.0, 0.7)
"""Mean and deviation of the log of a slot's, a value's and the descriptors' weight in a distance."""


class SlotKernel(gpytorch.kernels.Kernel):  # type: ignore[misc]
    """k(x, x') = 100 + sum_t s_t^2 k_t + s_a^2 exp(-A(x, x')) + s_d^2 exp(-sqrt(D(x, x'))).

    k_t is what term t of `SlotFeatures` says. A is the mean over slots of w_slot (v_x + v_x') / 2 where the values
    differ (BoTorch's `CategoricalKernel` for equal value weights v), plus half the weighted squared differences of
    their attributes. D is the weighted mean squared difference of the descriptors. Logs of scales and weights are
    learned under Gaussian priors. Inputs are rows as floats.

    Args:
        features: the slots; the last of its shared levels says which values share a weight.
        describe: descriptors of rows, or None.
        reference: rows that fix the descriptors' centre and scale.
    """

    def __init__(
        self,
        features: SlotFeatures,
        describe: Describe | None,
        reference: Int[Tensor, "n s"],
    ) -> None:
        super().__init__()
        self.features = features
        self.basis = torch.cat(list(features.terms.values()), 1)
        self.term_of = torch.cat([torch.full((b.shape[1],), i) for i, b in enumerate(features.terms.values())])
        self.kinds = features.kinds
        self._describe = describe
        self.width = 0
        self._priors: list[Tensor] = []
        self._add("scales", self.additive + (1 if describe is None else 2), SCALE)
        self._add("slots", len(features.sizes), WEIGHT)
        self._add("values", int(self.kinds.max()) + 1 + features.attributes.shape[1], WEIGHT)
        if describe is not None:
            self._add("distance", 1, WEIGHT)
            seen = describe(reference).double()
            self.width = seen.shape[1]
            self._centre = seen.mean(0)
            self._spread = seen.std(0).where(seen.std(0) > 1e-9, 1.0) * seen.shape[1] ** 0.5

    def _add(self, name: str, count: int, prior: tuple[float, float]) -> None:
        mean, deviation = prior
        self.register_parameter(f"log_{name}", torch.nn.Parameter(torch.full((count,), mean, dtype=torch.float64)))
        self._priors.append(torch.tensor([[mean, deviation]] * count, dtype=torch.float64))

    @property
    def priors(self) -> Float[Tensor, "h 2"]:
        """Mean and deviation of each hyper-parameter's logarithm."""
        return torch.cat(self._priors)

    def positive(self, name: str) -> Float[Tensor, " p"]:
        """The parameters `scales` (terms, agreement, descriptors), `slots`, `values` or `distance`."""
        logs: Tensor = getattr(self, f"log_{name}")
        return logs.exp()

    def linear_table(self) -> Float[Tensor, "total d"]:
        """For each value the vector that it adds to a row; inner products of rows are the additive covariance."""
        return self.basis * self.positive("scales")[self.term_of]

    def agreement_table(self) -> Float[Tensor, "total d"]:
        """For each value the vector that it adds to a row; A is half the squared distance of rows."""
        sizes = torch.tensor(self.features.sizes)
        slots, values = self.positive("slots"), self.positive("values")
        slot_of = torch.arange(len(sizes)).repeat_interleave(sizes)
        weight = slots[slot_of] / len(sizes)
        plain = (weight * values[self.kinds]).sqrt().diag()
        attributes = self.features.attributes * values[int(self.kinds.max()) + 1 :].sqrt()
        placed = torch.nn.functional.one_hot(slot_of, len(sizes))[:, :, None] * attributes[:, None]
        return torch.cat([plain, (placed * weight.sqrt()[:, None, None]).flatten(1)], 1)

    def descriptors(self, values: Int[Tensor, "b s"]) -> Float[Tensor, "b d"]:
        """Standardised and weighted; D is the squared distance."""
        assert self._describe is not None
        plain: Tensor = (self._describe(values).double() - self._centre) / self._spread
        return plain * self.positive("distance").sqrt()

    def embed(self, values: Int[Tensor, "b s"]) -> list[Float[Tensor, "b d"]]:
        """The rows under both tables, and their descriptors where there are some."""
        found = [self._sums(values, table) for table in (self.linear_table(), self.agreement_table())]
        return found if self._describe is None else [*found, self.descriptors(values)]

    def _sums(self, values: Int[Tensor, "b s"], table: Float[Tensor, "total d"]) -> Float[Tensor, "b d"]:
        """The sum of the table's rows of a row's values."""
        numbers = self.features.singles(values)
        if not torch.is_grad_enabled():
            return embedding_bag(numbers, table, mode="sum")
        shown = torch.zeros(len(values), len(table), dtype=torch.float64)  # a product has the faster derivative
        return shown.scatter_(1, numbers, 1.0) @ table

    def between(self, left: list[Tensor], right: list[Tensor]) -> Float[Tensor, "*b l r"]:
        """The covariance of embedded rows."""
        found = INTERCEPT**2 + left[0] @ right[0].mT
        scales = self.positive("scales").square()[self.additive :]
        found = found + scales[0] * (-_squares(left[1], right[1]) / 2).exp()
        if len(left) > 2:
            found = found + scales[1] * (-(_squares(left[2], right[2]) + 1e-12).sqrt()).exp()
        return found

    @property
    def additive(self) -> int:
        """The number of additive terms."""
        return len(self.features.terms)

    def variance(self, rows: list[Tensor]) -> Float[Tensor, "*b r"]:
        """The variance of embedded rows."""
        return INTERCEPT**2 + rows[0].square().sum(-1) + self.positive("scales").square()[self.additive :].sum()

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: object) -> Tensor:
        left = self._embed_all(x1)
        if diag:
            return self.variance(left)
        return self.between(left, left if x1 is x2 else self._embed_all(x2))

    def _embed_all(self, x: Tensor) -> list[Tensor]:
        rows = x.round().long()
        return [part.view(*x.shape[:-1], part.shape[-1]) for part in self.embed(rows.reshape(-1, x.shape[-1]))]


def _squares(left: Tensor, right: Tensor) -> Tensor:
    """Squared distances."""
    both = left.square().sum(-1)[..., :, None] + right.square().sum(-1)[..., None, :]
    return (both - 2 * left @ right.mT).clamp(min=0)
