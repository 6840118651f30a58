"""What networks add to the Gaussian process: Kendall's tau of each, of their mean, and weights by stacking.

    python experiments/neural_kinds.py --cases arxiv-200

Stacking is done twice: with the process's own left-out beliefs, in closed form, and with those of processes fitted to
the folds that the networks were trained on, which puts both on an equal footing.
"""

import argparse
import time
from collections import defaultdict

import numpy as np
import torch
from predictor_data import labelled, split
from scipy.stats import kendalltau
from torch import Tensor

from graphs.archgraph import ArchGraph
from predictors.encodings import Encodings
from predictors.folds import cross_validate, fold_numbers
from predictors.kinds import KINDS
from predictors.latent_model import LatentModel, Moments
from predictors.mixture import mixed, stack
from predictors.prediction import Prediction
from predictors.scores import score

CASES = {
    "arxiv-200": ("nas-bench-graph", "arxiv", None, 200),
    "cifar100-50": ("nasbench201", "cifar100", "test_accuracy", 50),
    "cifar100-200": ("nasbench201", "cifar100", "test_accuracy", 200),
    "ofa-100": ("ofa-mobilenetv3", None, None, 100),
}
NETWORKS = ("path-ensemble", "gnn-ensemble", "pretrained-gnn", "deep-kernel")
BASE = "wl-gp"
COLUMNS = ("tau", "NLL", "in 50", "in 80", "in 95", "fit s", "score s", "tau of the mean", "weight", "weight, folds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--kinds", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tested", type=int, default=3000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| case | kind | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
    for case in args.cases:
        *names, count = CASES[case]
        space, graphs, labels = labelled(*names)
        encodings, found = Encodings(space), defaultdict(list)
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            kept, left = split(len(graphs), count, args.tested, seed)
            known, asked = [graphs[row] for row in kept], [graphs[row] for row in left]
            for kind, row in compare(encodings, known, labels[kept], asked, labels[left], args.kinds).items():
                found[kind].append(row)
        for kind, rows in found.items():
            cells = " | ".join("" if np.isnan(value) else f"{value:.3f}" for value in np.mean(rows, 0))
            print(f"| {case} | {kind} | {cells} |", flush=True)


def compare(
    encodings: Encodings, known: list[ArchGraph], labels: Tensor, asked: list[ArchGraph], truth: Tensor, kinds: list
) -> dict[str, list[float]]:
    """The columns of each kind."""
    base, base_found, base_row = judged(encodings, BASE, (known, labels), asked, truth, None)
    by_folds, targets = left_out_of_folds(encodings, base, known, labels)
    rows = {BASE: [*base_row, np.nan, np.nan, np.nan]}
    for kind in kinds:
        model, found, row = judged(encodings, kind, (known, labels), asked, truth, base)
        beliefs = ((base.left_out(), base.targets), (by_folds, targets))
        weights = [stack({BASE: own, kind: model.left_out()}, at).get(kind, 0.0) for own, at in beliefs]
        mean, _ = mixed({BASE: 0.5, kind: 0.5}, {BASE: base_found, kind: found})
        rows[kind] = [*row, tau(mean, truth), *weights]
    return rows


def judged(
    encodings: Encodings, kind: str, known: tuple, asked: list[ArchGraph], truth: Tensor, base: LatentModel | None
) -> tuple[LatentModel, Moments, list[float]]:
    """A model on the scale of `base`, what it says, and how good that is."""
    started = time.perf_counter()
    model = KINDS[kind].fit(encodings, known, base.scale if base else None, 0)
    fitted = time.perf_counter()
    mean, variance = model.moments(asked)
    ended = time.perf_counter()
    found = score(Prediction(model.scale, mean, variance + model.noise), truth)
    inside = [found.inside50, found.inside80, found.inside95]
    return model, (mean, variance), [tau(mean, truth), found.nll, *inside, fitted - started, ended - fitted]


def left_out_of_folds(
    encodings: Encodings, base: LatentModel, known: list[ArchGraph], labels: Tensor
) -> tuple[Moments, Tensor]:
    """What processes say of the folds that they were not fitted to, all on one scale."""

    def fit(graphs: list[ArchGraph], kept: Tensor) -> dict[str, LatentModel]:
        return {BASE: KINDS[BASE].fit(encodings, (graphs, kept), base.scale, 0)}

    found, targets = cross_validate(fit, known, labels, fold_numbers(known))
    return found[BASE], targets


def tau(mean: Tensor, truth: Tensor) -> float:
    return float(kendalltau(mean.numpy(), truth.numpy()).statistic)


if __name__ == "__main__":
    main()
