"""Whether pre-training on free statistics helps graph neural networks that learn from few labels.

    python experiments/pretraining.py

Kendall's tau on architectures that were not learned from; the same labels, scale and training for both, only the
weights at the start differ. Only members that see all labels are trained, as left-out beliefs are not asked for.
"""

import argparse
import statistics
import time

import torch
from predictor_data import labelled, split
from scipy.stats import kendalltau
from torch import Tensor

from predictors.encodings import Encodings
from predictors.graph_inputs import GraphTensors
from predictors.kinds import KINDS
from predictors.member_training import Schedule, train_members
from predictors.members import outputs_of
from predictors.neural import gnn_maker

CASES = {
    "nasbench201": ("nasbench201", "cifar100", "test_accuracy"),
    "nas-bench-graph": ("nas-bench-graph", "arxiv", None),
    "ofa-mobilenetv3": ("ofa-mobilenetv3", None, None),
}
STARTS = ("random", "pretrained")
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
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| space | labels | WL-GP | GNN | pre-trained GNN | difference | better in |\n|---|---|---|---|---|---|---|")
    started = time.perf_counter()
    for name in args.spaces:
        space, graphs, labels = labelled(*CASES[name])
        encodings = Encodings(space)
        for count in args.labels:
            seeds = range(args.first_seed, args.first_seed + args.seeds)
            rows = [split(len(graphs), count, args.tested, seed) for seed in seeds]
            found = [compare(encodings, graphs, labels, *pair, args.steps) for pair in rows]
            print(line(name, count, found), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


def compare(
    encodings: Encodings, graphs: list, labels: Tensor, kept: list[int], left: list[int], steps: int
) -> tuple[float, ...]:
    """Kendall's tau of the Gaussian process, and of networks from each start."""
    known, asked = [graphs[row] for row in kept], [graphs[row] for row in left]
    process = KINDS["wl-gp"].fit(encodings, (known, labels[kept]), None, 0)
    targets, x, held = process.targets, encodings.graph_inputs(known), encodings.graph_inputs(asked)
    means = [process.moments(asked)[0], *(fitted(encodings, start, x, targets, steps, held) for start in STARTS)]
    return tuple(float(kendalltau(mean.numpy(), labels[left].numpy()).statistic) for mean in means)


def fitted(
    encodings: Encodings, start: str, x: GraphTensors, targets: Tensor, steps: int, held: GraphTensors
) -> Tensor:
    """What networks that are trained from a start say of held-out graphs."""
    rng = torch.Generator().manual_seed(0)
    network = gnn_maker(encodings, 1)(MEMBERS, rng)
    if start == "pretrained":
        network.start_from(encodings.pretrained)
    train_members(network, x, targets.float()[:, None], torch.ones(MEMBERS, len(targets)), Schedule(steps=steps), rng)
    return outputs_of(network, held)[..., 0].mean(0)


def line(name: str, count: int, found: list[tuple[float, ...]]) -> str:
    process, plain, pretrained = zip(*found, strict=True)
    gains = [after - before for before, after in zip(plain, pretrained, strict=True)]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    means = " | ".join(f"{statistics.mean(part):.3f}" for part in (process, plain, pretrained))
    better = f"{sum(gain > 0 for gain in gains)} of {len(gains)}"
    return f"| {name} | {count} | {means} | {statistics.mean(gains):+.3f} ± {error:.3f} | {better} |"


if __name__ == "__main__":
    main()
