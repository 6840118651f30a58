"""The built-in spaces and their feature tables, made once."""

from collections.abc import Callable
from functools import cache

import pytest

from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201
from predictors.feature_table import FeatureTable
from predictors.wl_groups import wl_table


class _Cells(NasBench201):
    """NAS-Bench-201 whose representatives are the first descriptions met, which spares listing all functions."""

    def __init__(self) -> None:
        self._met: dict[ArchGraph, ArchGraph] = {}

    def representative(self, graph: ArchGraph) -> ArchGraph:
        return self._met.setdefault(self.network(graph), graph)


_SPACES = {space.name: space for space in (NasBenchGraph(), _Cells())}


@pytest.fixture(scope="session")
def table_of() -> Callable[[SearchSpace], FeatureTable]:
    """The shared feature table of one of the spaces that `any_space` gives."""
    return cache(wl_table)


@pytest.fixture(scope="session", params=list(_SPACES))
def any_space(request: pytest.FixtureRequest) -> SearchSpace:
    """Each built-in space in turn."""
    return _SPACES[request.param]


@pytest.fixture(scope="session")
def cells() -> SearchSpace:
    """NAS-Bench-201."""
    return _SPACES["nasbench201"]
