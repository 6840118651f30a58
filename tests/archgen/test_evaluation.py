"""What a user says of how candidates are evaluated, and campaigns that are evaluated so."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archgen
from archgen.evaluation import Evaluation, check_evaluation, evaluate_campaign, read_size
from bo.campaign import Campaign
from bo.executors.inline import InlineExecutor
from bo.executors.local import LocalExecutor
from bo.leases import Leases
from bo.records import CampaignConfig, Objective
from bo.store import Store
from bo.strategies.random_search import RandomSearch
from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError, InvalidOption
from graphs.spaces.nas_bench_graph import NasBenchGraph

SPACE = NasBenchGraph()


def edges(graph: ArchGraph) -> dict[str, float]:
    return {"score": float(len(graph.edges))}


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    store = Store(tmp_path / "campaign.sqlite", create=True)
    config = CampaignConfig(SPACE.name, "mine", "random", Objective("score"), batch=2)
    yield Campaign(SPACE, config, store, RandomSearch(SPACE, SPACE.canonical))
    store.close()


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 * 2**30), ("500 MB", 500 * 2**20), ("1.5GiB", 3 * 2**29), ("64k", 2**16), ("7", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "4 apples", "4P", "nan", "0.1"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InvalidOption, match="expected a size such as 4G or 500M"):
        read_size(text)


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"workers": 0, "evaluate": edges}, "workers 0: expected at least 1"),
        ({"timeout": 0.0, "evaluate": edges}, "timeout 0: expected seconds above 0"),
        ({"lease": 0.0, "share": True}, "lease 0: expected seconds above 0"),
        ({"executor": "dask", "evaluate": edges}, "unknown executor 'dask'.*local, ray"),
        ({"ray_address": "auto", "evaluate": edges}, "--ray-address is of use with --executor ray only"),
        ({"workers": 2}, "as a table answers at once; add --evaluate or leave them out"),
        ({"timeout": 1.0}, "add --evaluate"),
        ({"memory": "1G"}, "add --evaluate"),
        ({"executor": "ray"}, "add --evaluate"),
        ({"evaluate": "python train.py"}, "does not say where the graph goes"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, Any], match: str) -> None:
    with pytest.raises(ArchgenError, match=match):
        check_evaluation(Evaluation(**asked), SPACE.name)


def test_each_kind_gets_its_executor() -> None:
    table = check_evaluation(Evaluation(share=True), SPACE.name).open(edges)
    assert isinstance(table, InlineExecutor)
    own = check_evaluation(Evaluation(edges, 3, 5.0, "1G"), SPACE.name).open(None)
    assert isinstance(own, LocalExecutor)
    assert own.capacity == 3
    own.close()


SCRIPT = 'import json, sys; print(json.dumps({"score": len(json.load(open(sys.argv[1]))["edges"])}))'
COMMAND = shlex.join([sys.executable, "-c", SCRIPT, "{graph}"])


@pytest.mark.parametrize(
    "asked", [Evaluation(), Evaluation(share=True), Evaluation(edges, 2), Evaluation(COMMAND, 2, share=True)]
)
def test_each_way_gives_the_same_values(campaign: Campaign, asked: Evaluation) -> None:
    best = evaluate_campaign(campaign, asked, 8, edges if asked.evaluate is None else None)
    trials = campaign.store.trials()
    assert [trial.number for trial in trials] == list(range(8))
    assert [dict(trial.metrics) for trial in trials] == [edges(trial.graph) for trial in trials]
    assert best == campaign.best()


def test_who_has_a_campaign_alone_waits_for_no_lease_of_the_dead(campaign: Campaign) -> None:
    campaign.ask()
    assert len(Leases(campaign.store).take(2)) == 2
    evaluate_campaign(campaign, Evaluation(edges), 2)
    assert [trial.status for trial in campaign.store.trials()] == ["done", "done"]
    assert np.isfinite(campaign.history.best_so_far()).all()


def test_the_facade_takes_a_function_of_the_users(tmp_path: Path) -> None:
    options = {"space": "nas-bench-graph", "strategy": "random", "maximize": "score", "own_evaluator": True}
    with archgen.open_campaign(tmp_path, **options) as campaign:
        best = archgen.evaluate_campaign(campaign, archgen.Evaluation(edges, workers=2, timeout=60.0), budget=6)
        assert campaign.spent == 6
        assert best is not None
        assert best.metrics["score"] == max(len(trial.graph.edges) for trial in campaign.history.trials)
