"""Equal costs: every candidate measured in full, against those that are promising after fewer epochs alone.

    python experiments/multi_fidelity.py
    python experiments/multi_fidelity.py --strategies random,evolution --seeds 20

NAS-Bench-201 on CIFAR-10. The objective is the validation accuracy after 200 epochs; 12 epochs come first, of which a
third goes on. A cost is a number of epochs, those of both trainings where there are two. Regret is the distance to the
best validation accuracy of the table, in points, among what was trained in full.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from archgen.session import open_campaign
from bo.records import History
from graphs.tables.catalogue import load_table
from graphs.tables.table import BenchmarkTable

LOW, FULL = 12.0, 200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default="random,evolution,wl-gp")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--networks", type=int, default=40, help="the cost, in full trainings")
    arguments = parser.parse_args()
    table = load_table("nasbench201", "cifar10")
    marks = [FULL * arguments.networks * share for share in (0.25, 0.5, 1.0)]
    print("| strategy | measured | " + " | ".join(f"{mark:,.0f} epochs" for mark in marks) + " | queries |")
    print("|---|---|" + "---|" * (len(marks) + 1))
    for strategy in arguments.strategies.split(","):
        for fidelities in ((FULL,), (LOW, FULL)):
            runs = [
                search(table, strategy, seed, fidelities, marks)
                for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
            ]
            row(strategy, "in full" if len(fidelities) == 1 else "12 epochs first", runs)
    print(f"\n{time.process_time():.0f} s of one core")


def search(
    table: BenchmarkTable, strategy: str, seed: int, fidelities: Sequence[float], marks: Sequence[float]
) -> tuple[list[float], int]:
    """The regret when so much had been spent, and the queries in all."""
    ladder = tuple(fidelities) if len(fidelities) > 1 else ()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_campaign(
            Path(folder), space="nasbench201", task="cifar10", strategy=strategy, seed=seed, fidelities=ladder
        ) as campaign,
    ):
        if ladder:
            campaign.run(table, 10**6, cost=marks[-1])
        else:
            campaign.run(lambda graph: table(graph, FULL), 10**6, cost=marks[-1])
        history = campaign.history
    return [regret_at(history, table, mark) for mark in marks], len(history.ended)


def regret_at(history: History, table: BenchmarkTable, most: float) -> float:
    """The regret of the best that was known when `most` had been spent."""
    spent, best = 0.0, -math.inf
    for trial in history.ended:
        spent += trial.cost or 0.0
        if spent <= most and trial.status == "done":
            best = max(best, history.gain(trial))
    return table.best(history.objective.metric) - best


def row(strategy: str, measured: str, runs: Sequence[tuple[list[float], int]]) -> None:
    """Mean and standard error over seeds."""
    regrets = np.array([regret for regret, _ in runs])
    errors = regrets.std(0, ddof=1) / math.sqrt(len(runs)) if len(runs) > 1 else np.zeros(regrets.shape[1])
    cells = [f"{mean:.3f} ± {error:.3f}" for mean, error in zip(regrets.mean(0), errors, strict=True)]
    queries = np.mean([count for _, count in runs])
    print(f"| {strategy} | {measured} | {' | '.join(cells)} | {queries:.0f} |", flush=True)


if __name__ == "__main__":
    main()
