"""WLGP keeps the surrogates' contract on a real space; broken ones do not."""

from collections.abc import Sequence

import numpy as np
import pytest
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from jaxtyping import Float

from archgen.testing import SurrogateContract
from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph
from graphs.spaces.nas_bench_graph import NasBenchGraph
from predictors.wl_gp import WLGP, feature_table

SPACE = NasBenchGraph()
TABLE = feature_table(SPACE)
Values = Float[np.ndarray, " n"]
Predictions = tuple[Values, Values]


class TestWLGP(SurrogateContract):
    space = SPACE

    def surrogate(self) -> Surrogate:
        return WLGP(TABLE)

    def fresh(self) -> Surrogate:
        return WLGP(feature_table(SPACE))


class Hoarding(WLGP):
    """Never forgets what it was fitted to before."""

    known: tuple[list[ArchGraph], list[float]] = ([], [])

    def fit(self, graphs: Sequence[ArchGraph], values: Values) -> None:
        self.known = ([*self.known[0], *graphs], [*self.known[1], *values.tolist()])
        super().fit(self.known[0], np.array(self.known[1]))


class Tiring(WLGP):
    """Rounds differently with every graph that its process has met."""

    def predict(self, graphs: Sequence[ArchGraph]) -> Predictions:
        mean, std = super().predict(graphs)
        return mean + 1e-14 * len(self._table._rows), std


class Literal(WLGP):
    """Looks at the description."""

    def predict(self, graphs: Sequence[ArchGraph]) -> Predictions:
        mean, std = super().predict(graphs)
        return mean + [1e-3 * len(SPACE.format(graph).split("gat")[0]) for graph in graphs], std


class Unscaled(WLGP):
    """Predicts on its own scale."""

    def predict(self, graphs: Sequence[ArchGraph]) -> Predictions:
        found = self.marginals(graphs)
        return found.mean[:, 0, 0].numpy(), found.variance[:, 0, 0].sqrt().numpy()


class Timid(WLGP):
    """Its marginals are wider than its posterior."""

    def marginals(self, graphs: Sequence[ArchGraph]) -> GPyTorchPosterior:
        found = super().marginals(graphs)
        return GPyTorchPosterior(MultivariateNormal(found.mean[..., 0], 1.1 * found.variance))


class Lenient(WLGP):
    """Takes any value."""

    def fit(self, graphs: Sequence[ArchGraph], values: Values) -> None:
        super().fit(graphs, np.nan_to_num(values))


BREACHES = [
    (Hoarding, "test_the_same_data_give_the_same_posterior", (), "another posterior"),
    (Tiring, "test_what_was_scored_before_does_not_matter", (), "prediction depends"),
    (Literal, "test_descriptions_of_one_network_are_one", (), "another prediction"),
    (Unscaled, "test_predictions_are_in_the_objectives_unit", (1e3, 7e4), "mean error"),
    (Timid, "test_marginals_are_the_diagonal_of_the_posterior", (), "Not equal to tolerance"),
    (Lenient, "test_values_that_are_not_finite_are_refused", (np.nan,), "DID NOT RAISE"),
]


@pytest.mark.parametrize(("broken", "test", "arguments", "message"), BREACHES)
def test_a_breach_is_found(broken: type[WLGP], test: str, arguments: tuple[float, ...], message: str) -> None:
    class Contract(TestWLGP):
        def surrogate(self) -> Surrogate:
            return broken(TABLE)

        def fresh(self) -> Surrogate:
            return broken(feature_table(SPACE))

    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        getattr(Contract(), test)(*arguments)
