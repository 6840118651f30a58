"""How well surrogates rank labelled architectures that they have not seen, by cross-validation.

    python experiments/surrogate_ranks.py gnn labels.csv --target accuracy

The file is one that `archgen predict` reads. `wl-gp` is what a campaign fits to graphs with edges of their own;
`whole` is the same on labels of operations with all their attributes, which differs only in spaces of operations with
attributes; `slot-gp` and `ridge` know slots alone.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from archgen.labels import read_labels
from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from predictors.encodings import LOCAL, PATHWISE, Encodings, features_of
from predictors.feature_table import FeatureTable
from predictors.folds import fold_numbers
from predictors.ridge import fit_ridge
from predictors.slot_gp import fit_slot_gp
from predictors.wl_gp import WLGP

Rank = Callable[[Sequence[ArchGraph], np.ndarray, Sequence[ArchGraph]], np.ndarray]
"""Labelled graphs, their values, others; numbers that rank the others."""


def spearman_by_folds(
    rank: Rank, graphs: Sequence[ArchGraph], values: np.ndarray, folds: int = 5
) -> tuple[float, list[float]]:
    """Spearman's rank correlation with the values of graphs that were left out: the mean over folds, and each.

    Args:
        rank: fits a surrogate.
        graphs: some may come more than once; those are left out together.
        values: one for each.
        folds: how many.
    """
    fold, found = fold_numbers(graphs, folds).numpy(), []
    for number in range(folds):
        kept, left = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        scores = rank([graphs[row] for row in kept], values[kept], [graphs[row] for row in left])
        found.append(float(spearmanr(scores, values[left]).statistic))
    return float(np.mean(found)), found


def surrogates(space: SearchSpace) -> Mapping[str, Rank]:
    """Those that are compared, by name."""
    layout = layout_of(space)
    own, whole = Encodings(space).table, FeatureTable(space, {**LOCAL, **PATHWISE})
    features = features_of(layout)

    def rows(graphs: Sequence[ArchGraph]) -> torch.Tensor:
        return layout.read([space.representative(graph) for graph in graphs])

    def by_wl_gp(table: FeatureTable) -> Rank:
        def rank(known: Sequence[ArchGraph], values: np.ndarray, asked: Sequence[ArchGraph]) -> np.ndarray:
            model = WLGP(table)
            model.fit(known, values)
            found: np.ndarray = model.marginals(asked).mean.flatten().numpy()
            return found

        return rank

    def by_slot_gp(known: Sequence[ArchGraph], values: np.ndarray, asked: Sequence[ArchGraph]) -> np.ndarray:
        found: np.ndarray = fit_slot_gp(features, rows(known), torch.from_numpy(values)).latent(rows(asked))[0].numpy()
        return found

    def by_ridge(known: Sequence[ArchGraph], values: np.ndarray, asked: Sequence[ArchGraph]) -> np.ndarray:
        found: np.ndarray = fit_ridge(layout.sizes, rows(known).numpy(), values)(rows(asked).numpy())
        return found

    return {"wl-gp": by_wl_gp(own), "whole": by_wl_gp(whole), "slot-gp": by_slot_gp, "ridge": by_ridge}


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    space = get_space(args.space)
    labels = read_labels(args.labels, space, [args.target] if args.target else None)
    for name, column in labels.columns.items():
        print(f"{name}: {len(column)} labels, {args.folds} folds")
        for kind, rank in surrogates(space).items():
            mean, each = spearman_by_folds(rank, labels.graphs, column.numpy(), args.folds)
            print(f"  {kind:<8} {mean:.3f}  ({', '.join(f'{one:.3f}' for one in each)})", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("space", help="e.g. gnn")
    option("labels", type=Path, help="CSV with a column `arch`, JSON lines, or a campaign's directory")
    option("--target", help="the column; all unless given")
    option("--folds", type=int, default=5)
    try:
        main(parser.parse_args())
    except ArchgenError as error:
        parser.error(str(error))
