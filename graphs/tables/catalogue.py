"""The benchmark tables that come with archgen, by space and task."""

from collections.abc import Callable

from graphs.errors import TableError, unknown_name
from graphs.spaces.catalogue import SPACES
from graphs.tables import nas_bench_graph, nasbench201
from graphs.tables.table import BenchmarkTable

_LOADERS: dict[str, tuple[tuple[str, ...], Callable[[str], BenchmarkTable]]] = {
    "nas-bench-graph": (nas_bench_graph.TASKS, nas_bench_graph.load_nas_bench_graph),
    "nasbench201": (nasbench201.TASKS, nasbench201.load_nasbench201),
}


def tasks_of(space: str) -> tuple[str, ...]:
    """The tasks that `space` has been measured on, none where nobody has measured it whole; raises `UnknownName`."""
    if space not in SPACES:
        raise unknown_name("space", space, SPACES)
    return _LOADERS[space][0] if space in _LOADERS else ()


def load_table(space: str, task: str) -> BenchmarkTable:
    """The table of `space` on `task`; raises `UnknownName` or `TableError`."""
    tasks = tasks_of(space)
    if not tasks:
        raise TableError(f"space {space!r} has no table of all its architectures; choose one of {', '.join(_LOADERS)}")
    if task not in tasks:
        raise unknown_name(f"task of {space}", task, tasks)
    return _LOADERS[space][1](task)
