"""Whether pre-training on free statistics helps graph neural networks that learn from few labels.

    python experiments/pretraining.py
    python experiments/pretraining.py --scores --spaces nasbench201 --labels 20 50 100

Kendall's tau on architectures that were not learned from; the same labels, scale and training for all, only the
weights at the start differ. --scores: published zero-cost scores as targets too, beside free statistics alone. Only
members that see all labels are trained, as left-out beliefs are not asked for.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import torch
from predictor_data import labelled, split
from scipy.stats import kendalltau
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from graphs.tables.zero_cost import load_zero_cost
from predictors.encodings import Encodings
from predictors.gnn import GraphMembers
from predictors.graph_inputs import GraphTensors
from predictors.kinds import KINDS
from predictors.member_training import Schedule, train_members
from predictors.members import outputs_of
from predictors.neural import gnn_maker
from predictors.pretraining import Statistics, pretrain
from predictors.robot import scaled

CASES = {
    "nasbench201": ("nasbench201", "cifar100", "test_accuracy"),
    "nas-bench-graph": ("nas-bench-graph", "arxiv", None),
    "ofa-mobilenetv3": ("ofa-mobilenetv3", None, None),
}
SCORES = ("grad_norm", "snip", "grasp", "fisher", "synflow", "jacov", "nwot")
"""Zero-cost scores that are not among the free statistics already."""
Starts = Mapping[str, GraphMembers | None]
"""What networks start from, by the name of a column; None is random weights."""
MEMBERS = 3
"""Networks whose mean is judged."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--labels", nargs="+", type=int, default=[20, 50, 100, 200])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tested", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=Schedule.steps)
    parser.add_argument("--scores", action="store_true", help="zero-cost scores as targets as well (nasbench201)")
    args = parser.parse_args()
    if args.scores and args.spaces != ["nasbench201"]:
        parser.error("scores are published of nasbench201 alone; add --spaces nasbench201")
    torch.set_num_threads(1)
    started = time.perf_counter()
    for name in args.spaces:
        space, graphs, labels = labelled(*CASES[name])
        encodings = Encodings(space)
        starts = {"GNN": None, "pre-trained GNN": encodings.pretrained}
        if args.scores:
            starts["on scores too"] = pretrain(space, encodings.graph_inputs, published_scores(space))
        print(f"| space | labels | WL-GP | {' | '.join(starts)} | difference | better in |")
        print("|---" * (5 + len(starts)) + "|")
        for count in args.labels:
            seeds = range(args.first_seed, args.first_seed + args.seeds)
            rows = [split(len(graphs), count, args.tested, seed) for seed in seeds]
            found = [compare(encodings, starts, graphs, labels, *pair, args.steps) for pair in rows]
            print(line(name, count, found), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


def published_scores(space: SearchSpace) -> Statistics:
    """Mean ranks of a network's cells, from -1 to 1, as scores have many orders of magnitude; 0 where one failed."""
    table, found = load_zero_cost(), defaultdict[ArchGraph, list[np.ndarray]](list)
    ranks = 2 * scaled(np.stack([table.column(name) for name in SCORES], 1), "ranks") - 1
    for graph, row in zip(table.graphs, ranks, strict=True):
        if not np.isnan(row).any():
            found[space.network(graph)].append(row)
    means = {network: np.mean(rows, 0) for network, rows in found.items()}
    return lambda graph: dict(zip(SCORES, means.get(space.network(graph), np.zeros(len(SCORES))), strict=True))


def compare(
    encodings: Encodings, starts: Starts, graphs: list, labels: Tensor, kept: list[int], left: list[int], steps: int
) -> tuple[float, ...]:
    """Kendall's tau of the Gaussian process, and of networks from each start."""
    known, asked = [graphs[row] for row in kept], [graphs[row] for row in left]
    process = KINDS["wl-gp"].fit(encodings, (known, labels[kept]), None, 0)
    targets, x, held = process.targets, encodings.graph_inputs(known), encodings.graph_inputs(asked)
    means = [
        process.moments(asked)[0],
        *(fitted(encodings, start, x, targets, steps, held) for start in starts.values()),
    ]
    return tuple(float(kendalltau(mean.numpy(), labels[left].numpy()).statistic) for mean in means)


def fitted(
    encodings: Encodings, start: GraphMembers | None, x: GraphTensors, targets: Tensor, steps: int, held: GraphTensors
) -> Tensor:
    """What networks that are trained from a start say of held-out graphs."""
    rng = torch.Generator().manual_seed(0)
    network = gnn_maker(encodings, 1)(MEMBERS, rng)
    if start is not None:
        network.start_from(start)
    train_members(network, x, targets.float()[:, None], torch.ones(MEMBERS, len(targets)), Schedule(steps=steps), rng)
    return outputs_of(network, held)[..., 0].mean(0)


def line(name: str, count: int, found: list[tuple[float, ...]]) -> str:
    """Means over seeds, and what the last start is better by than the one before it."""
    columns = list(zip(*found, strict=True))
    gains = [after - before for before, after in zip(*columns[-2:], strict=True)]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    means = " | ".join(f"{statistics.mean(part):.3f}" for part in columns)
    better = f"{sum(gain > 0 for gain in gains)} of {len(gains)}"
    return f"| {name} | {count} | {means} | {statistics.mean(gains):+.3f} ± {error:.3f} | {better} |"


if __name__ == "__main__":
    main()
