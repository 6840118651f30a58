"""Folds: labels of one graph are left out together, and no model sees the labels that it is asked for."""

import numpy as np
import torch

from graphs.space import SearchSpace
from predictors.encodings import Encodings
from predictors.folds import FOLDS, cross_validate, fold_numbers
from predictors.kinds import KINDS


def test_labels_of_one_graph_share_their_fold(any_space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    graphs = [any_space.sample(rng) for _ in range(60)] * 2
    folds = fold_numbers(graphs)
    by_graph: dict[object, set[int]] = {}
    for graph, fold in zip(graphs, folds.tolist(), strict=True):
        by_graph.setdefault(graph, set()).add(fold)
    assert all(len(found) == 1 for found in by_graph.values())
    assert len(set(folds.tolist())) == FOLDS


def test_a_label_does_not_change_what_is_believed_of_it(any_space: SearchSpace) -> None:
    rng, encodings = np.random.default_rng(1), Encodings(any_space)
    graphs = [any_space.sample(rng) for _ in range(20)]
    labels = torch.tensor([float(len(any_space.network(graph))) for graph in graphs]).double()
    labels += 0.1 * torch.from_numpy(rng.normal(size=20))
    folds = fold_numbers(graphs, 4)

    def fit(some, known):
        return {"wl-gp": KINDS["wl-gp"].fit(encodings, (some, known), None, 0)}

    mean, _ = cross_validate(fit, graphs, labels, folds)[0]["wl-gp"]
    changed = labels.clone()
    changed[folds == folds[0]] = 1e3
    found, targets = cross_validate(fit, graphs, changed, folds)
    torch.testing.assert_close(found["wl-gp"][0][folds == folds[0]], mean[folds == folds[0]], rtol=0, atol=0)
    assert bool(targets.isfinite().all())
