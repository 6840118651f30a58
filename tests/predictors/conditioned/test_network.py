"""Networks on pairs: what they learn of data sets, and that chance comes from the seed."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from graphs.errors import InvalidOption
from graphs.spaces.nasbench201 import NasBench201
from predictors.conditioned.datasets import ClassSets, DataSets, ItemSets, Pairs, StatisticVectors
from predictors.conditioned.graph_vectors import GraphVectors
from predictors.conditioned.network import DatasetNetwork, NetworkConfig, fit_dataset_network
from predictors.features import wl_labels

SPACE = NasBench201()
QUICK = NetworkConfig(width=16, members=2, epochs=3)


def fit(pairs: Pairs, labels: Tensor, config: NetworkConfig, seed: int = 0) -> DatasetNetwork:
    vectors = GraphVectors.of(SPACE, {"wl0": wl_labels(0)}, pairs.graphs)
    return fit_dataset_network(vectors, pairs, labels, config, seed=seed)


def test_the_same_seed_gives_the_same_networks(class_data: tuple[Pairs, Tensor]) -> None:
    pairs, labels = class_data
    before = torch.random.get_rng_state()
    first, again, other = (fit(pairs, labels, QUICK, seed).predict(pairs) for seed in (0, 0, 1))
    assert first.latent_mean.equal(again.latent_mean)
    assert first.latent_variance.equal(again.latent_variance)
    assert not first.latent_mean.equal(other.latent_mean)
    assert torch.random.get_rng_state().equal(before)


def test_it_predicts_sets_of_classes_that_it_has_not_seen(class_data: tuple[Pairs, Tensor]) -> None:
    pairs, labels = class_data
    seen, held = ((pairs.place < 60) == told for told in (True, False))
    rows, asked = seen.nonzero()[:, 0], held.nonzero()[:, 0]
    config = NetworkConfig(width=16, members=3, epochs=60, batch=32)
    model = fit(pairs.take(rows), labels[rows], config)
    found = model.predict(pairs.take(asked))
    assert spearmanr(found.mean, labels[asked])[0] > 0.85
    low, high = found.interval(0.8)
    assert 0.5 < float(((labels[asked] > low) & (labels[asked] < high)).double().mean()) < 1.0
    unknown = Pairs(pairs.graphs[:3], torch.zeros(3).long(), ClassSets.of([[13, 14, 400]], 15))
    assert bool(model.predict(unknown).mean.isfinite().all())


@pytest.mark.parametrize("kind", ["items", "statistics"])
def test_it_learns_from_what_is_in_a_data_set(kind: str) -> None:
    """The label is how far the two classes' items are apart, or the first number."""
    rng = np.random.default_rng(0)
    apart = rng.uniform(0, 3, size=60)
    datasets: DataSets = StatisticVectors(torch.from_numpy(np.stack([apart, rng.standard_normal(60)], 1)).float())
    if kind == "items":
        items = [rng.standard_normal((2, 12, 2)) + np.array([[[gap, 0.0]], [[-gap, 0.0]]]) for gap in apart]
        datasets = ItemSets.of([[torch.from_numpy(one).float() for one in both] for both in items])
    place = torch.arange(60).repeat(3)
    graphs = tuple(SPACE.sample(rng) for _ in place)
    pairs, labels = Pairs(graphs, place, datasets), torch.from_numpy(apart)[place]
    rows, asked = (place < 45).nonzero()[:, 0], (place >= 45).nonzero()[:, 0]
    config = NetworkConfig(width=16, members=2, epochs=40, batch=32)
    found = fit(pairs.take(rows), labels[rows], config).predict(pairs.take(asked))
    assert spearmanr(found.mean, labels[asked])[0] > 0.8


def test_one_data_set_is_too_few(class_data: tuple[Pairs, Tensor]) -> None:
    pairs, labels = class_data
    one = Pairs(pairs.graphs, torch.zeros_like(pairs.place), pairs.datasets)
    with pytest.raises(InvalidOption, match="expected at least 2"):
        fit(one, labels, QUICK)
    with pytest.raises(InvalidOption, match="all finite"):
        fit(pairs, labels * torch.inf, QUICK)
