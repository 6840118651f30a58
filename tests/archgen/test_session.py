"""open_campaign and read_campaign: refusals write nothing, and a campaign goes on as if it had never stopped."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgen.campaign_folder import STORE, read_campaign
from archgen.session import open_campaign
from bo.records import Objective
from graphs.errors import ArchgenError, CampaignBusy, InvalidOption, StoreError, TableError, UnknownName
from graphs.tables.nas_bench_graph import load_nas_bench_graph

CORA: dict[str, Any] = {"space": "nas-bench-graph", "task": "cora", "strategy": "evolution"}
Rows = Callable[[Path], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"space": "nasbench"}, UnknownName, "unknown space 'nasbench'. Did you mean 'nasbench201'"),
        ({"task": "coral"}, UnknownName, "unknown task of nas-bench-graph 'coral'. Did you mean 'cora'"),
        ({"strategy": "evolutoin"}, UnknownName, "Did you mean 'evolution'"),
        ({"maximize": "valid_acuracy"}, UnknownName, "Did you mean 'valid_accuracy'"),
        ({"batch": 0}, InvalidOption, "batch 0 and threads 1 must both be at least 1"),
        ({"threads": -1}, InvalidOption, "batch 1 and threads -1"),
        ({"generator_steps": 5}, InvalidOption, "strategy 'evolution' has no option 'generator_steps'"),
        ({"strategy": "archgen", "generator_steps": 0}, InvalidOption, "generator_steps 0: expected at least 1"),
        ({"space": "nasbench201", "task": "cifar10"}, TableError, "set ARCHGEN_DATA"),
    ],
)
def test_a_mistake_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], error: type[ArchgenError], match: str
) -> None:
    monkeypatch.delenv("ARCHGEN_DATA", raising=False)
    with pytest.raises(error, match=match):
        open_campaign(tmp_path / "campaign", **{**CORA, **change}).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_campaign_is_kept_with_its_configuration_and_reference(tmp_path: Path) -> None:
    table = load_nas_bench_graph("cora")
    with open_campaign(tmp_path, **CORA, seed=3, batch=2, maximize="test_accuracy", distinct="description") as campaign:
        campaign.run(table, 6)
    kept = read_campaign(tmp_path)
    assert kept.config == campaign.config
    assert kept.config.objective == Objective("test_accuracy")
    assert (kept.config.seed, kept.config.batch, kept.config.distinct) == (3, 2, "description")
    assert kept.reference["best"] == table.best("test_accuracy")
    assert kept.history.trials == campaign.history.trials
    assert kept.best() == campaign.best()


def test_the_generators_steps_are_part_of_the_configuration(tmp_path: Path) -> None:
    archgen = {**CORA, "strategy": "archgen"}
    with open_campaign(tmp_path, **archgen, generator_steps=9) as campaign:
        assert campaign.config.options == {"generator_steps": 9}
    with pytest.raises(StoreError, match="holds another campaign"):
        open_campaign(tmp_path, **archgen).__enter__()


# In a process of its own: checking every shape and type would take many times as long.
IN_PIECES = """
import sys
from pathlib import Path
from archgen.session import open_campaign
from graphs.tables.nas_bench_graph import load_nas_bench_graph

folder, strategy, queries = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
table = load_nas_bench_graph("cora")
arguments = dict(space="nas-bench-graph", task="cora", strategy=strategy, seed=2)
with open_campaign(folder / "whole", **arguments) as campaign:
    campaign.run(table, queries)
for budget in [5, *range(queries - 3, queries + 1)]:
    with open_campaign(folder / "pieces", **arguments) as campaign:
        campaign.run(table, budget - 1)
        campaign.ask()  # and the session ends before it tells
with open_campaign(folder / "pieces", **arguments) as campaign:
    campaign.run(table, queries)
"""


@pytest.mark.parametrize(
    ("strategy", "queries"), [("random", 20), ("evolution", 56), ("local-search", 12), ("archgen-mutation", 14)]
)
def test_reopening_before_queries_changes_no_row(tmp_path: Path, rows: Rows, strategy: str, queries: int) -> None:
    """What a process has seen, such as the numbering of features, must not reach the proposals: to the last bit."""
    subprocess.run([sys.executable, "-c", IN_PIECES, tmp_path, strategy, str(queries)], check=True)
    whole = rows(tmp_path / "whole")
    assert len(whole) == 2 * queries
    assert rows(tmp_path / "pieces") == whole


def test_one_session_at_a_time_and_reading_beside_it(tmp_path: Path) -> None:
    table = load_nas_bench_graph("cora")
    with open_campaign(tmp_path, **CORA) as campaign:
        campaign.run(table, 2)
        with pytest.raises(CampaignBusy, match="works on this campaign"):
            open_campaign(tmp_path, **CORA).__enter__()
        assert read_campaign(tmp_path).spent == 2
    with open_campaign(tmp_path, **CORA) as campaign:
        assert campaign.spent == 2


def test_reading_what_is_not_there_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no campaign here"):
        read_campaign(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_store_without_a_campaign_is_told(tmp_path: Path) -> None:
    from bo.store import Store

    Store(tmp_path / STORE, create=True).close()
    with pytest.raises(StoreError, match="never begun; run archgen search"):
        read_campaign(tmp_path)


def test_a_finished_campaign_opens_without_torch(tmp_path: Path) -> None:
    with open_campaign(tmp_path, **{**CORA, "strategy": "archgen"}) as campaign:
        campaign.tell(campaign.ask()[0], {"valid_accuracy": 1.0})
    code = f"""
import sys
from pathlib import Path
from archgen.campaign_folder import read_campaign
from archgen.session import open_campaign
with open_campaign({str(tmp_path)!r}, space="nas-bench-graph", task="cora", strategy="archgen") as campaign:
    campaign.run(None, 1)
print(read_campaign({str(tmp_path)!r}).spent, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 False\n"
