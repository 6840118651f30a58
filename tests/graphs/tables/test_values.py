"""The tables hold the published numbers: known optima, units, sizes."""

from pathlib import Path

import pytest

from graphs.errors import TableError, UnknownName
from graphs.tables.catalogue import load_table, tasks_of
from graphs.tables.nas_bench_graph import load_nas_bench_graph
from graphs.tables.nasbench201 import load_nasbench201

BEST = {
    "cora": 81.93,
    "citeseer": 72.80,
    "pubmed": 81.13,
    "cs": 92.13,
    "physics": 94.00,
    "photo": 94.07,
    "computers": 91.90,
    "arxiv": 73.67,
}
"""Best validation accuracy in percent."""


@pytest.mark.parametrize(("task", "best"), BEST.items())
def test_nas_bench_graph_has_the_known_best(task: str, best: float) -> None:
    table = load_nas_bench_graph(task)
    assert len(table) == 26_206
    assert table.best("valid_accuracy") == pytest.approx(best, abs=0.005)
    assert set(table.columns) == {"valid_accuracy", "test_accuracy", "params", "latency"}


def test_every_description_of_a_network_gets_the_row_of_the_network() -> None:
    table = load_nas_bench_graph("cora")
    answers = [table(table.space.parse(text)) for text in ("0000|skip|gcn|gcn|gcn", "0111|skip|gcn|gcn|gcn")]
    assert answers[0] == answers[1]


def test_nasbench201_has_the_known_best_cells(data_dir: Path) -> None:
    cifar10, cifar100 = (load_nasbench201(task, data_dir) for task in ("cifar10", "cifar100"))
    assert len(cifar10) == len(cifar100) == 15_625
    assert cifar10.best("test_accuracy") == pytest.approx(94.37, abs=0.005)
    assert cifar100.best("test_accuracy") == pytest.approx(73.51, abs=0.005)
    best = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    assert cifar100(cifar100.space.parse(best))["test_accuracy"] == cifar100.best("test_accuracy")


def test_nasbench201_knows_the_size_of_the_largest_cell(data_dir: Path) -> None:
    table = load_nasbench201("cifar10", data_dir)
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    found = table(table.space.parse(cell))
    assert found["params"] == pytest.approx(1.531546, abs=1e-6)
    assert found["macs"] == pytest.approx(220.12, abs=0.005)


def test_unknown_tasks_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'cora'"):
        load_table("nas-bench-graph", "kora")
    with pytest.raises(UnknownName, match="Did you mean 'nasbench201'"):
        tasks_of("nasbench-201")
    with pytest.raises(TableError, match="set ARCHGEN_DATA"):
        load_nasbench201("cifar10", tmp_path)
