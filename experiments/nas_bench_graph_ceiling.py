"""How much of NAS-Bench-Graph's regret is luck: what a model that knows four fifths of all labels would find.

    python experiments/nas_bench_graph_ceiling.py --tasks cora,cs,arxiv

A ridge regression on operations, their pairs and the wiring with each of these is fitted to four fifths of the table
and predicts the rest, five times, so that each of the 26,206 networks has a prediction made without its own label. The
regret of the best among the first 50, 90 or 1,000 by prediction is what a search could reach with as many queries if it
knew some 20,000 labels beforehand.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from scipy.stats import spearmanr

from graphs.spaces.nas_bench_graph import LINKS, OPERATIONS, Links, NasBenchGraph
from graphs.tables.nas_bench_graph import load_nas_bench_graph

FOLDS = 5
RIDGE = 30.0
FLOOR = 0.3
"""Labels below this quantile count as that quantile: failed networks would otherwise rule the fit."""
FIRST = (50, 90, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="cora,citeseer,pubmed,cs,physics,photo,computers,arxiv")
    parser.add_argument("--networks", type=int, help="look at the first so many only")
    arguments = parser.parse_args()
    space = NasBenchGraph()
    graphs = list(space.networks)[: arguments.networks]
    descriptions = [space.describe(graph) for graph in graphs]
    design = design_matrix(descriptions)
    print(
        "| data set | Spearman | in the best tenth | "
        + " | ".join(f"regret of {k}" for k in FIRST)
        + " | best row's place |"
    )
    print("|---|---|---|" + "---|" * (len(FIRST) + 1))
    for task in arguments.tasks.split(","):
        table = load_nas_bench_graph(task)
        values = np.array([table(graph)[table.objective] for graph in graphs])
        print(f"| {task} | " + " | ".join(row(cross_fit(design, values), values)) + " |", flush=True)
    print(f"\n{time.process_time():.0f} s of one core")


def row(predicted: np.ndarray, values: np.ndarray) -> list[str]:
    """The cells of one data set."""
    order = np.argsort(-predicted)
    tenth = order[: len(order) // 10]
    ranks = [spearmanr(predicted, values)[0], spearmanr(predicted[tenth], values[tenth])[0]]
    regrets = [f"{values.max() - values[order[:k]].max():.2f}" for k in FIRST]
    place = int(np.flatnonzero(order == values.argmax())[0]) + 1
    return [*(f"{rank:.2f}" for rank in ranks), *regrets, f"{place:,}"]


def cross_fit(design: sp.csr_array, values: np.ndarray) -> np.ndarray:
    """Predictions of each row by a fit to the other folds."""
    clipped = np.maximum(values, np.quantile(values, FLOOR))
    fold = np.random.default_rng(0).integers(FOLDS, size=len(values))
    found = np.zeros(len(values))
    for one in range(FOLDS):
        known, mean = fold != one, clipped[fold != one].mean()
        rows = design[known]
        normal = (rows.T @ rows).toarray()
        normal[np.diag_indices_from(normal)] += RIDGE
        weights = np.linalg.solve(normal, rows.T @ (clipped[known] - mean))
        found[~known] = design[~known] @ weights + mean
    return found


def design_matrix(descriptions: list[tuple[Links, tuple[str, ...]]]) -> sp.csr_array:
    """A row of zeros and ones for each network."""
    columns: dict[tuple[object, ...], int] = {}
    rows = [[columns.setdefault(term, len(columns)) for term in terms(*one)] for one in descriptions]
    ends = np.cumsum([0, *map(len, rows)])
    places = np.concatenate([np.array(one) for one in rows])
    return sp.csr_array((np.ones(len(places)), places, ends), shape=(len(rows), len(columns)))


def terms(links: Links, ops: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    """The wiring, operations, pairs of operations, each with and without the wiring, and how often each stands."""
    assert links in LINKS
    yield ("wiring", links)
    slots = list(enumerate(ops))
    for some in (*itertools.combinations(slots, 1), *itertools.combinations(slots, 2)):
        yield ("ops", some)
        yield ("both", links, some)
    for op in OPERATIONS:
        yield ("count", op, ops.count(op))


if __name__ == "__main__":
    main()
