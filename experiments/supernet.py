"""How well shared weights rank GNNs: Kendall's tau with stand-alone training, beside that of two stand-alone seeds.

    python experiments/supernet.py --space auto-gnn --data cora --candidates 60 --paths 2000

Random candidates are trained alone with two seeds. Weights are then shared along single paths, by Auto-GNN's rule and
by shapes alone, and rank the candidates with what they inherit, at once and after some epochs of training. As many
epochs from fresh weights stand beside it: what those rank is not the work of sharing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import kendalltau

from gnn_search.evaluator import DataSource, network, prepared_task
from gnn_search.supernet import SharedWeights, one_shot_score, train_shared
from gnn_search.training import PreparedTask, Protocol, train
from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError
from graphs.spaces.catalogue import get_space
from graphs.spaces.gnn import recipe_of

EPOCHS = (0, 5, 20)
"""Of training before a candidate is scored."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="auto-gnn", choices=("auto-gnn", "gnn"))
    parser.add_argument("--data", default="cora")
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--paths", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=300, help="of stand-alone training, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space, prepared = get_space(arguments.space), prepared_task(DataSource(arguments.data))
    rng = np.random.default_rng(1000 + arguments.seed)
    graphs = [space.sample(rng) for _ in range(arguments.candidates)]
    started = time.process_time()
    alone = [stand_alone(graphs, prepared, seed, arguments.epochs) for seed in (0, 1)]
    mean = np.mean(alone, 0)
    print(f"stand-alone: {time.process_time() - started:.0f} s of one core for two seeds")
    print(f"Kendall's tau between two stand-alone seeds: {tau(*alone):.2f}")
    print("| weights | epochs before scoring | tau with stand-alone | inherited | s of one core |")
    print("|---|---|---|---|---|")
    for name, shared in (("fresh", None), ("constrained", SharedWeights()), ("by shape", SharedWeights(False))):
        started = time.process_time()
        if shared is not None:
            train_shared(shared, space.sample, prepared, arguments.paths, arguments.seed)
        for epochs in EPOCHS:
            scores = [one_shot_score(shared or SharedWeights(), graph, prepared, 2, epochs) for graph in graphs]
            found, inherited = tau([score for score, _ in scores], mean), np.mean([share for _, share in scores])
            seconds = time.process_time() - started
            print(f"| {name} | {epochs} | {found:.2f} | {100 * inherited:.0f} % | {seconds:.0f} |", flush=True)


def stand_alone(graphs: Sequence[ArchGraph], prepared: PreparedTask, seed: int, epochs: int) -> list[float]:
    """Validation metrics of networks that were each trained alone; 0 of one that diverged."""
    found = []
    for graph in graphs:
        try:
            done = train(
                lambda graph=graph: network(graph, prepared.task),  # type: ignore[misc]
                prepared,
                recipe_of(graph),
                seed,
                Protocol(epochs=epochs),
            )
            found.append(done.valid)
        except EvaluationError:
            found.append(0.0)
    return found


def tau(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's tau-b."""
    return float(kendalltau(one, other).statistic)


if __name__ == "__main__":
    main()
