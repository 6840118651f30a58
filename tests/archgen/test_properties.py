"""Costs that are known exactly, against the tables."""

import math
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from archgen.properties import known_costs
from gnn_search.benchmark_settings import BENCHMARK_SETTINGS
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import UnknownName
from graphs.space import Field, SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.catalogue import load_table


class Chain(SearchSpace):
    """A space of one's own: a chain of one operation of two."""

    name = "chain"
    summary = "one of two operations"
    fields = (Field("op", ("input", "a", "b", "output")),)
    max_nodes = 3
    log10_size = math.log10(2)

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return self.parse("ab"[int(rng.integers(2))])

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        yield self.parse("b" if self.format(graph) == "a" else "a")

    def parse(self, text: str) -> ArchGraph:
        return ArchGraph((INPUT, Op(text), OUTPUT), ((0, 1), (1, 2)))

    def format(self, graph: ArchGraph) -> str:
        return graph.ops[1].name

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return graph


class Priced(Chain):
    """The same with a cost of its own."""

    def costs(self, graph: ArchGraph) -> dict[str, float]:
        return {"price": 2.5 if self.format(graph) == "a" else 7.0, "length": 1.0}


@pytest.mark.parametrize("task", [task for task in BENCHMARK_SETTINGS if task != "physics"])
def test_params_of_graph_networks_equal_the_table(task: str) -> None:
    space, table, rng = NasBenchGraph(), load_table("nas-bench-graph", task), np.random.default_rng(0)
    costs = known_costs(space, task)
    assert set(costs) == {"params"}
    for graph in (space.sample(rng) for _ in range(200)):
        assert costs["params"](graph) == pytest.approx(table(graph)["params"], abs=1e-8)


def test_without_a_task_graph_networks_have_the_sizes_of_cora() -> None:
    space = NasBenchGraph()
    graph = space.sample(np.random.default_rng(0))
    of = {task: known_costs(space, task)["params"](graph) for task in (None, "cora", "citeseer")}
    assert of[None] == of["cora"] < of["citeseer"]


@pytest.mark.parametrize("task", [None, "cifar10", "cifar100"])
def test_costs_of_cells_are_those_of_the_space(task: str | None) -> None:
    space = NasBench201()
    costs = known_costs(space, task)
    assert set(costs) == {"params", "macs"}
    for seed in range(20):
        graph = space.sample(np.random.default_rng(seed))
        assert {name: cost(graph) for name, cost in costs.items()} == space.costs(graph)


def test_a_space_of_ones_own_has_the_costs_it_states_on_any_task() -> None:
    assert known_costs(Chain(), None) == known_costs(Chain(), "my task") == {}
    costs = known_costs(Priced(), "my task")
    assert {name: cost(Priced().parse("b")) for name, cost in costs.items()} == {"price": 7.0, "length": 1.0}


@pytest.mark.parametrize(
    ("space", "task", "near"), [(NasBenchGraph(), "coar", "cora"), (NasBench201(), "cifar_10", "cifar10")]
)
def test_a_mistyped_task_gets_a_suggestion(space: SearchSpace, task: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean '{near}'"):
        known_costs(space, task)


def test_no_torch_is_loaded() -> None:
    code = (
        "import sys; from archgen.properties import known_costs; from graphs.spaces.catalogue import get_space; "
        "[known_costs(get_space(name), None) for name in ('nas-bench-graph', 'nasbench201')]; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
