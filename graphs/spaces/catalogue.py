"""The spaces that come with archgen, by name."""

from graphs.errors import unknown_name
from graphs.space import SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

SPACES: dict[str, type[SearchSpace]] = {space.name: space for space in (NasBenchGraph, NasBench201)}


def get_space(name: str) -> SearchSpace:
    """The space called `name`; raises `UnknownName` with the nearest name."""
    if name not in SPACES:
        raise unknown_name("space", name, SPACES)
    return SPACES[name]()
