"""How well predictors rank architectures of which a generator has hidden parts, on NAS-Bench-201.

    python experiments/noise_aware.py --figure noise_aware.png

Spearman's and Kendall's rank correlation of what is believed of cells, some of whose slots are hidden, with the
accuracy of the whole cells, by the number of hidden slots: of a predictor that has learned from rows noised by the
generator's own process; of the same network that has learned from clean rows alone; of a noise-aware one that has
learned from what the Gaussian process says of the whole space; and of the exact mean over all cells that agree with
what is shown, with the labels of all, which no predictor passes in squared error, and that of their ranks, which none
passes in Spearman's correlation.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from predictor_data import labelled, split
from scipy.stats import kendalltau, rankdata, spearmanr
from torch import Tensor

from archgen.diffusion.process import add_noise
from graphs.layout import Layout, layout_of
from predictors.encodings import Encodings
from predictors.kinds import KINDS
from predictors.noise_aware import SCHEDULE, Noising, fit_noise_aware

CLEAN = 0.1
"""Share of rows that stay whole in training; the generator's process always hides something."""
Belief = Callable[[Tensor], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tested", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=SCHEDULE.steps)
    parser.add_argument("--figure", type=Path, help="where to draw it")
    args = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    space, graphs, labels = labelled("nasbench201", "cifar100", "test_accuracy")
    layout, encodings = layout_of(space), Encodings(space)
    rows, found = layout.read(graphs), []
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        kept, left = split(len(graphs), args.labels, args.tested, seed)
        process = KINDS["wl-gp"].fit(encodings, ([graphs[row] for row in kept], labels[kept]), None, seed)
        beliefs = beliefs_of(layout, rows, labels, kept, process.scale, process.moments(graphs)[0], args.steps)
        found.append(correlations(beliefs, layout, rows[left], labels[left], seed))
    names = list(beliefs)
    show(names, np.mean(found, 0), np.std(found, 0, ddof=min(1, args.seeds - 1)) / args.seeds**0.5)
    print(f"\n{time.perf_counter() - started:.0f} s")
    if args.figure:
        draw(args.figure, names, np.mean(found, 0))


def process_of(layout: Layout) -> Noising:
    """The generator's forward process; some rows stay whole."""

    def noising(values: Tensor, rng: torch.Generator) -> Tensor:
        noised = add_noise(values, layout.start(values), layout.hidden, rng).values
        whole = torch.rand(len(values), 1, generator=rng) < CLEAN
        return torch.where(whole, values, noised)

    return noising


def beliefs_of(
    layout: Layout, rows: Tensor, labels: Tensor, kept: list[int], scale: Callable, process: Tensor, steps: int
) -> dict[str, Belief]:
    """What is compared, each from rows with hidden slots to a mean; all learn on the scale of the process."""
    schedule, sizes, targets = replace(SCHEDULE, steps=steps), layout.sizes, scale(labels[kept])
    noising, ranks = process_of(layout), torch.from_numpy(rankdata(labels.numpy()))
    aware = fit_noise_aware(sizes, rows[kept], targets, noising, schedule)
    clean = fit_noise_aware(sizes, rows[kept], targets, lambda values, _: values, schedule)
    taught = fit_noise_aware(sizes, rows, process, noising, schedule)
    return {
        "clean rows": lambda values: clean(values)[0],
        "noise-aware": lambda values: aware(values)[0],
        "noise-aware, taught by the GP": lambda values: taught(values)[0],
        "exact mean, GP": lambda values: exact_mean(layout, rows, process, values),
        "exact mean, all labels": lambda values: exact_mean(layout, rows, labels, values),
        "exact mean rank": lambda values: exact_mean(layout, rows, ranks, values),
    }


def exact_mean(layout: Layout, rows: Tensor, labels: Tensor, values: Tensor) -> Tensor:
    """E[y | shown] under the uniform law: the mean over all rows that agree with what is shown."""
    found, (distinct, places) = [], values.unique(dim=0, return_inverse=True)
    for part in distinct.split(250):
        agree = torch.ones(len(part), len(rows), dtype=torch.bool)
        for slot, size in enumerate(layout.sizes):
            shown = part[:, slot, None]
            agree &= (shown == rows[:, slot]) | (shown == size)
        found.append(agree.double() @ labels / agree.sum(1))
    return torch.cat(found)[places]


def correlations(beliefs: dict[str, Belief], layout: Layout, rows: Tensor, labels: Tensor, seed: int) -> np.ndarray:
    """Spearman's and Kendall's, for each number of hidden slots but all, and for each belief."""
    rng = torch.Generator().manual_seed(seed)
    table = np.zeros((2, len(layout), len(beliefs)))
    for count in range(len(layout)):
        hidden = torch.rand(rows.shape, generator=rng).argsort(1) < count
        values = torch.where(hidden, layout.hidden, rows)
        for column, belief in enumerate(beliefs.values()):
            mean = belief(values).numpy()
            table[:, count, column] = [rank(mean, labels.numpy()).statistic for rank in (spearmanr, kendalltau)]
    return table


def show(names: list[str], means: np.ndarray, errors: np.ndarray) -> None:
    for title, mean, error in zip(("Spearman", "Kendall"), means, errors, strict=True):
        print(f"\n| {title}, hidden | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
        for count, (row, spread) in enumerate(zip(mean, error, strict=True)):
            cells = " | ".join(f"{one:.3f} ± {other:.3f}" for one, other in zip(row, spread, strict=True))
            print(f"| {count} of {len(mean)} | {cells} |")


def draw(path: Path, names: list[str], means: np.ndarray) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, title, mean in zip(figure.subplots(1, 2), ("Spearman", "Kendall"), means, strict=True):
        for name, column in zip(names, mean.T, strict=True):
            axes.plot(np.arange(len(mean)) / len(mean), column, marker="o", label=name)
        axes.set(xlabel="share of slots that are hidden", ylabel=title, ylim=(0, 1))
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
