"""Scores and greedy selection, against BoTorch evaluated the slow and plain way on the surrogate itself."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.monte_carlo import qUpperConfidenceBound
from botorch.sampling.normal import SobolQMCNormalSampler
from scipy.stats import norm

from bo.acquisition import BETA, MC_SAMPLES, score, select
from bo.beliefs import fit_beliefs
from bo.campaign import Evaluator
from bo.pareto import hypervolume
from bo.records import History, Objective, Proposal, Trial
from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph
from graphs.condition import Condition
from graphs.space import SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph
from predictors.wl_gp import WLGP, feature_table

Make = Callable[[], Surrogate]
SCORE, COST = Objective("score"), Objective("cost", maximize=False)


@pytest.fixture
def graphs(chain: SearchSpace) -> list[ArchGraph]:
    """All 64, shuffled."""
    every = list(chain.enumerate())
    return [every[k] for k in np.random.default_rng(0).permutation(64)]


@pytest.fixture
def history(graphs: list[ArchGraph], chain_value: Evaluator) -> Callable[..., History]:
    """`history(...)` knows the first twelve graphs."""

    def make(pending: Sequence[ArchGraph] = (), failed: Sequence[ArchGraph] = (), **config: Any) -> History:
        done = [
            Trial(k, k, Proposal(g, "random"), "", str(k), "done", chain_value(g)) for k, g in enumerate(graphs[:12])
        ]
        more = [Trial(20 + k, 20, Proposal(g, "random"), "", f"p{k}") for k, g in enumerate(pending)]
        bad = [
            Trial(40 + k, 40, Proposal(g, "random"), "", f"f{k}", "failed", error="no", failure="crash")
            for k, g in enumerate(failed)
        ]
        return History((*done, *more, *bad), config.pop("objective", SCORE), **config)

    return make


def choose(
    history: History,
    surrogate: Make,
    pool: list[ArchGraph],
    count: int,
    acquisition: str,
    costs: Any = None,
    seed: int = 5,
) -> list[tuple[int, float]]:
    beliefs = fit_beliefs(history, surrogate, costs or {})
    return select(beliefs, history, pool, score(beliefs, history)(pool), count, acquisition, seed)


def fitted(surrogate: Make, history: History, metric: str = "score", sign: float = 1.0) -> Surrogate:
    model = surrogate()
    model.fit([t.graph for t in history.done], sign * np.array([t.metrics[metric] for t in history.done]))
    return model


def exact(model: Surrogate, graphs: list[ArchGraph], best: float) -> np.ndarray:
    """BoTorch on t-batches of one point."""
    with torch.no_grad():
        return LogExpectedImprovement(model.model, best_f=best)(model.inputs(graphs)[:, None]).numpy()


def test_the_score_of_one_objective_is_botorchs_log_ei(
    history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph]
) -> None:
    known, pool = history(), graphs[12:]
    model = fitted(surrogate, known)
    best = max(t.metrics["score"] for t in known.done)
    values = score(fit_beliefs(known, surrogate, {}), known)(pool)
    np.testing.assert_allclose(values, exact(model, pool, best), rtol=1e-6)
    ((place, value),) = choose(known, surrogate, pool, 1, "log-ei")
    assert place == values.argmax()
    assert value == values.max()


def test_the_score_with_the_campaigns_own_surrogate_is_botorchs() -> None:
    space, rng = NasBenchGraph(), np.random.default_rng(1)
    table = feature_table(space)
    labelled, values = [space.sample(rng) for _ in range(30)], rng.normal(size=30)
    pairs = enumerate(zip(labelled, values, strict=True))
    trials = tuple(Trial(k, k, Proposal(g, "random"), "", str(k), "done", {"score": float(v)}) for k, (g, v) in pairs)
    known = History(trials, SCORE)
    model = fitted(lambda: WLGP(table), known)
    pool = [space.sample(rng) for _ in range(300)]
    found = score(fit_beliefs(known, lambda: WLGP(table), {}), known)(pool)
    np.testing.assert_allclose(found, exact(model, pool, model.scale(float(values.max()))), rtol=1e-4)


@pytest.mark.parametrize(("name", "waiting"), [("log-ei", 0), ("log-ei", 3), ("ucb", 0), ("ucb", 3), ("log-nei", 0)])
def test_each_choice_maximises_botorchs_function_given_the_waiting_ones(
    name: str, waiting: int, history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph]
) -> None:
    """The reference asks the surrogate's own model, jointly with whatever is pending."""
    pending, pool = graphs[12 : 12 + waiting], graphs[12 + waiting :]
    known = history(pending)
    model = fitted(surrogate, known)
    inputs, joint = model.inputs(pool), [*pending]
    ranked = sorted(known.done, key=known.gain, reverse=True)  # samples depend on the order
    baseline = model.inputs([t.graph for t in ranked])
    count = 1 if name == "log-nei" else 3  # given others, it draws in another order than the reference
    for place, value in choose(known, surrogate, pool, count, name):
        sampler = SobolQMCNormalSampler(torch.Size([MC_SAMPLES]), seed=5)
        others = model.inputs(joint) if joint else None
        plain: Any = {
            "log-ei": lambda s, o: qLogExpectedImprovement(model.model, known.gain(known.best), s, X_pending=o),
            "log-nei": lambda s, o: qLogNoisyExpectedImprovement(
                model.model, baseline, s, X_pending=o, prune_baseline=False, cache_root=False
            ),
            "ucb": lambda s, o: qUpperConfidenceBound(model.model, BETA, s, X_pending=o),
        }[name](sampler, others)
        with torch.no_grad():
            values = plain(inputs[:, None]).numpy()
        values[[pool.index(graph) for graph in joint if graph in pool]] = -np.inf
        assert value == pytest.approx(values[place], abs=0.01)
        assert values[place] >= values.max() - 0.01
        joint.append(pool[place])


@pytest.mark.parametrize("name", ["log-ei", "log-nei", "ucb", "thompson"])
def test_a_batch_has_no_duplicates_stops_at_the_pool_and_can_be_repeated(
    name: str, history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph]
) -> None:
    known = history(graphs[12:14])
    found = choose(known, surrogate, graphs[14:20], 99, name)
    assert sorted(place for place, _ in found) == list(range(6))
    assert choose(known, surrogate, graphs[14:], 4, name) == choose(known, surrogate, graphs[14:], 4, name)


def test_thompson_draws_follow_the_posterior(
    history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph]
) -> None:
    """How often each graph is the best of a draw, against the same counted on plain normal samples."""
    known, pool = history(), graphs[12:18]
    picks = [choose(known, surrogate, pool, 1, "thompson", seed=seed)[0][0] for seed in range(600)]
    posterior: Any = fitted(surrogate, known).posterior(pool).distribution  # type: ignore[attr-defined]
    mean, covariance = posterior.mean.detach().numpy(), posterior.covariance_matrix.detach().numpy()
    plain = np.random.default_rng(0).multivariate_normal(mean, covariance, size=20_000).argmax(1)
    share, expected = (np.bincount(one, minlength=6) / len(one) for one in (np.array(picks), plain))
    assert np.abs(share - expected).max() < 4 * np.sqrt(0.25 / 600)


def test_a_learned_bound_weighs_the_score_by_its_probability(
    history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph]
) -> None:
    pool, bound = graphs[12:], Condition("cost", "<=", 2.0)
    known = history(constraints=(bound,))
    best = max(t.metrics["score"] for t in known.done if t.metrics["cost"] <= 2)
    costs = fitted(surrogate, known, "cost", -1.0).marginals(pool)
    kept = norm.logsf((-2.0 - costs.mean[:, 0, 0].detach()) / costs.variance[:, 0, 0].detach().sqrt())
    expected = exact(fitted(surrogate, known), pool, best) + kept
    np.testing.assert_allclose(score(fit_beliefs(known, surrogate, {}), known)(pool), expected, rtol=1e-4)


def test_a_known_bound_is_kept_or_not(
    history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph], chain_value: Evaluator
) -> None:
    known = history(constraints=(Condition("cost", "<=", 2.0),))
    beliefs = fit_beliefs(known, surrogate, {"cost": lambda graph: chain_value(graph)["cost"]})
    keeps = np.array([chain_value(graph)["cost"] <= 2 for graph in graphs[12:]])
    values = beliefs.log_feasibility(graphs[12:]).numpy()
    assert (values[keeps] > -1e-6).all() or (values[keeps] > np.log(0.49)).all()
    assert (values[~keeps] < -1e6).all()
    assert {output.metric for output in beliefs.outputs if output.surrogate is None} == {"cost"}


def test_what_fails_is_avoided(history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph]) -> None:
    """All that begin with one layer fail: their chances fall, those of the others do not."""
    first = graphs[12].ops[1].name
    alike = [graph for graph in graphs[12:] if graph.ops[1].name == first]
    others = [graph for graph in graphs[12:] if graph.ops[1].name != first]
    known = history(failed=alike[:4])
    beliefs = fit_beliefs(known, surrogate, {})
    chances = beliefs.log_feasibility([*alike[4:], *others]).exp().numpy()
    assert chances[: len(alike) - 4].mean() < chances[len(alike) - 4 :].mean() - 0.05
    lost = History(tuple(t if t.status != "failed" else _lost(t) for t in known.trials), SCORE)
    assert len(fit_beliefs(lost, surrogate, {}).outputs) == 1


def _lost(trial: Trial) -> Trial:
    return Trial(trial.number, trial.step, trial.proposal, "", trial.identity, "failed", failure="worker_lost")


def test_while_nothing_feasible_is_known_the_likeliest_is_asked(
    history: Callable[..., History], surrogate: Make, graphs: list[ArchGraph]
) -> None:
    known = history(constraints=(Condition("score", ">=", 1e9),))
    beliefs = fit_beliefs(known, surrogate, {})
    pool = graphs[12:]
    chances = beliefs.log_feasibility(pool).numpy()
    assert [place for place, _ in choose(known, surrogate, pool, 3, "log-ei")] == list(np.argsort(-chances)[:3])


def test_two_objectives_enlarge_the_hypervolume(
    history: Callable[..., History], chain: SearchSpace, graphs: list[ArchGraph], chain_value: Evaluator
) -> None:
    """What is chosen is worth more than the pool's mean, whether the cost is learned or known."""
    table, known, pool = feature_table(chain), history(others=(COST,)), graphs[6:]
    point = [0.0, -4.0]
    stated = {"reference_point/score": 0.0, "reference_point/cost": 4.0}
    known = replace(known, trials=known.trials[:6], reference=stated)
    before = np.array([known.gains(trial) for trial in known.done])

    def worth(graph: ArchGraph) -> float:
        told = chain_value(graph)
        return hypervolume(np.vstack([before, [told["score"], -told["cost"]]]), point) - hypervolume(before, point)

    worths = np.array([worth(graph) for graph in pool])
    for costs in ({}, {"cost": lambda graph: chain_value(graph)["cost"]}):
        chosen = choose(known, lambda: WLGP(table), pool, 3, "log-nehvi", costs)
        assert len({place for place, _ in chosen}) == 3
        assert worths[[place for place, _ in chosen]].mean() > 1.2 * worths.mean()
        values = score(fit_beliefs(known, lambda: WLGP(table), costs), known)(pool)
        assert worths[np.argsort(-values)[:8]].mean() > 1.2 * worths.mean()


def test_gains_are_in_the_metrics_units(history: Callable[..., History], surrogate: Make) -> None:
    known = history(others=(COST,))
    costs = {"cost": lambda _: 7.0}
    beliefs = fit_beliefs(known, surrogate, costs)
    row = torch.tensor([[beliefs.outputs[0].scale(3.5), beliefs.outputs[1].scale(2.0)]], dtype=torch.float64)
    np.testing.assert_allclose(beliefs.gains(row), [[3.5, -2.0]])
