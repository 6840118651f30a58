"""A campaign that begins with what others measured: a CSV file, or an earlier campaign."""

from pathlib import Path
from typing import Any

import pytest

from archgen.campaign_folder import read_campaign
from archgen.session import open_campaign
from graphs.errors import InvalidOption, StoreError, UnknownName
from graphs.tables.catalogue import load_table
from graphs.tables.table import BenchmarkTable

CORA: dict[str, Any] = {"space": "nas-bench-graph", "task": "cora", "strategy": "wl-gp"}


@pytest.fixture(scope="module")
def table() -> BenchmarkTable:
    return load_table("nas-bench-graph", "cora")


@pytest.fixture
def labels(table: BenchmarkTable, tmp_path: Path) -> Path:
    """Twelve architectures with their accuracies."""
    graphs = table.space.networks[:26_000:2_200]
    lines = [f"{table.space.format(graph)},{table(graph)['valid_accuracy']}" for graph in graphs]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["arch,valid_accuracy", *lines]))
    return path


def test_the_first_query_is_chosen_by_a_model_and_nothing_known_is_asked(
    table: BenchmarkTable, labels: Path, tmp_path: Path
) -> None:
    with open_campaign(tmp_path / "warm", **CORA, warm_start=labels) as campaign:
        campaign.run(table, 3)
        history = campaign.history
    assert len(history.prior) == 12
    assert all(trial.proposal.mean is not None for trial in history.trials)
    assert not {trial.identity for trial in history.prior} & {trial.identity for trial in history.trials}
    assert campaign.spent == 3
    known = {trial.arch: trial.metrics["valid_accuracy"] for trial in history.prior}
    assert known == {arch: pytest.approx(table(table.space.parse(arch))["valid_accuracy"]) for arch in known}


def test_a_campaign_can_be_the_beginning_of_another(table: BenchmarkTable, tmp_path: Path) -> None:
    goals = {"maximize": "valid_accuracy", "minimize": "params"}
    with open_campaign(tmp_path / "first", **{**CORA, "strategy": "random"}, **goals) as campaign:
        campaign.run(table, 12)
    with open_campaign(tmp_path / "second", **CORA, **goals, warm_start=tmp_path / "first") as second:
        second.run(table, 1)
    (trial,) = second.history.trials
    assert trial.proposal.mean is not None
    first = {trial.identity: trial.metrics for trial in campaign.history.done}
    told = {trial.identity: trial.metrics for trial in second.history.prior}
    assert told == {name: {k: first[name][k] for k in ("valid_accuracy", "params")} for name in first}


def test_the_store_remembers_and_other_labels_are_another_campaign(
    table: BenchmarkTable, labels: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "warm"
    with open_campaign(folder, **CORA, warm_start=labels) as campaign:
        campaign.run(table, 1)
    assert read_campaign(folder).history.prior == campaign.history.prior
    with open_campaign(folder, **CORA, warm_start=labels) as campaign:
        assert campaign.spent == 1
    labels.write_text("\n".join(labels.read_text().splitlines()[:-1]))
    for other in ({"warm_start": labels}, {}):
        with pytest.raises(StoreError, match="holds another campaign"):
            open_campaign(folder, **CORA, **other).__enter__()


def test_labels_that_cannot_be_used_are_refused(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="test_accuracy"):
        open_campaign(tmp_path / "no", **CORA, maximize="test_accuracy", warm_start=labels).__enter__()
    with pytest.raises(InvalidOption, match="'random' has no option 'warm_start'"):
        open_campaign(tmp_path / "no", **{**CORA, "strategy": "random"}, warm_start=labels).__enter__()
    assert not (tmp_path / "no").exists()
