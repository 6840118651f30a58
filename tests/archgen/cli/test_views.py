"""The report and the W&B run are rebuilt from the store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgen.session import open_campaign
from graphs.errors import TableError
from graphs.tables.nas_bench_graph import load_nas_bench_graph

Run = Callable[..., Any]


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A campaign with one trial that waits for its metrics."""
    with open_campaign(tmp_path, space="nas-bench-graph", task="cora", strategy="random") as campaign:
        campaign.run(load_nas_bench_graph("cora"), 3)
        campaign.ask()
    return tmp_path


def test_a_report_goes_where_it_is_wanted(archgen: Run, begun: Path) -> None:
    for options, path in ([], begun / "report.html"), (["--out", begun / "other.html"], begun / "other.html"):
        assert archgen("report", begun, *options, "--json").json == {"report": str(path)}
        assert "<html" in path.read_text()


def test_the_report_compares_with_random_search_where_the_table_is_there(
    archgen: Run, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archgen("report", begun)
    assert "26,206 rows of the task" in (begun / "report.html").read_text()
    monkeypatch.setattr("archgen.cli.views.load_table", missing)
    archgen("report", begun)
    assert "rows of the task" not in (begun / "report.html").read_text()


def missing(*_: object) -> None:
    raise TableError("no table on this machine")


def test_a_report_that_cannot_be_written_is_one_line(archgen: Run, begun: Path) -> None:
    found = archgen("report", begun, "--out", begun / "no" / "report.html")
    assert found.code == 2
    assert len(found.err.splitlines()) == 1
    assert "cannot write the report" in found.err


def test_wandb_may_be_disabled(archgen: Run, begun: Path) -> None:
    assert archgen("wandb", begun, "--mode", "disabled", "--json").json == {"wandb": ""}


def test_an_offline_run_is_rebuilt_in_the_campaigns_folder(spawn: Run, begun: Path) -> None:
    found = spawn("wandb", begun, "--json")
    assert found.code == 0, found.err
    assert Path(found.json["wandb"]).is_dir()
    assert begun in Path(found.json["wandb"]).parents


def test_wandb_waits_for_nobody_who_works_on_the_campaign(archgen: Run, begun: Path) -> None:
    with open_campaign(begun, space="nas-bench-graph", task="cora", strategy="random"):
        found = archgen("wandb", begun)
    assert found.code == 2
    assert "works on this campaign" in found.err
