"""The executor in this process, for tables."""

import math

from archgen.testing.executor import GRAPH
from bo.executors.inline import InlineExecutor
from bo.outcome import Failed, Measured
from graphs.archgraph import ArchGraph


def test_it_answers_each_once_in_order() -> None:
    executor = InlineExecutor(lambda graph: {"nodes": len(graph)})
    assert executor.wait(0.0) == []
    executor.submit(3, GRAPH)
    (answer,) = executor.wait(0.0)
    assert (answer.key, answer.outcome) == (3, Measured({"nodes": 2}))
    assert executor.wait(0.0) == []
    executor.close()


def test_an_exception_is_a_failure() -> None:
    def fail(_: ArchGraph) -> dict[str, float]:
        return {"score": math.sqrt(-1.0)}

    executor = InlineExecutor(fail)
    executor.submit(0, GRAPH)
    (answer,) = executor.wait(0.0)
    assert isinstance(answer.outcome, Failed)
    assert answer.outcome.failure == "error"
    assert answer.outcome.reason.startswith("ValueError: ")
