"""`archgen bench` on a small comparison, checked against the campaigns that it leaves."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archgen.campaign_folder import read_campaign
from archgen.goals import Goals, table_hypervolume
from bo.pareto import hypervolume_so_far, reference_point
from graphs.tables.catalogue import load_table

Run = Callable[..., Any]
BENCH = (
    "bench",
    "nas-bench-graph",
    "--task",
    "cora",
    "--budget",
    8,
    "--workers",
    1,
    "--strategies",
    "random,evolution",
)


def test_the_table_is_that_of_the_campaigns(archgen: Run, tmp_path: Path) -> None:
    found = archgen(*BENCH, "--seeds", 2, "--dir", tmp_path, "--json")
    assert found.code == 0, found.err
    stores = {p.parent for p in tmp_path.rglob("campaign.sqlite")}
    assert len(stores) == 4
    campaigns = [read_campaign(folder) for folder in stores]
    result = found.json["tasks"]["cora"]
    assert [row["strategy"] for row in result["rows"]] == ["random", "evolution", "chance"]
    for row in result["rows"][:2]:
        mine = [c for c in campaigns if c.config.strategy == row["strategy"]]
        regrets = [c.reference["best"] - c.history.best_so_far()[-1] for c in mine]
        assert {c.config.seed for c in mine} == {0, 1}
        assert row["regret@8"] == pytest.approx(np.mean(regrets))
        assert row["se@8"] == pytest.approx(np.std(regrets, ddof=1) / 2**0.5)
        gained = [100 * (c.history.best_so_far()[-1] / c.reference["mean"] - 1) for c in mine]
        assert row["relative_improvement_%"] == pytest.approx(np.mean(gained))
        assert min(gained) - 1e-9 <= row["improvement_low"] <= row["improvement_high"] <= max(gained) + 1e-9
    accuracy = np.sort(load_table("nas-bench-graph", "cora").column("valid_accuracy"))
    places = np.arange(1, len(accuracy) + 1) / len(accuracy)  # of the best of eight draws, nearly without replacement
    expected = float((accuracy * np.diff(places**8, prepend=0)).sum())
    assert result["rows"][2]["reached"] == pytest.approx(expected, abs=4 * result["rows"][2]["se@8"])
    with Path(result["curves"]).open() as file:
        assert len(list(csv.DictReader(file))) == 4 * 8
    assert Path(result["plot"]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--strategies", "random,evolutoin"], "Did you mean 'evolution'"),
        (["--strategies", ","], "at least one task and one strategy"),
        (["--seeds", 0], "at least 1 seed"),
        (["--budget", 0], "expected at least 1 query"),
        (["--workers", 0], "workers 0: expected at least 1"),
        (["--maximize", "acc"], "unknown metric 'acc'"),
    ],
)
def test_a_mistake_writes_nothing(archgen: Run, tmp_path: Path, change: list[object], told: str) -> None:
    found = archgen(*BENCH, "--dir", tmp_path / "bench", *change)
    assert found.code == 2
    assert len(found.err.splitlines()) == 1, found.err
    assert told in found.err
    assert list(tmp_path.iterdir()) == []


def test_several_objectives_are_compared_by_hypervolume(archgen: Run, tmp_path: Path) -> None:
    goals = ("--maximize", "accuracy", "--minimize", "latency", "--subject-to", "params<=1")
    options = ("--seeds", 1, "--dir", tmp_path, "--strategies", "random,wl-gp", "--budget", 14, "--json", *goals)
    found = archgen(*BENCH, *options)
    assert found.code == 0, found.err
    for row in found.json["tasks"]["cora"]["rows"]:
        campaign = read_campaign(tmp_path / "cora" / row["strategy"] / "seed0")
        history, point = campaign.history, reference_point(campaign.history, campaign.reference)
        assert point is not None
        assert 0 < row["reached"] < 100
        assert row["regret@14"] == pytest.approx(100 - row["reached"])
        table = load_table("nas-bench-graph", "cora")
        whole = table_hypervolume(table, Goals(history.objectives, history.constraints), point)
        assert row["reached"] == pytest.approx(100 * hypervolume_so_far(history, point)[-1] / whole)
        assert all(t.metrics["params"] <= 1 for t in history.done if t.proposal.mean is not None)
