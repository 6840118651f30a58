"""Costs that are known exactly, against the tables; conditions as they are written, read and checked."""

import math
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archgen.properties import Condition, contradictions, known_costs, parse_condition
from gnn_search.benchmark_settings import BENCHMARK_SETTINGS
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidOption, UnknownName
from graphs.space import Field, SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.catalogue import load_table

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(exclude_characters="<>=!", exclude_categories=("Z", "C")), min_size=1, max_size=12)
CONDITIONS = st.builds(Condition, NAMES, st.sampled_from(["<=", ">="]), FINITE)


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


@given(CONDITIONS)
def test_a_condition_is_read_as_it_was_written(condition: Condition) -> None:
    assert parse_condition(condition.text) == condition


@given(CONDITIONS, st.lists(st.sampled_from(["", " ", "\t"]), min_size=4, max_size=4))
def test_spaces_do_not_matter(condition: Condition, gaps: list[str]) -> None:
    before, left, right, after = gaps
    text = f"{before}{condition.name}{left}{condition.operator}{right}{condition.value!r}{after}"
    assert parse_condition(text) == condition


def test_conditions_as_users_write_them() -> None:
    assert parse_condition("params<=1.0") == Condition("params", "<=", 1.0)
    assert parse_condition("accuracy >= 94").text == "accuracy>=94"
    assert parse_condition("latency<=2e-3").text == "latency<=0.002"
    assert parse_condition("gain>=-0.5") == Condition("gain", ">=", -0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params<1", "use <= in place of <"),
        ("params > 1", "use >= in place of >"),
        ("params=1", "'=' is neither"),
        ("params==1", "'==' is neither"),
        ("params=<1", "'=<' is neither"),
        ("params!=1", "'!=' is neither"),
        ("params<=", "nothing is not a number"),
        ("params<=one", "one is not a number"),
        ("params<=1,0", "1,0 is not a number"),
        ("0<=params<=1", "params<=1 is not a number"),
        ("params<=nan", "nan is not finite"),
        ("params>=-inf", "-inf is not finite"),
        ("params<=1e999", "1e999 is not finite"),
        ("<=1", "condition '<=1'"),
        (" >= 1", "condition ' >= 1'"),
        ("number of params<=1", "condition 'number of params<=1'"),
        ("params 1", "condition 'params 1'"),
        ("", "condition ''"),
    ],
)
def test_other_forms_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidOption, match="expected a name, <= or >=, and a finite number") as refused:
        parse_condition(text)
    assert message in str(refused.value)


@pytest.mark.parametrize("parts", [("", "<=", 1.0), ("a b", "<=", 1.0), ("a<", ">=", 1.0), ("a", "<=", math.nan)])
def test_a_condition_that_could_not_be_read_back_cannot_be_made(parts: tuple[str, str, float]) -> None:
    with pytest.raises(InvalidOption, match="expected a name"):
        Condition(*parts)


@given(CONDITIONS, st.lists(st.floats(), max_size=5))
def test_holds_on_numbers_and_arrays(condition: Condition, values: list[float]) -> None:
    values = [*values, condition.value, math.nan]
    expected = [not v > condition.value if condition.operator == "<=" else not v < condition.value for v in values]
    expected = [kept and not math.isnan(v) for kept, v in zip(expected, values, strict=True)]
    assert [condition.holds(v) for v in values] == expected
    assert condition.holds(np.array(values)).tolist() == expected
    assert expected[-2:] == [True, False]


@given(
    st.lists(st.builds(Condition, st.sampled_from("ab"), st.sampled_from(["<=", ">="]), st.integers(-3, 3).map(float)))
)
def test_conditions_contradict_where_no_number_meets_them(conditions: list[Condition]) -> None:
    """Bounds are whole, so a name can be met exactly when one of the whole numbers does it."""
    met = all(any(all(c.holds(float(v)) for c in conditions if c.name == name) for v in range(-3, 4)) for name in "ab")
    if met:
        contradictions(conditions)
    else:
        with pytest.raises(InvalidOption, match=r"no [ab] meets both"):
            contradictions(conditions)


def test_the_two_that_contradict_are_named() -> None:
    conditions = [parse_condition(text) for text in ("params<=1", "accuracy>=94", "params<=3", "params>=2")]
    with pytest.raises(InvalidOption, match="no params meets both params<=1 and params>=2"):
        contradictions(conditions)
