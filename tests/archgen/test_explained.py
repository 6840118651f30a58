"""The report of a campaign says which motifs its model thinks raise and lower the best one."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgen.campaign_folder import read_campaign
from archgen.explained import FEWEST, KINDS, explain_best, kind_of
from archgen.session import open_campaign
from bo.report import write_report
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table
from predictors.encodings import LOCAL, PATHWISE, Encodings

Run = Callable[..., Any]


def test_every_group_has_its_words() -> None:
    assert set(KINDS) == {*LOCAL, *PATHWISE}


@pytest.mark.parametrize("count", [FEWEST - 1, FEWEST + 5])
def test_a_campaign_of_some_length_is_explained(tmp_path: Path, count: int) -> None:
    with open_campaign(tmp_path, space="nas-bench-graph", task="cora", strategy="random") as campaign:
        campaign.run(load_table("nas-bench-graph", "cora"), count)
    campaign = read_campaign(tmp_path)
    found = explain_best(campaign)
    assert (found is not None) == (count >= FEWEST)
    text = write_report(campaign.space, campaign.store, tmp_path / "report.html", found).read_text()
    assert ("What matters" in text) == (found is not None)
    if found is not None:
        assert sum(motif.effect for motif in found.motifs) == pytest.approx(found.prediction - found.base)
        table = text[text.index('id="motifs"') : text.index('id="origins"')]
        assert len(re.findall("<tr", table)) > 2


def test_the_command_writes_it(archgen: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    search = ("search", "nas-bench-graph", "--task", "cora", "--strategy", "random", "--wandb", "disabled")
    found = archgen(*search, "--budget", FEWEST, "--dir", folder)
    assert found.code == 0, found.err
    assert "What matters" in (folder / "report.html").read_text()
    assert archgen("report", folder, "--out", tmp_path / "other.html").code == 0
    assert "What matters" in (tmp_path / "other.html").read_text()


@pytest.mark.parametrize("name", ["gnn", "nas-bench-graph", "synthetic-dag-16"])
def test_every_group_of_a_space_is_told(name: str) -> None:
    groups = Encodings(get_space(name)).table.names
    told = [kind_of(group) for group in groups]
    assert all(told)
    if name == "gnn":
        assert {"input's dropout", "output's steps", "attribute", "mean hidden", "operation, with attributes"} <= set(
            told
        )
