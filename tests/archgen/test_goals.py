"""Goals as users write them, and what a table tells of them."""

import numpy as np
import pytest

from archgen.goals import Goals, read_goals, table_hypervolume, table_reference
from bo.records import Objective
from graphs.condition import Condition
from graphs.errors import InvalidOption, UnknownName
from graphs.tables.catalogue import load_table
from graphs.tables.table import BenchmarkTable

METRICS = ("valid_accuracy", "params", "latency")


@pytest.fixture(scope="module")
def table() -> BenchmarkTable:
    return load_table("nas-bench-graph", "cora")


def test_what_is_maximised_comes_first_and_accuracy_is_the_tables_own() -> None:
    goals = read_goals(["accuracy"], ["params"], ["latency <= 5ms", "accuracy>=60"], METRICS[0], METRICS)
    assert goals.objectives == (Objective("valid_accuracy"), Objective("params", maximize=False))
    assert goals.constraints == (Condition("latency", "<=", 5.0), Condition("valid_accuracy", ">=", 60.0))
    assert goals.metrics == ("valid_accuracy", "params", "latency")


def test_without_a_word_the_usual_objective_is_maximised() -> None:
    assert read_goals([], [], [], "score") == Goals((Objective("score"),))
    assert read_goals([], ["cost"], [], "score") == Goals((Objective("cost", maximize=False),))


def test_metrics_of_ones_own_evaluator_may_have_any_name() -> None:
    assert read_goals(["accuracy"], ["joules"], ["size<=3"], "accuracy").metrics == ("accuracy", "joules", "size")


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        ((["latncy"], [], []), "Did you mean 'latency'"),
        (([], [], ["param<=1"]), "Did you mean 'params'"),
        ((["params"], ["params"], []), "'params' is named twice"),
        ((["accuracy", "valid_accuracy"], [], []), "'valid_accuracy' is named twice"),
        (([], [], ["params<=1", "params>=2"]), "no params meets both"),
        (([], [], ["params<1"]), "use <= in place of <"),
    ],
)
def test_mistakes_are_named(goals: tuple[list[str], list[str], list[str]], message: str) -> None:
    with pytest.raises((InvalidOption, UnknownName), match=message):
        read_goals(*goals, METRICS[0], METRICS)


def test_the_best_is_among_the_rows_that_keep_the_bounds(table: BenchmarkTable) -> None:
    goals = read_goals([], [], ["params<=0.5", "latency<=4ms"], table.objective, table.columns)
    kept = (table.column("params") <= 0.5) & (table.column("latency") <= 4)
    accuracy = table.column("valid_accuracy")
    assert table_reference(table, goals) == {"best": accuracy[kept].max(), "mean": pytest.approx(accuracy.mean())}
    small = read_goals([], ["latency"], [], table.objective, table.columns)
    assert table_reference(table, small)["best"] == table.column("latency").min()


def test_several_objectives_have_a_reference_point_that_the_front_beats(table: BenchmarkTable) -> None:
    goals = read_goals(["accuracy"], ["latency"], [], table.objective, table.columns)
    found = table_reference(table, goals)
    point = [found["reference_point/valid_accuracy"], -found["reference_point/latency"]]
    accuracy, latency = table.column("valid_accuracy"), table.column("latency")
    assert point[0] < accuracy[latency.argmin()]
    assert -point[1] > latency[accuracy.argmax()]
    grid = np.linspace(*sorted((float(latency.min()), -point[1])), 20_000)
    best = np.maximum.accumulate(accuracy[np.argsort(latency, kind="stable")])
    steps = best[np.searchsorted(np.sort(latency), grid, side="right") - 1]
    area = np.maximum(steps - point[0], 0).mean() * (grid[-1] - grid[0])
    assert table_hypervolume(table, goals, point) == pytest.approx(area, rel=1e-3)


def test_a_bound_that_no_row_keeps_names_the_nearest(table: BenchmarkTable) -> None:
    goals = read_goals([], [], ["latency<=0.001ms"], table.objective, table.columns)
    nearest = f"{table.column('latency').min():.6g}"
    with pytest.raises(InvalidOption, match=f"has latency<=0.001; the nearest has latency {nearest}"):
        table_reference(table, goals)
