"""chosen_graph, chosen_source: what of a campaign is exported, and on which data it is trained for that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archgen.retraining import read_retraining
from bo.campaign import Campaign
from gnn_search.evaluator import DataSource
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, UnknownName

SOURCE = "data_source"
"""Under which a campaign's store keeps what it trains on."""
SPACES = ("gnn", "auto-gnn")


def chosen_graph(campaign: Campaign, folder: Path, query: int | None = None, arch: str | None = None) -> ArchGraph:
    """The architecture of a query or of a string; unless given the campaign's best by validation.

    That is the best of those that were trained again where any were, else the best of the queries.

    Raises:
        InvalidOption: both are given, there is no such query, or nothing was found yet.
        InvalidArchitecture: the string is none of the campaign's space.
    """
    if campaign.space.name not in SPACES:
        raise InvalidOption(f"{folder} is a campaign of {campaign.space.name}; export is for {' and '.join(SPACES)}")
    if query is not None and arch is not None:
        raise InvalidOption("--query and --arch both say what to export; leave one out")
    if arch is not None:
        return campaign.space.parse(arch)
    if query is not None:
        if query - 1 not in {trial.number for trial in campaign.history.trials}:
            raise InvalidOption(f"query {query}: {folder} has {len(campaign.history.trials)} queries, counted from 1")
        return campaign.trial(query - 1).graph
    retraining = read_retraining(folder)
    if retraining is not None:
        return campaign.space.parse(retraining.best.arch)
    found = [trial for trial in campaign.history.feasible if _validation(trial.metrics) is not None]
    if not found:
        raise InvalidOption(f"{folder}: nothing was trained there yet; go on with the search, or give --arch")
    return max(found, key=lambda trial: _validation(trial.metrics) or 0.0).graph


def chosen_source(
    campaign: Campaign, folder: Path, data: str | None = None, kind: str | None = None, inductive: bool = False
) -> DataSource:
    """The data to train on; that of the campaign unless given.

    Raises:
        InvalidOption: the campaign does not say on which.
        UnknownName, DataError: the data cannot be had or trained on.
    """
    kept = campaign.store.read_meta(SOURCE)
    if data is not None:
        source = DataSource(data, kind, inductive)  # type: ignore[arg-type]
    elif kept is not None and kind is None and not inductive:
        source = DataSource(**kept)
    else:
        retraining = read_retraining(folder)
        name = kept["name"] if kept else campaign.config.task if retraining is None else retraining.data
        pairs = retraining is not None and retraining.metric == "auc"
        source = DataSource(name, kind or ("link" if pairs else None), inductive)  # type: ignore[arg-type]
    try:
        source.load()
    except UnknownName as error:
        if data is not None or kind is not None:
            raise
        raise InvalidOption(f"{folder}: its data {source.name!r} cannot be had here ({error}); give --data") from error
    return source


def _validation(metrics: Mapping[str, float]) -> float | None:
    return next((metrics[name] for name in ("valid_accuracy", "valid_auc") if name in metrics), None)
