"""The ensemble of BANANAS: members that differ, and rank graphs that they have not seen."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from archgen.testing.objective import made_up_value
from archgen.testing.randomness import stirred
from graphs.spaces.nas_bench_graph import NasBenchGraph
from predictors.encodings import Encodings
from predictors.path_members import MEMBERS, fit_path_members

SPACE = NasBenchGraph()


@pytest.fixture(scope="module")
def encodings() -> Encodings:
    return Encodings(SPACE)


def test_members_rank_new_graphs_and_the_seed_decides(encodings: Encodings) -> None:
    rng = np.random.default_rng(0)
    graphs = [SPACE.sample(rng) for _ in range(120)]
    values = np.array([made_up_value(SPACE, graph) for graph in graphs])
    with stirred(0):
        found = fit_path_members(encodings, graphs[:60], values[:60], 1)(graphs[60:])
    assert found.shape == (MEMBERS, 60)
    assert found.std(0).min() > 0
    assert spearmanr(found.mean(0), values[60:]).statistic > 0.6
    with stirred(1):
        again = fit_path_members(encodings, graphs[:60], values[:60], 1)(graphs[60:])
    np.testing.assert_array_equal(found, again)
