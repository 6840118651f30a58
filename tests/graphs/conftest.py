"""Arbitrary architecture graphs for property tests."""

import pytest
from hypothesis import strategies as st

from graphs.archgraph import ArchGraph, Op

_NAMES = st.sampled_from(
    ["input", "output", "gat", "skip", "nor_conv_3x3", "an operation of a rather long name", "ü$_$"]
)
_ATTRS = st.dictionaries(
    st.sampled_from(["kernel", "w_bits", "name_of_quantiser", "index"]),
    st.one_of(st.integers(-9, 99), st.booleans(), st.floats(0, 9), st.sampled_from(["low", "a quite long value"])),
    max_size=3,
)


@st.composite
def _graphs(draw: st.DrawFn) -> ArchGraph:
    n = draw(st.integers(0, 9))
    ops = tuple(Op(draw(_NAMES), **draw(_ATTRS)) for _ in range(n))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return ArchGraph(ops, tuple(edges))


@pytest.fixture(scope="session")
def any_graph() -> st.SearchStrategy[ArchGraph]:
    """A strategy of graphs of 0 to 9 nodes with any edges and attributes."""
    return _graphs()
