"""`archgen search gnn --data`: candidates are trained on real data, and the best ones once more at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from archgen.evaluation import Evaluation
from bo.campaign import Campaign
from graphs.errors import InvalidOption, unknown_name

if TYPE_CHECKING:
    from archgen.cli.search import Search
    from archgen.retraining import Retraining
    from gnn_search.evaluator import DataSource
    from gnn_search.training import Protocol

SPACES = ("gnn", "auto-gnn")
SEEDS = (1.0, 3.0)
"""Seeds for every candidate, and for the promising ones."""
SECONDS = 5.0
"""After which a training of a search ends with the best epoch so far; the slowest third does not come to its end."""
LAST_SECONDS = 30.0
"""The same when the best are trained again."""
TIMEOUT = 300.0
"""Seconds after which an evaluation has failed."""
WORKERS = 2
TRAININGS = "trainings"
"""The folder in a campaign's directory in which each training is remembered."""


@dataclass(frozen=True)
class DataSearch:
    """What is trained on, and how often at the end."""

    source: DataSource
    protocol: Protocol
    seeds: int
    workers: int

    def retrain(self, campaign: Campaign, folder: Path) -> Retraining:
        """See `archgen.retraining.retrain`."""
        from archgen.retraining import retrain

        return retrain(campaign, folder, self.source, self.protocol, self.seeds, self.workers)


def with_data(order: Search, data: str, kind: str | None, inductive: bool, seeds: int, workers: int | None) -> Search:
    """The search with an evaluator that trains on the data.

    Raises:
        InvalidOption: another space, another evaluator beside it, or no seeds.
        UnknownName, DataError: the data cannot be had or trained on; told before anything is begun.
    """
    from gnn_search.data_sets import Kind, require_memory
    from gnn_search.evaluator import DataSource, GnnEvaluator
    from gnn_search.training import Protocol

    if order.space not in SPACES:
        raise InvalidOption(f"--data is for spaces of GNNs, {' and '.join(SPACES)}, not {order.space}")
    if order.evaluation.evaluate is not None or order.task is not None:
        raise InvalidOption("--data is an evaluator and a task; leave out --evaluate and --task")
    if order.evaluation.executor != "local" or order.evaluation.memory is not None:
        raise InvalidOption("--data trains in processes of this machine that stay; leave out --executor and --memory")
    if seeds < 1:
        raise InvalidOption(f"--retrain-seeds {seeds}: expected at least 1")
    if kind is not None and kind not in get_args(Kind):
        raise unknown_name("kind", kind, get_args(Kind))
    source, protocol = DataSource(data, kind, inductive), Protocol(seconds=SECONDS)  # type: ignore[arg-type]
    task = source.load()
    require_memory(task, 64)
    count = WORKERS if workers is None else workers
    timeout = order.evaluation.timeout or TIMEOUT
    evaluation = Evaluation(
        GnnEvaluator(source, protocol, memory=order.folder / TRAININGS),
        count,
        timeout,
        share=order.evaluation.share,
        warm=True,
    )
    goals = order.maximize or order.minimize
    maximize = tuple(f"valid_{task.metric}" if one == "accuracy" else one for one in order.maximize)
    return replace(
        order,
        task=task.name,
        maximize=maximize if goals else (f"valid_{task.metric}",),
        fidelities=order.fidelities or SEEDS,
        evaluation=evaluation,
        data=DataSearch(source, replace(protocol, seconds=LAST_SECONDS), seeds, count),
    )


def note_source(campaign: Campaign, source: DataSource) -> None:
    """Keep in the campaign's store what it trains on, for `archgen export`."""
    from archgen.export_choice import SOURCE

    if campaign.store.read_meta(SOURCE) is None:
        campaign.store.write_meta({SOURCE: asdict(source)})


def retraining_lines(retraining: Retraining) -> list[str]:
    """The table of what was trained again, for people."""
    lines = [f"trained again with {retraining.seeds} fresh seeds, {retraining.metric} in %, mean and deviation:"]
    lines.append(f"  {'':<8} {'validation':>14} {'test':>14} {'params, M':>10} {'s a training':>13}")
    for one in (*retraining.found, *retraining.hand_made):
        valid, test = f"{one.valid:.2f} ± {one.valid_deviation:.2f}", f"{one.test:.2f} ± {one.test_deviation:.2f}"
        lines.append(f"  {one.name:<8} {valid:>14} {test:>14} {one.params:>10.4f} {one.seconds:>13.1f}")
    best = retraining.best
    lines.append(f"best GNN, chosen by validation: {best.arch}")
    lines.append(f"  test {retraining.metric} {best.test:.2f} ± {best.test_deviation:.2f} %")
    return lines
