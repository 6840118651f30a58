"""The surrogate against textbook GP regression, BoTorch's protocols and real tables."""

import warnings

import numpy as np
import pytest
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement
from botorch.models.model import Model
from botorch.posteriors.posterior import Posterior
from botorch.sampling import SobolQMCNormalSampler
from scipy.stats import kendalltau, norm

from graphs.errors import EvaluationError
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.tables.catalogue import load_table
from predictors.feature_table import FeatureTable
from predictors.targets import GapTransform
from predictors.wl_gp import WLGP, feature_table

SPACE = NasBenchGraph()


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return feature_table(SPACE)


def graphs_of(count: int, seed: int, space=SPACE):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def score(graph) -> float:
    """A made-up accuracy: some operations are better, depth helps."""
    worth = {"gat": 3.0, "gcn": 2.0, "sage": 1.5, "fc": -4.0, "skip": -1.0}
    return 70 + sum(worth.get(op.name, 0.0) for op in graph.ops) - len(graph.predecessors[-1])


@pytest.fixture(scope="module")
def data():
    graphs = graphs_of(60, 1)
    noise = np.random.default_rng(2).normal(0, 0.3, 60)
    return graphs, np.array([score(graph) for graph in graphs]) + noise


@pytest.fixture(scope="module")
def fitted(table, data) -> WLGP:
    model = WLGP(table)
    model.fit(*data)
    return model


def by_hand(model: WLGP, table: FeatureTable, data, test) -> tuple[np.ndarray, np.ndarray]:
    """Exact GP regression in numpy with the fitted hyperparameters: mean and covariance of the transformed target."""
    graphs, values = data
    kernel, noise = model.model.covar_module, model.model.likelihood.noise.item()
    scales = kernel.positive("scales").tolist()
    weights = iter(kernel.positive("weights").tolist())
    rows, others = (table.rows(some)[:, 0].numpy().astype(np.int64) for some in (graphs, test))
    both = np.concatenate([rows, others])
    matrix, names = np.ones((len(both), len(both))), iter(kernel.groups)
    for scale, size in zip(scales, kernel.term_sizes, strict=True):
        total = sum(next(weights) * table.distance(next(names), both, both) for _ in range(size))
        matrix += scale * np.exp(-total)
    matrix += kernel.positive("own").item() * (both[:, None] == both)
    n = len(rows)
    inverse = np.linalg.inv(matrix[:n, :n] + noise * np.eye(n))
    mean = matrix[n:, :n] @ inverse @ GapTransform.fit(values)(values)
    return mean, matrix[n:, n:] - matrix[n:, :n] @ inverse @ matrix[:n, n:]


def test_posterior_is_exact_gp_regression(fitted, table, data) -> None:
    test = graphs_of(25, 3)
    mean, covariance = by_hand(fitted, table, data, test)
    posterior = fitted.posterior(test)
    assert isinstance(posterior, Posterior)
    np.testing.assert_allclose(posterior.mean.detach()[:, 0], mean, atol=1e-6)
    np.testing.assert_allclose(posterior.variance.detach()[:, 0], np.diag(covariance), atol=1e-6)
    joint = posterior.distribution.covariance_matrix.detach()
    np.testing.assert_allclose(joint, covariance, atol=1e-5)


def test_marginals_are_the_diagonal_in_chunks_too(fitted, table, data, monkeypatch) -> None:
    test = graphs_of(25, 4)
    mean, covariance = by_hand(fitted, table, data, test)
    for chunk in (4096, 7):
        monkeypatch.setattr("predictors.wl_gp.CHUNK", chunk)
        found = fitted.marginals(test)
        assert found.mean.shape == (25, 1, 1)
        np.testing.assert_allclose(found.mean[:, 0, 0], mean, atol=1e-6)
        np.testing.assert_allclose(found.variance[:, 0, 0], np.diag(covariance), atol=1e-6)


def test_prediction_is_the_mean_and_deviation_of_the_transformed_gaussian(fitted, table, data) -> None:
    """Against Monte Carlo of 400,000 draws; 64 quantiles cut the tails a little."""
    test = graphs_of(4, 5)
    mean, covariance = by_hand(fitted, table, data, test)
    std = np.sqrt(np.diag(covariance) + fitted.model.likelihood.noise.item())
    draws = np.random.default_rng(6).normal(mean, std, (400_000, 4))
    values = GapTransform.fit(data[1]).inverse(draws)
    found_mean, found_std = fitted.predict(test)
    np.testing.assert_allclose(found_mean, values.mean(0), atol=0.03 * values.std(0).max())
    np.testing.assert_allclose(found_std, values.std(0), rtol=0.12)


def test_the_same_data_give_the_same_model_bit_for_bit(fitted, data) -> None:
    """A table of its own that has met other graphs first must not matter either."""
    other_table = feature_table(SPACE)
    other_table.rows(graphs_of(30, 77))
    again = WLGP(other_table)
    again.fit(*data)
    first, second = fitted.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    test = graphs_of(10, 7)
    for left, right in zip(fitted.predict(test), again.predict(test), strict=True):
        np.testing.assert_array_equal(left, right)


def test_fitting_leaves_the_random_state_and_says_nothing(table, data, capfd) -> None:
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WLGP(table).fit(*data)
    assert torch.equal(state, torch.get_rng_state())
    assert capfd.readouterr() == ("", "")


def test_fitting_does_not_lower_the_penalised_likelihood(table, data) -> None:
    """Training from the prior's mode must end above it: the known start is the reference."""
    from gpytorch.mlls import ExactMarginalLogLikelihood

    model = WLGP(table)
    model.fit(*data)
    trained = model.model.train()
    mll = ExactMarginalLogLikelihood(trained.likelihood, trained)

    def value() -> float:
        with torch.no_grad():
            return float(mll(trained(*trained.train_inputs), trained.train_targets))

    after = value()
    kernel = trained.covar_module
    kernel.raw_weights.data = torch.tensor([0.7 / n for n in kernel.term_sizes for _ in range(n)]).double().log()
    kernel.raw_scales.data = torch.full((2,), 0.5).double().log()
    kernel.raw_own.data = torch.tensor([0.1]).double().log()
    trained.likelihood.noise = 0.01
    assert after > value()


def test_the_model_is_a_botorch_model_with_fantasies_for_q_batches(fitted) -> None:
    model, sampler = fitted.model, SobolQMCNormalSampler(torch.Size([8]), seed=1)
    assert isinstance(model, Model)
    x = fitted.inputs(graphs_of(12, 8)).view(4, 3, 1)  # 4 batches of q = 3
    fantasy = model.fantasize(x, sampler)
    test = fitted.inputs(graphs_of(5, 9))
    posterior = fantasy.posterior(test)
    assert posterior.mean.shape == (8, 4, 5, 1)
    before, after = model.posterior(test).variance.detach(), posterior.variance.detach()
    assert (after <= before + 1e-6).all(), "an observation cannot make the posterior wider"
    torch.testing.assert_close(
        posterior.mean.mean(0).detach(), model.posterior(test).mean.detach().expand(4, 5, 1), atol=0.2, rtol=0
    )


def test_conditioning_is_exact_regression_on_all_data(fitted, table, data) -> None:
    """The model conditioned on new targets, at the same hyperparameters, against numpy on old and new together."""
    new, test = graphs_of(6, 10), graphs_of(9, 11)
    targets = torch.linspace(-1, 1, 6).double()
    fitted.posterior(test)  # conditioning starts from cached training solves
    conditioned = fitted.model.condition_on_observations(fitted.inputs(new), targets[:, None])
    posterior = conditioned.posterior(fitted.inputs(test))
    graphs, values = data
    with torch.no_grad():
        x = table.rows([*graphs, *new])
        noise, kernel = fitted.model.likelihood.noise, fitted.model.covar_module
        gram = kernel(x).to_dense() + noise * torch.eye(66).double()
        y = torch.cat([torch.from_numpy(GapTransform.fit(values)(values)), targets])
        cross = kernel(table.rows(test), x).to_dense()
        mean = cross @ torch.linalg.solve(gram, y)
        variance = kernel(table.rows(test), diag=True) - (cross * torch.linalg.solve(gram, cross.T).T).sum(1)
    torch.testing.assert_close(posterior.mean[:, 0].detach(), mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(posterior.variance[:, 0].detach(), variance, atol=1e-4, rtol=0)


def test_an_acquisition_of_q_points_works(fitted) -> None:
    x = fitted.inputs(graphs_of(12, 12)).view(4, 3, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = SobolQMCNormalSampler(torch.Size([16]), seed=0)
        value = qLogNoisyExpectedImprovement(fitted.model, fitted.model.train_inputs[0], sampler, prune_baseline=False)
        found = value(x)
    assert found.shape == (4,)
    assert torch.isfinite(found).all()


def test_best_and_group_weights(fitted, data) -> None:
    assert fitted.scale(float(data[1].max())) == pytest.approx(float(fitted.model.train_targets.max()))
    weights = fitted.group_weights()
    assert set(weights) == set(fitted.model.covar_module.table.names) >= {"slots", "wl0", "wl1", "along", "paths"}
    assert all(weight > 0 for weight in weights.values())


def test_descriptions_of_one_network_are_predicted_alike(fitted) -> None:
    same = [SPACE.parse("0012|skip|gat|gcn|fc"), SPACE.parse("0012|skip|gat|gcn|fc")]
    twins = [SPACE.parse("0000|gat|gcn|sage|fc"), SPACE.parse("0000|fc|sage|gcn|gat")]
    for pair in (same, twins):
        assert SPACE.network(pair[0]) == SPACE.network(pair[1])
        mean, std = fitted.predict(pair)
        assert (mean[0], std[0]) == pytest.approx((mean[1], std[1]), rel=1e-10)  # vector units round by position


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [1.0, np.nan, 2.0], [1.0, np.inf, 2.0], [1.0, -np.inf, 2.0]])
def test_impossible_data_are_refused(table, values: list[float]) -> None:
    count = 3 if len(values) != 1 else 1
    with pytest.raises(EvaluationError, match="cannot fit"):
        WLGP(table).fit(graphs_of(count, 13), np.array(values, dtype=np.float64))


@pytest.mark.parametrize("ask", ["model", "posterior", "marginals", "predict", "group_weights"])
def test_nothing_is_answered_before_fit(table, ask: str) -> None:
    model = WLGP(table)
    graphs = [] if ask == "group_weights" else [graphs_of(1, 14)]
    with pytest.raises(EvaluationError, match="call fit first"):
        getattr(model, ask)(*graphs)  # the attributes raise before there is anything to call


@pytest.mark.parametrize("value", [0.0, 0.1, 93.47, -1e6])
def test_equal_values_are_predicted_everywhere(table, value: float) -> None:
    model = WLGP(table)
    model.fit(graphs_of(27, 15), np.full(27, value))
    mean, std = model.predict(graphs_of(5, 16))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    np.testing.assert_allclose(mean, value, atol=1.0)


def test_one_graph_with_several_values_is_predicted_near_their_middle(table) -> None:
    graph = graphs_of(1, 17)
    model = WLGP(table)
    model.fit(graph * 20, np.tile([80.0, 81.0], 10))
    mean, std = model.predict(graph)
    assert 80 < mean[0] < 81
    assert 0.2 < std[0] < 1.5


def test_two_values_suffice(table) -> None:
    model = WLGP(table)
    graphs = graphs_of(2, 18)
    model.fit(graphs, np.array([1.0, 2.0]))
    mean, _ = model.predict(graphs)
    assert mean[0] < mean[1]


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_the_unit_of_the_objective_does_not_matter(fitted, table, data, unit: float) -> None:
    graphs, values = data
    model = WLGP(table)
    model.fit(graphs, values * unit)
    test = graphs_of(10, 19)
    np.testing.assert_allclose(model.predict(test)[0] / unit, fitted.predict(test)[0], rtol=1e-3)


def test_another_space_works_as_well(cells) -> None:
    graphs = graphs_of(40, 20, cells)
    values = np.array([sum(op.name == "nor_conv_3x3" for op in graph.ops) for graph in graphs], dtype=np.float64)
    model = WLGP(feature_table(cells))
    model.fit(graphs[:30], values[:30])
    assert kendalltau(model.predict(graphs[30:])[0], values[30:])[0] > 0.4


def split(task: str, labels: int, seed: int):
    """Different networks of a table: some to learn from, 1,000 to be tested on."""
    table, rng = load_table("nas-bench-graph", task), np.random.default_rng(seed)
    graphs = list({SPACE.network(g): g for g in (SPACE.sample(rng) for _ in range(labels + 1200))}.values())
    graphs = graphs[: labels + 1000]
    values = np.array([table(graph)["valid_accuracy"] for graph in graphs])
    return graphs[:labels], values[:labels], graphs[labels:], values[labels:]


def test_intervals_cover_what_they_say_on_photo(table) -> None:
    """Central 80 % intervals of a new measurement, from 100 labels; measured: 83 to 88 % over seeds."""
    graphs, values, rest, truth = split("photo", 100, 0)
    model = WLGP(table)
    model.fit(graphs, values)
    posterior = model.marginals(rest)
    std = (posterior.variance[:, 0, 0] + model.model.likelihood.noise.detach()).sqrt().numpy()
    transform = GapTransform.fit(values)
    low, high = (transform.inverse(posterior.mean[:, 0, 0].numpy() + norm.ppf(q) * std) for q in (0.1, 0.9))
    assert 0.70 < np.mean((low < truth) & (truth < high)) < 0.90


def test_ranking_on_arxiv(table) -> None:
    """Kendall's tau from 200 labels; measured: 0.635 to 0.667 over four seeds, so 0.60 is missed only by a defect."""
    graphs, values, rest, truth = split("arxiv", 200, 0)
    model = WLGP(table)
    model.fit(graphs, values)
    assert kendalltau(model.predict(rest)[0], truth)[0] > 0.60
