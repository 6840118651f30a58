"""The spaces that come with archgen, by name."""

from collections.abc import Callable
from functools import cache, partial

from graphs.errors import unknown_name
from graphs.space import SearchSpace
from graphs.spaces.free_dag import FreeDag
from graphs.spaces.gnn import Gnn, auto_gnn
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201
from graphs.spaces.ofa_mobilenetv3 import OfaMobileNetV3

CELL_OPERATIONS = ("conv1x1", "conv3x3", "maxpool3x3")
"""The operations of NAS-Bench-101."""

SPACES: dict[str, Callable[[], SearchSpace]] = {
    **{space.name: space for space in (NasBenchGraph, NasBench201, OfaMobileNetV3)},
    "gnn": Gnn,
    "auto-gnn": auto_gnn,
    "free-dag": partial(FreeDag, "free-dag", 9, 9, CELL_OPERATIONS),
    "synthetic-dag-16": partial(FreeDag, "synthetic-dag-16", 16, None, CELL_OPERATIONS),
    "synthetic-dag-32": partial(FreeDag, "synthetic-dag-32", 32, None, CELL_OPERATIONS),
    "synthetic-dag-64": partial(FreeDag, "synthetic-dag-64", 64, None, CELL_OPERATIONS),
}


@cache
def get_space(name: str) -> SearchSpace:
    """The space called `name`, the same object each time, as it remembers networks.

    Raises:
        UnknownName: there is none, with the nearest name.
    """
    if name not in SPACES:
        raise unknown_name("space", name, SPACES)
    return SPACES[name]()
