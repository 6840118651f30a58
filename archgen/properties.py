"""Properties of an architecture that are computed rather than predicted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gnn_search.benchmark_settings import BENCHMARK_SETTINGS
from graphs.archgraph import ArchGraph
from graphs.errors import unknown_name
from graphs.space import SearchSpace
from graphs.spaces.catalogue import SPACES
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nas_bench_graph_costs import parameter_count
from graphs.tables.catalogue import tasks_of

Cost = Callable[[ArchGraph], float]
DEFAULT_TASK = "cora"
"""Whose sizes the networks of nas-bench-graph have where no task is named."""


def known_costs(space: SearchSpace, task: str | None) -> dict[str, Cost]:
    """The costs that follow from a graph of `space` exactly, by name, in the units of `graphs.tables.table.UNITS`.

    Those of `space.costs`; for nas-bench-graph "params" of the network that the benchmark trains on `task`, and on
    "cora" where `task` is None.

    Args:
        space: the search space.
        task: what the architectures are for, or None. Only nas-bench-graph's costs depend on it.

    Raises:
        UnknownName: the benchmark of `space` knows no such task. A space without one takes any.
    """
    tasks = _tasks_of(space)
    if task is not None and tasks and task not in tasks:
        raise unknown_name(f"task of {space.name}", task, tasks)
    names = space.costs(space.sample(np.random.default_rng(0)))
    costs = {name: _cost_called(name, space) for name in names}
    if isinstance(space, NasBenchGraph):
        costs["params"] = _parameters(task or DEFAULT_TASK)
    return costs


def _tasks_of(space: SearchSpace) -> tuple[str, ...]:
    """The tasks of the tables of `space`; none where it is a user's own."""
    return tasks_of(space.name) if space.name in SPACES else ()


def _cost_called(name: str, space: SearchSpace) -> Cost:
    return lambda graph: space.costs(graph)[name]


def _parameters(task: str) -> Cost:
    """Millions of parameters of the network that NAS-Bench-Graph trains on `task`."""
    if task not in BENCHMARK_SETTINGS:
        raise unknown_name("task", task, BENCHMARK_SETTINGS)
    setting = BENCHMARK_SETTINGS[task]

    def params(graph: ArchGraph) -> float:
        count = parameter_count(
            graph,
            in_features=setting.in_features,
            hidden=setting.hidden,
            classes=setting.classes,
            pre_layer=setting.pre_layer,
            post_layer=setting.post_layer,
        )
        return count / 1e6

    return params
