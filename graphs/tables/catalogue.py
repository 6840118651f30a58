"""The benchmark tables that come with archgen, by space and task."""

from collections.abc import Callable

from graphs.errors import unknown_name
from graphs.tables import nas_bench_graph, nasbench201
from graphs.tables.table import BenchmarkTable

_LOADERS: dict[str, tuple[tuple[str, ...], Callable[[str], BenchmarkTable]]] = {
    "nas-bench-graph": (nas_bench_graph.TASKS, nas_bench_graph.load_nas_bench_graph),
    "nasbench201": (nasbench201.TASKS, nasbench201.load_nasbench201),
}


def tasks_of(space: str) -> tuple[str, ...]:
    """The tasks that `space` has been measured on; raises `UnknownName`."""
    if space not in _LOADERS:
        raise unknown_name("space", space, _LOADERS)
    return _LOADERS[space][0]


def load_table(space: str, task: str) -> BenchmarkTable:
    """The table of `space` on `task`; raises `UnknownName` or `TableError`."""
    if task not in tasks_of(space):
        raise unknown_name(f"task of {space}", task, tasks_of(space))
    return _LOADERS[space][1](task)
