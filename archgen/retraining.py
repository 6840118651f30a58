"""retrain: the best architectures of a campaign on a data set, trained anew beside those that people designed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bo.campaign import Campaign
from bo.evaluators.function import Function
from bo.executors.warm import WarmExecutor
from bo.outcome import Measured
from gnn_search.evaluator import DataSource, GnnEvaluator
from gnn_search.hand_made import HAND_MADE
from gnn_search.training import Protocol
from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError
from graphs.spaces.attributed_dag_text import format_graph

FILE = "retrained.json"
FIRST_SEED = 1000
"""Seeds that no search uses."""
FINALISTS = 5
"""Of a campaign, best by what it saw; which of them is the best is decided by validation over all seeds."""


@dataclass(frozen=True)
class Retrained:
    """An architecture that was trained with several seeds.

    Args:
        name: "found 1", "found 2", ... in the campaign's order, or the name of one that people designed.
        arch: its string.
        valid, test: means over the seeds, in percent.
        valid_deviation, test_deviation: over the seeds.
        params: in millions.
        seconds: of one training.
    """

    name: str
    arch: str
    valid: float
    valid_deviation: float
    test: float
    test_deviation: float
    params: float
    seconds: float


@dataclass(frozen=True)
class Retraining:
    """All that were retrained.

    Args:
        data: the name of the data.
        metric: "accuracy" or "auc".
        seeds: how many.
        found: those of the campaign, the best by validation first.
        hand_made: the others.
    """

    data: str
    metric: str
    seeds: int
    found: tuple[Retrained, ...]
    hand_made: tuple[Retrained, ...]

    @property
    def best(self) -> Retrained:
        return self.found[0]


def finalists(campaign: Campaign) -> list[ArchGraph]:
    """The best of a campaign by its objective, measured with as many seeds as any."""
    history = campaign.history
    order = sorted(history.feasible, key=history.merit, reverse=True)
    return [trial.graph for trial in order[:FINALISTS]]


def retrain(
    campaign: Campaign,
    folder: Path,
    source: DataSource,
    protocol: Protocol,
    seeds: int = 10,
    workers: int = 1,
    watch: Callable[[int, int], object] = lambda *_: None,
) -> Retraining:
    """Train the finalists and the hand-made networks with fresh seeds; the test metric is looked at here, once.

    What was done before in the campaign's folder for the same finalists is read back.

    Args:
        campaign: on a space of GNNs.
        folder: its directory.
        source, protocol: as in the campaign.
        seeds: how many.
        workers: processes of one thread each.
        watch: called with how many are done, and of how many.

    Raises:
        EvaluationError: the campaign has found nothing, or none of its finalists could be trained again.
    """
    graphs = {f"found {place}": graph for place, graph in enumerate(finalists(campaign), start=1)}
    if not graphs:
        raise EvaluationError("the campaign has no architecture that could be trained; give it a larger budget")
    known = read_retraining(folder)
    texts = sorted(map(format_graph, graphs.values()))
    if known is not None and known.seeds == seeds and sorted(one.arch for one in known.found) == texts:
        return known
    evaluator = GnnEvaluator(source, protocol, FIRST_SEED, test=True)
    told = _measure({**graphs, **HAND_MADE}, evaluator, seeds, workers, watch)
    rows = {
        name: _row(name, format_graph(graph), metrics, seeds)
        for name, graph in {**graphs, **HAND_MADE}.items()
        if (metrics := told.get(name)) is not None
    }
    found = sorted((rows[name] for name in graphs if name in rows), key=lambda one: one.valid, reverse=True)
    if not found:
        raise EvaluationError("none of the finalists could be trained again")
    metric = "auc" if source.kind == "link" else "accuracy"
    made = tuple(rows[name] for name in HAND_MADE if name in rows)
    result = Retraining(source.name, metric, seeds, tuple(found), made)
    path = folder / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(result), indent=1))
    os.replace(part, path)
    return result


def read_retraining(folder: Path) -> Retraining | None:
    """What `retrain` wrote into a campaign's folder, if it did."""
    path = folder / FILE
    if not path.is_file():
        return None
    told = json.loads(path.read_text())
    found, made = (tuple(Retrained(**row) for row in told.pop(name)) for name in ("found", "hand_made"))
    return Retraining(**told, found=found, hand_made=made)


def _measure(
    graphs: Mapping[str, ArchGraph],
    evaluator: GnnEvaluator,
    seeds: int,
    workers: int,
    watch: Callable[[int, int], object],
) -> dict[str, Mapping[str, float]]:
    """The metrics of each architecture that could be trained."""
    executor = WarmExecutor(Function.of(evaluator), workers)
    names, waiting, told = list(graphs), list(range(len(graphs))), dict[str, Mapping[str, float]]()
    running = done = 0
    try:
        while waiting or running:
            while waiting and running < workers:
                place = waiting.pop(0)
                executor.submit(place, graphs[names[place]], float(seeds))
                running += 1
            for answer in executor.wait(1.0):
                running -= 1
                done += 1
                watch(done, len(graphs))
                if isinstance(answer.outcome, Measured):
                    told[names[answer.key]] = answer.outcome.metrics
    finally:
        executor.close()
    return told


def _row(name: str, arch: str, metrics: Mapping[str, float], seeds: int) -> Retrained:
    metric = "auc" if "valid_auc" in metrics else "accuracy"
    return Retrained(
        name,
        arch,
        metrics[f"valid_{metric}"],
        metrics["valid_deviation"],
        metrics[f"test_{metric}"],
        metrics["test_deviation"],
        metrics["params"],
        metrics["cost"] / seeds,
    )
