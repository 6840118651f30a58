"""What an answer or an exception makes of a trial."""

import math
from typing import Any

import pytest

from bo.outcome import Failed, Measured, conclude, failed, lacks_memory, raised
from bo.records import Proposal, Trial
from graphs.archgraph import INPUT, OUTPUT, ArchGraph
from graphs.errors import EvaluationError, NotFinite

GRAPH = ArchGraph((INPUT, OUTPUT), ((0, 1),))
TRIAL = Trial(4, 1, Proposal(GRAPH, "random"), "x", "x")


def end(metrics: Any, goals: tuple[str, ...] = ("score",)) -> Trial:
    return conclude(TRIAL, Measured(metrics), goals, {"params": lambda graph: len(graph) / 2})


def test_metrics_are_numbers_and_known_costs_stand_in_their_place() -> None:
    done = end({"score": "0.5", "params": 7, "cost": 3, "loss": math.nan}, ("score", "params"))
    assert done.status == "done"
    assert {name: value for name, value in done.metrics.items() if name != "loss"} == {
        "score": 0.5,
        "params": 1.0,
        "cost": 3.0,
    }
    assert math.isnan(done.metrics["loss"]), "what no goal speaks of may be anything"
    assert done.cost == 3.0


def test_a_cost_that_is_no_number_is_none() -> None:
    assert end({"score": 1}).cost is None
    assert end({"score": 1, "cost": math.inf}).cost is None


@pytest.mark.parametrize(
    ("metrics", "failure", "reason"),
    [
        ({}, "bad_output", "expected a finite 'score' among the metrics, got params"),
        ({"score": math.nan}, "not_finite", "expected a finite 'score' among the metrics, got nan"),
        ({"score": -math.inf}, "not_finite", "got -inf"),
        ({"score": "high"}, "bad_output", "each a number"),
        ({"score": None}, "bad_output", "each a number"),
        ({"score": {"mean": 1}}, "bad_output", "each a number"),
        ({"score": 10**400}, "bad_output", "each a number"),
        (0.5, "bad_output", "expected metrics by name"),
    ],
)
def test_answers_that_cannot_be_used(metrics: Any, failure: str, reason: str) -> None:
    ended = end(metrics)
    assert (ended.status, ended.failure) == ("failed", failure)
    assert reason in str(ended.error)
    assert "trial 4" in str(ended.error)


def test_exceptions_have_kinds() -> None:
    kinds = {
        "not_finite": NotFinite("x"),
        "bad_output": EvaluationError("x"),
        "out_of_memory": MemoryError(),
        "error": ValueError("x"),
    }
    for kind, error in kinds.items():
        assert raised(error).failure == kind  # type: ignore[arg-type]
    assert raised(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")).failure == "out_of_memory"
    assert not lacks_memory("no such file")


def test_reasons_are_texts_that_every_database_takes() -> None:
    told = failed(TRIAL, "a\0b\udcff", "crash")
    assert told.error == "a\N{REPLACEMENT CHARACTER}b?"
    assert conclude(TRIAL, Failed("timeout", "late"), (), {}).failure == "timeout"
