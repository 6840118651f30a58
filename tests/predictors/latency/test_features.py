"""Counts under each rule, against cells worked out by hand; every space has features."""

import numpy as np
import pytest
import torch

from graphs.errors import InvalidArchitecture
from graphs.spaces.catalogue import SPACES, get_space
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201
from predictors.latency.features import COSTS, COUNTS, SHAPE, SLOTS, LatencyFeatures

SPACE = NasBench201()
FEATURES = LatencyFeatures(SPACE)
GROUPS = ("all", "reached", "unless loose", "live", "longest", "sums", "connected", "costs", "slots")


def groups(*ops: str) -> dict[str, np.ndarray]:
    """The groups of a cell in their own units; `ops` in the string's order: . s 1 3 p."""
    names = {".": "none", "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}
    raw = FEATURES._raw([SPACE.build(tuple(names[op] for op in "".join(ops)))])
    return {name: part[0].numpy() for name, part in zip(GROUPS, raw, strict=True)}


def test_everything_is_live() -> None:
    found = groups("3", "3p", "1s3")
    for rule in GROUPS[:4]:
        assert found[rule].tolist() == [1, 1, 3, 1]  # skip, 1x1, 3x3, pool
    assert found["sums"].tolist() == [3, 3, 3]  # two into node 3, one into node 2
    assert found["connected"].tolist() == [1, 1, 0, 0]
    assert found["longest"].max() == 3


@pytest.mark.parametrize(
    ("cell", "ran", "reached", "kept", "live"),
    [
        ("3.....", 1, 0, 1, 0),  # one loose end
        ("33....", 2, 0, 0, 0),  # two of them
        ("3.33..", 3, 1, 3, 1),
        ("..33..", 2, 1, 2, 1),  # the loose end reads zeros
        (".333.3", 4, 4, 4, 3),  # from node 1 to node 2 zeros go through
        ("....33", 2, 0, 0, 0),  # nothing reads the input
        ("......", 0, 0, 0, 0),
    ],
)
def test_convolutions_that_each_rule_runs(cell: str, ran: int, reached: int, kept: int, live: int) -> None:
    found = groups(cell)
    assert [found[rule][2] for rule in GROUPS[:4]] == [ran, reached, kept, live]
    assert found["connected"][0] == (live > 0)


def test_sums_that_each_rule_runs() -> None:
    assert groups("..13.3")["sums"].tolist() == [1, 1, 0]  # one term of the sum reads zeros


def test_the_longest_path_depends_on_what_counts() -> None:
    found = groups("p", ".p", "3.p")["longest"]
    lengths = dict(zip(map(tuple, FEATURES._weights.tolist()), found.tolist(), strict=True))
    assert lengths[(0, 0, 0, 1)] == 3
    assert lengths[(0, 0, 1, 0)] == 1
    assert lengths[(1, 1, 1, 0)] == 1
    assert lengths[(1, 1, 1, 1)] == 3


def test_rows_are_standardised() -> None:
    rng = np.random.default_rng(1)
    rows = FEATURES([SPACE.sample(rng) for _ in range(2000)])
    assert rows.dtype == torch.float64
    assert rows.shape == (2000, sum(FEATURES.sizes))
    assert rows.mean(0).abs().max() < 0.1
    weighed = FEATURES.weighed(rows)
    for part, scale in zip(weighed, (*COUNTS, *SHAPE, COSTS, SLOTS), strict=True):
        assert 0.8 < float(part.square().sum(1).mean()) / scale**2 < 1.6
    torch.testing.assert_close(weighed[0], rows[:, : FEATURES.sizes[0]])
    assert FEATURES([]).shape == (0, rows.shape[1])


@pytest.mark.parametrize("name", SPACES)
def test_every_space_has_features(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(0)
    features = LatencyFeatures(space)
    rows = features([space.sample(rng) for _ in range(3)])
    assert rows.shape == (3, sum(features.sizes))
    assert rows.isfinite().all()


def test_another_space_is_refused() -> None:
    with pytest.raises(InvalidArchitecture):
        FEATURES([NasBenchGraph().parse("0123|gcn|gcn|gcn|gcn")])
