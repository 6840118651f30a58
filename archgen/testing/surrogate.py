"""SurrogateContract: the tests that a surrogate model over graphs runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from botorch.models.model import Model
from botorch.posteriors.posterior import Posterior
from jaxtyping import Float

from archgen.testing.objective import made_up_value
from archgen.testing.randomness import stirred
from bo.acquisition import log_ei, score, select
from bo.beliefs import fit_beliefs
from bo.records import History, Objective, Proposal, Status, Trial
from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError
from graphs.space import SearchSpace

Values = Float[np.ndarray, " n"]


class SurrogateContract:
    """What every `bo.surrogate.Surrogate` must hold:

    class TestMine(SurrogateContract):
        space = MySpace()

        def surrogate(self):
            return MySurrogate(self.space)
    """

    space: SearchSpace
    labels = 30  # graphs that it learns from
    fewest = 2  # labels below which it refuses to learn
    nearness = 0.5  # mean error on the training graphs at most, in standard deviations of the noise-free values

    def surrogate(self) -> Surrogate:
        """An untrained surrogate."""
        raise NotImplementedError(f"{type(self).__name__} must define surrogate()")

    def fresh(self) -> Surrogate:
        """An untrained surrogate as a new process would make it; override where `surrogate` shares what it has met."""
        return self.surrogate()

    def value(self, graph: ArchGraph) -> float:
        """The objective, larger is better and equal for descriptions of one network; made up unless overridden."""
        return made_up_value(self.space, graph)

    def graphs(self, count: int, seed: int) -> list[ArchGraph]:
        """Random graphs of the space."""
        rng = np.random.default_rng(seed)
        return [self.space.sample(rng) for _ in range(count)]

    def data(self) -> tuple[list[ArchGraph], Values]:
        """`labels` graphs and their values."""
        graphs = self.graphs(self.labels, 0)
        return graphs, np.array([self.value(graph) for graph in graphs], dtype=np.float64)

    def fitted(self) -> Surrogate:
        """A surrogate that has learned `data`."""
        surrogate = self.surrogate()
        surrogate.fit(*self.data())
        return surrogate

    def test_the_same_data_give_the_same_posterior(self) -> None:
        graphs, values = self.data()
        test, found, surrogate = self.graphs(8, 1), [], self.surrogate()
        for seed, one in enumerate((surrogate, self.surrogate(), surrogate)):
            with stirred(seed):
                one.fit(graphs, values)
                found.append(_moments(one, test))
            one.fit(graphs[::-1][: len(graphs) // 2 + 1], values[: len(graphs) // 2 + 1])  # must be forgotten
        for again in found[1:]:
            np.testing.assert_array_equal(again, found[0], "a second fit of the same data gives another posterior")

    def test_what_was_scored_before_does_not_matter(self) -> None:
        """Bit for bit, or a campaign that was opened again would go another way."""
        test, old = self.graphs(8, 2), self.surrogate()
        old.fit(*self.data())
        _improvement(old, self.graphs(40, 3))
        old.posterior(test[::-1])
        old.fit(*self.data())
        _improvement(old, [*self.graphs(20, 4), *test[3:]])
        new = self.fresh()
        new.fit(*self.data())
        for name, look in (("posterior", _moments), ("log-EI", _improvement), ("prediction", _predictions)):
            was, now = look(old, test), look(new, test)
            np.testing.assert_array_equal(was, now, f"the {name} depends on which graphs were scored before")

    def test_the_posterior_is_a_joint_botorch_posterior(self) -> None:
        surrogate, test = self.fitted(), self.graphs(7, 5)
        assert isinstance(surrogate, Surrogate)
        assert isinstance(surrogate.model, Model), f"expected a BoTorch model, got {type(surrogate.model)}"
        posterior = surrogate.posterior(test)
        assert isinstance(posterior, Posterior), f"expected a BoTorch posterior, got {type(posterior)}"
        samples = posterior.rsample(torch.Size([3]))
        assert samples.shape == (3, 7, 1), f"expected 3 samples of 7 graphs as (3, 7, 1), got {tuple(samples.shape)}"
        direct: Any = surrogate.model.posterior(surrogate.inputs(test))
        found = torch.stack([direct.mean[:, 0], direct.variance[:, 0]]).detach()
        np.testing.assert_allclose(found, _moments(surrogate, test), 1e-4, 1e-8, err_msg="model and posterior differ")

    def test_marginals_are_the_diagonal_of_the_posterior(self) -> None:
        surrogate, test = self.fitted(), self.graphs(7, 6)
        marginals, (mean, variance) = surrogate.marginals(test), _moments(surrogate, test)
        assert marginals.mean.shape == (7, 1, 1), f"expected means as (7, 1, 1), got {tuple(marginals.mean.shape)}"
        largest = float(variance.max())
        np.testing.assert_allclose(marginals.mean.detach()[:, 0, 0], mean, atol=1e-4 * largest**0.5)
        np.testing.assert_allclose(marginals.variance.detach()[:, 0, 0], variance, rtol=1e-3, atol=1e-4 * largest)

    @pytest.mark.parametrize(("unit", "origin"), [(1.0, 0.0), (1e-3, -2.0), (1e3, 7e4)])
    def test_predictions_are_in_the_objectives_unit(self, unit: float, origin: float) -> None:
        surrogate, (graphs, values) = self.surrogate(), self.data()
        surrogate.fit(graphs, values := unit * values + origin)
        mean, std = _predictions(surrogate, graphs)
        assert mean.shape == std.shape == (len(graphs),)
        error, most = np.abs(mean - values).mean(), self.nearness * values.std()
        assert error <= most, f"mean error {error:.3g} on noise-free training values, expected at most {most:.3g}"
        assert std.mean() < 3 * values.std(), f"deviations of {std.mean():.3g} where the values' is {values.std():.3g}"

    def test_descriptions_of_one_network_are_one(self) -> None:
        """As questions, and as what is learned from."""
        by_network: dict[ArchGraph, ArchGraph] = {}
        pairs = [(by_network.setdefault(self.space.network(graph), graph), graph) for graph in self.graphs(500, 7)]
        pairs = [(left, right) for left, right in pairs if left != right][: self.labels]
        if len(pairs) < max(3, self.fewest):
            pytest.skip("hardly a network of this space has two descriptions")
        left, right = map(list, zip(*pairs, strict=True))
        values, surrogate, other = np.array([self.value(g) for g in left]), self.surrogate(), self.surrogate()
        surrogate.fit(left, values)
        other.fit(right, values)
        expected = _predictions(surrogate, left)
        for found in (_predictions(surrogate, right), _predictions(other, left)):
            np.testing.assert_allclose(found, expected, 1e-6, err_msg="another description, another prediction")

    def test_log_ei_is_finite_also_at_training_graphs(self) -> None:
        graphs = [*self.data()[0], *self.graphs(20, 8)]
        values = _improvement(self.fitted(), graphs, self.fitted().scale(float(self.data()[1].max())))
        assert values.shape == (len(graphs),)
        assert np.isfinite(values).all(), f"log-EI of {values[~np.isfinite(values)]}"

    def test_batches_can_be_selected(self) -> None:
        pool = list({self.space.network(graph): graph for graph in self.graphs(30, 9)}.values())
        for pending in ([], self.graphs(2, 10)):
            done = zip(*self.data(), strict=True)
            trials = [_trial(k, graph, {"value": float(value)}) for k, (graph, value) in enumerate(done)]
            trials += [_trial(len(trials) + k, graph, None) for k, graph in enumerate(pending)]
            history = History(tuple(trials), Objective("value"))
            beliefs = fit_beliefs(history, self.surrogate, {})
            chosen = select(beliefs, history, pool, score(beliefs, history)(pool), 3, "log-ei", 0)
            assert len({place for place, _ in chosen}) == min(3, len(pool)), f"expected 3 different ones, got {chosen}"
            assert np.isfinite([value for _, value in chosen]).all()

    def test_scale_and_unscale_are_inverse_and_rising(self) -> None:
        surrogate, values = self.fitted(), np.sort(self.data()[1])
        scaled = [surrogate.scale(float(value)) for value in values]
        np.testing.assert_allclose(
            surrogate.unscale(torch.tensor(scaled, dtype=torch.float64)).numpy(), values, rtol=1e-9, atol=1e-9
        )
        assert (np.diff(scaled)[np.diff(values) > 1e-9] > 0).all(), "a better value is not larger on the model's scale"

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite_are_refused(self, wrong: float) -> None:
        graphs, values = self.data()
        values[1] = wrong
        self.refuses(graphs, values)

    def test_too_few_and_unpaired_values_and_questions_before_fit_are_refused(self) -> None:
        graphs, values = self.data()
        for count in range(self.fewest):
            self.refuses(graphs[:count], values[:count])
        self.refuses(graphs[1:], values)
        self.refuses(graphs, values[1:])

        with pytest.raises(ArchgenError):
            self.surrogate().predict(graphs)

    def refuses(self, graphs: Sequence[ArchGraph], values: Values) -> None:
        """Learning from these must raise an `ArchgenError`."""
        with pytest.raises(ArchgenError):
            self.surrogate().fit(graphs, values)

    def test_one_graph_may_have_several_values(self) -> None:
        surrogate, (graphs, values) = self.surrogate(), self.data()
        surrogate.fit([*graphs, *graphs], np.concatenate([values, values + 0.1 * values.std()]))
        _predictions(surrogate, [*graphs[:3], *self.graphs(3, 12)])

    @pytest.mark.parametrize("value", [0.0, 0.1, 93.47, -1e6])
    def test_values_may_all_be_equal(self, value: float) -> None:
        graphs, surrogate = self.data()[0], self.surrogate()
        surrogate.fit(graphs, np.full(len(graphs), value))
        mean, std = _predictions(surrogate, graphs)
        assert (np.abs(mean - value) <= np.maximum(1.0, 3 * std)).all(), f"{mean} where every value is {value}"
        assert np.isfinite(_improvement(surrogate, self.graphs(5, 13), surrogate.scale(value))).all()


def _moments(surrogate: Surrogate, graphs: Sequence[ArchGraph]) -> Float[np.ndarray, "2 m"]:
    """Mean and variance of each graph in the joint posterior."""
    posterior: Any = surrogate.posterior(graphs)  # BoTorch's base class does not declare the moments
    return torch.stack([posterior.mean[:, 0], posterior.variance[:, 0]]).detach().double().numpy()


def _predictions(surrogate: Surrogate, graphs: Sequence[ArchGraph]) -> Float[np.ndarray, "2 m"]:
    """`predict`, whose answers must be finite with positive deviations."""
    mean, std = surrogate.predict(graphs)
    assert np.isfinite(mean).all(), f"means of {mean}"
    assert np.isfinite(std).all(), f"standard deviations of {std}"
    assert (std > 0).all(), f"standard deviations of {std}, expected positive ones"
    return np.stack([mean, std])


def _improvement(surrogate: Surrogate, graphs: Sequence[ArchGraph], best: float = 0.0) -> Float[np.ndarray, " m"]:
    """Log-EI over `best`, on the model's scale."""
    found = surrogate.marginals(graphs)
    return log_ei(found.mean.reshape(-1), found.variance.reshape(-1), best).detach().numpy()


def _trial(number: int, graph: ArchGraph, metrics: dict[str, float] | None) -> Trial:
    """An evaluated trial, or one that is pending."""
    status: Status = "pending" if metrics is None else "done"
    return Trial(number, number, Proposal(graph, "random"), str(number), str(number), status, metrics or {})
