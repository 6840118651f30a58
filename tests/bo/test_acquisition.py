"""Log-EI and greedy selection, against BoTorch evaluated the slow and plain way."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.sampling.normal import SobolQMCNormalSampler

from bo.acquisition import MC_SAMPLES, log_ei, select
from bo.campaign import Evaluator
from bo.surrogate import Surrogate
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph
from predictors.wl_gp import WLGP, feature_table

Fitted = tuple[Surrogate, list[ArchGraph]]


@pytest.fixture
def fitted(chain: SearchSpace, chain_value: Evaluator, surrogate: Callable[[], Surrogate]) -> Fitted:
    """A surrogate that knows twelve of the 64 graphs, and the other 52."""
    graphs = list(chain.enumerate())
    known = np.random.default_rng(0).permutation(64)[:12]
    model = surrogate()
    model.fit([graphs[k] for k in known], np.array([chain_value(graphs[k])["score"] for k in known]))
    return model, [graph for k, graph in enumerate(graphs) if k not in known]


def reference(model: Surrogate, graphs: list[ArchGraph]) -> np.ndarray:
    """BoTorch on t-batches of one point."""
    with torch.no_grad():
        return LogExpectedImprovement(model.model, best_f=model.best)(model.inputs(graphs)[:, None]).numpy()


def test_log_ei_is_botorchs(fitted: Fitted) -> None:
    model, pool = fitted
    np.testing.assert_allclose(log_ei(model, pool), reference(model, pool), rtol=1e-9)


def test_log_ei_of_the_campaigns_own_surrogate_is_botorchs() -> None:
    space, rng = NasBenchGraph(), np.random.default_rng(1)
    model = WLGP(feature_table(space))
    graphs = [space.sample(rng) for _ in range(30)]
    model.fit(graphs, rng.normal(size=30))
    pool = [space.sample(rng) for _ in range(300)]
    np.testing.assert_allclose(log_ei(model, pool), reference(model, pool), rtol=1e-4)


def test_one_candidate_takes_the_exact_maximum(fitted: Fitted) -> None:
    model, pool = fitted
    values = reference(model, pool)
    ((place, value),) = select(model, pool, 1, [], seed=0)
    assert place == values.argmax()
    assert value == pytest.approx(values.max())


@pytest.mark.parametrize("waiting", [0, 3])
def test_each_choice_maximises_q_log_ei_given_the_waiting_ones(fitted: Fitted, waiting: int) -> None:
    model, pool = fitted
    pending, pool = pool[:waiting], pool[waiting:]
    chosen = select(model, pool, 3, pending, seed=5)
    inputs, joint = model.inputs(pool), [*pending]
    for place, value in chosen:
        sampler = SobolQMCNormalSampler(torch.Size([MC_SAMPLES]), seed=5)
        acquisition = qLogExpectedImprovement(model.model, best_f=model.best, sampler=sampler)
        others = model.inputs(joint).expand(len(pool), -1, -1) if joint else inputs[:, None][:, :0]
        with torch.no_grad():
            values = acquisition(torch.cat([inputs[:, None], others], dim=1)).numpy()
        taken = [pool.index(graph) for graph in joint if graph in pool]
        values[taken] = -np.inf
        assert value == pytest.approx(values[place], abs=1e-6)
        assert values[place] == pytest.approx(values.max(), abs=1e-6)
        joint.append(pool[place])


def test_a_batch_has_no_duplicates_and_stops_at_the_pool(fitted: Fitted) -> None:
    model, pool = fitted
    places = [place for place, _ in select(model, pool[:6], 99, [], seed=0)]
    assert sorted(places) == list(range(6))


def test_what_is_pending_is_not_chosen_again(fitted: Fitted) -> None:
    model, pool = fitted
    ((best, _),) = select(model, pool, 1, [], seed=0)
    ((place, _),) = select(model, pool, 1, [pool[best]], seed=0)
    assert place != best


def test_the_same_seed_chooses_the_same(fitted: Fitted) -> None:
    model, pool = fitted
    assert select(model, pool, 4, pool[:2], seed=3) == select(model, pool, 4, pool[:2], seed=3)
