"""Warm start: the labels of a file or of an earlier campaign, as what a new campaign knows beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from archgen.goals import Goals
from archgen.properties import Cost
from bo.prior import prior_trial
from bo.records import Trial
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace


def read_prior(
    path: Path | str, space: SearchSpace, goals: Goals, costs: Mapping[str, Cost], identify: Callable[[ArchGraph], str]
) -> tuple[Trial, ...]:
    """The measured architectures of a file or of a campaign's directory, see `archgen.labels.read_labels`.

    They must have been measured as the campaign will measure: its metrics under their names and in their units.
    Metrics in `costs` are computed.

    Raises:
        InvalidOption, StoreError: the labels cannot be read.
        UnknownName: a goal's metric is not among them.
    """
    from archgen.labels import read_labels  # loads torch

    wanted = [name for name in goals.metrics if name not in costs]
    labels = read_labels(path, space, wanted)
    told = {name: labels.columns[name].tolist() for name in wanted}

    def metrics(place: int, graph: ArchGraph) -> dict[str, float]:
        learned = {name: values[place] for name, values in told.items()}
        return learned | {name: float(cost(graph)) for name, cost in costs.items()}

    return tuple(
        prior_trial(place, graph, space.format(graph), identify(graph), metrics(place, graph))
        for place, graph in enumerate(labels.graphs)
    )
