"""Pre-training: which statistics are free, that they are learned, and what is refused."""

import math

import numpy as np
import pytest
import torch

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError
from graphs.spaces.catalogue import get_space
from predictors import pretraining
from predictors.gnn import GnnSize, GraphMembers
from predictors.graph_inputs import GraphInputs
from predictors.member_training import Schedule
from predictors.members import outputs_of
from predictors.pretraining import free_statistics, pretrain, standardised

CELLS = get_space("nasbench201")


def test_free_statistics_are_the_networks() -> None:
    graph = CELLS.parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
    found = free_statistics(CELLS, graph)
    assert found["macs"] == CELLS.costs(graph)["macs"]
    assert found["log params"] == pytest.approx(math.log1p(CELLS.costs(graph)["params"]))
    assert (found["depth"], found["count nor_conv_3x3"], found["count nor_conv_1x1"]) == (3, 1, 1)


def test_standardised_drops_what_does_not_vary() -> None:
    table = standardised([{"b": 1.0, "a": 5.0}, {"b": 3.0, "a": 5.0}, {"a": 5.0}])
    assert table.shape == (3, 1)
    assert table.mean().abs() < 1e-6
    with pytest.raises(EvaluationError, match="none of the statistics a varies"):
        standardised([{"a": 1.0}, {"a": 1.0}])
    with pytest.raises(EvaluationError, match="statistic 'b' is not finite"):
        standardised([{"a": 1.0, "b": 1.0}, {"a": 2.0, "b": math.nan}])


def test_statistics_are_learned_also_given_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "GRAPHS", 300)
    inputs, asked = GraphInputs(CELLS), []

    def more(graph: ArchGraph) -> dict[str, float]:
        asked.append(graph)
        return {"score": float(len(CELLS.network(graph)))}

    schedule = Schedule(steps=60, batch=64, decay=0.0)
    encoder = pretrain(CELLS, inputs, more, schedule)
    targets = standardised([{**free_statistics(CELLS, graph), **more(graph)} for graph in list(asked)])
    with torch.no_grad():
        errors = (outputs_of(encoder, inputs(asked[: len(targets)]))[0] - targets).square().mean()
    assert errors < 0.4
    again = pretrain(CELLS, inputs, more, schedule)
    assert all(torch.equal(one, other) for one, other in zip(encoder.parameters(), again.parameters(), strict=True))


def test_members_start_from_an_encoder_but_for_the_last_map() -> None:
    rng = torch.Generator().manual_seed(0)
    encoder, network = GraphMembers(2, 7, 5, GnnSize(), rng), GraphMembers(3, 7, 1, GnnSize(), rng)
    last = network.last.weight.clone()
    network.start_from(encoder)
    np.testing.assert_array_equal(network.first.weight.detach(), encoder.first.weight.detach()[[0, 1, 0]])
    assert torch.equal(network.last.weight, last)
