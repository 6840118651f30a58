"""Architectures as vectors."""

import numpy as np
import torch

from graphs.spaces.nasbench201 import NasBench201
from predictors.conditioned.graph_vectors import GraphVectors
from predictors.features import PATHS, SHAPE, wl_labels

SPACE = NasBench201()
GROUPS = {"wl0": wl_labels(0), "shape": SHAPE}


def test_labelled_graphs_are_standardised() -> None:
    rng = np.random.default_rng(0)
    graphs = [SPACE.sample(rng) for _ in range(50)]
    found = GraphVectors.of(SPACE, GROUPS, graphs)(graphs)
    torch.testing.assert_close(found.mean(0), torch.zeros(found.shape[1]), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(found.shape[1]))


def test_descriptions_of_one_network_are_equal() -> None:
    """The third edge leaves a node that nothing enters, so what stands there does not matter."""
    same = [
        SPACE.build(("none", "nor_conv_3x3", dead, "skip_connect", "none", "none")) for dead in ("none", "avg_pool_3x3")
    ]
    found = GraphVectors.of(SPACE, GROUPS, [SPACE.sample(np.random.default_rng(1)), same[0]])(same)
    assert found[0].equal(found[1])


def test_features_that_no_labelled_graph_has_are_ignored() -> None:
    plain, other = (SPACE.build((op,) * 6) for op in ("nor_conv_1x1", "nor_conv_3x3"))
    vectors = GraphVectors.of(SPACE, {"paths": PATHS}, [plain])
    assert all("nor_conv_3x3" not in name for name in vectors.columns)
    assert vectors([other]).shape == (1, len(vectors.columns))
