"""Both benchmark tables keep the evaluators' contract; broken ones do not."""

from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archgen.testing import EvaluatorContract
from bo.campaign import Evaluator
from graphs.archgraph import ArchGraph
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.nas_bench_graph import load_nas_bench_graph
from graphs.tables.nasbench201 import load_nasbench201

cells = cache(load_nasbench201)


class TestNasBenchGraph(EvaluatorContract):
    space = NasBenchGraph()
    objective = "valid_accuracy"

    def evaluator(self) -> Evaluator:
        return load_nas_bench_graph("cora")


class TestNasBench201(EvaluatorContract):
    space = NasBench201()
    objective = "valid_accuracy"

    @pytest.fixture(autouse=True)
    def _find_the_data(self, data_dir: Path) -> None:
        self.folder = data_dir

    def evaluator(self) -> Evaluator:
        return cells("cifar10", self.folder)


BREACHES: list[tuple[Callable[[ArchGraph, int], Any], str, str]] = [
    (lambda *_: 93.0, "test_every_graph_gets_finite", "expected metrics by name"),
    (
        lambda *_: {"accuracy": 93.0},
        "test_every_graph_gets_finite",
        "expected 'valid_accuracy' among the metrics",
    ),
    (lambda *_: {"valid_accuracy": 93.0, "loss": np.nan}, "test_every_graph_gets_finite", "loss of"),
    (lambda graph, _: {"valid_accuracy": 93.0, str(graph.ops[1]): 1}, "test_every_graph_gets_the_same", "same metrics"),
    (lambda _, calls: {"valid_accuracy": 93.0 + calls}, "test_the_answer_depends", "set noisy = True"),
    (lambda *_: {"valid_accuracy": 1 / 0}, "test_a_campaign", "ZeroDivisionError"),
]


@pytest.mark.parametrize(("metrics", "test", "message"), BREACHES)
def test_a_breach_is_found(metrics: Callable[[ArchGraph, int], Any], test: str, message: str, tmp_path: Path) -> None:
    class Contract(TestNasBenchGraph):
        def evaluator(self) -> Evaluator:
            calls = count()
            return lambda graph: metrics(graph, next(calls))

    name = next(name for name in dir(Contract) if name.startswith(test))
    arguments = [tmp_path] if test == "test_a_campaign" else []
    with pytest.raises(AssertionError, match=message):
        getattr(Contract(), name)(*arguments)
