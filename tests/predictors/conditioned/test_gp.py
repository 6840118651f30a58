"""The Gaussian process on pairs: against the Gaussian written out, and on effects that are known."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from graphs.errors import InvalidOption
from predictors.conditioned.datasets import ClassSets, Pairs
from predictors.conditioned.gp import FEWEST_OF_ONE, MOST_ROWS, DatasetGP, evidence_pairs, fit_dataset_gp
from predictors.conditioned.kernel import PairKernel, overlap
from predictors.feature_table import FeatureTable

TERMS = (("slots", "wl0"),)


def parts(class_data: tuple[Pairs, Tensor]) -> tuple[Pairs, Tensor, Pairs, Tensor]:
    """Labels of 60 data sets, and of the 20 others."""
    pairs, labels = class_data
    seen = (pairs.place < 60).nonzero()[:, 0]
    held = (pairs.place >= 60).nonzero()[:, 0]
    return pairs.take(seen), labels[seen], pairs.take(held), labels[held]


@pytest.fixture(scope="module")
def model(small_table: FeatureTable, class_data: tuple[Pairs, Tensor]) -> DatasetGP:
    pairs, labels, *_ = parts(class_data)
    return fit_dataset_gp(PairKernel(small_table, TERMS, overlap), pairs, labels)


def test_predictions_are_those_of_the_gaussian(model: DatasetGP, class_data: tuple[Pairs, Tensor]) -> None:
    pairs, labels, asked, _ = parts(class_data)
    kernel = model.kernel
    seen, new = kernel.places(pairs), kernel.places(asked)
    with torch.no_grad():
        noisy = kernel(seen, seen) + model.noise * torch.eye(len(pairs)).double()
        cross = kernel(new, seen)
        mean = cross @ noisy.inverse() @ model.scale(labels)
        variance = kernel(new, new).diagonal() - (cross @ noisy.inverse() * cross).sum(1)
    found = model.predict(asked)
    torch.testing.assert_close(found.latent_mean, mean, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.latent_variance, model.inflation * variance + model.noise, rtol=0, atol=1e-5)


def test_it_predicts_data_sets_that_it_has_not_seen(
    model: DatasetGP, small_table: FeatureTable, class_data: tuple[Pairs, Tensor]
) -> None:
    pairs, labels, asked, truth = parts(class_data)
    found = model.predict(asked)
    blind = fit_dataset_gp(PairKernel(small_table, TERMS, None), pairs, labels).predict(asked)
    assert spearmanr(found.mean, truth)[0] > 0.95 > 0.6 > spearmanr(blind.mean, truth)[0]
    low, high = found.interval(0.95)
    assert float(((truth > low) & (truth < high)).double().mean()) > 0.85


def test_the_same_labels_give_the_same_model(
    model: DatasetGP, small_table: FeatureTable, class_data: tuple[Pairs, Tensor]
) -> None:
    pairs, labels, asked, _ = parts(class_data)
    kernel = PairKernel(small_table, TERMS, overlap)
    again = fit_dataset_gp(kernel, pairs, labels)
    assert again.predict(asked).mean.equal(model.predict(asked).mean)
    assert model.given(pairs, labels).predict(asked).mean.equal(again.predict(asked).mean)
    assert kernel.strengths() == PairKernel(small_table, TERMS, overlap).strengths()


def test_it_is_less_sure_of_unknown_classes(model: DatasetGP, class_data: tuple[Pairs, Tensor]) -> None:
    graphs = class_data[0].graphs[:5]
    sets = ClassSets.of([[1, 2, 3], [13, 14, 15]], 15)
    known, unknown = (model.predict(Pairs(graphs, torch.full((5,), place), sets)) for place in (0, 1))
    assert bool(unknown.mean.isfinite().all())
    assert bool((unknown.latent_variance > known.latent_variance).all())


def test_evidence_takes_small_data_sets_whole() -> None:
    small = torch.arange(2000).repeat_interleave(2)
    rows = evidence_pairs(small)
    assert len(rows) == len(rows.unique()) == MOST_ROWS
    assert len(small[rows].unique()) == MOST_ROWS // 2 <= MOST_ROWS // FEWEST_OF_ONE * 2
    large = torch.tensor([3, 9]).repeat_interleave(1000)
    assert torch.bincount(large[evidence_pairs(large)])[[3, 9]].tolist() == [MOST_ROWS // 2] * 2
    assert evidence_pairs(torch.tensor([5, 5, 7])).sort().values.tolist() == [0, 1, 2]


def test_wrong_labels_are_told(model: DatasetGP, small_table: FeatureTable, class_data: tuple[Pairs, Tensor]) -> None:
    pairs, labels = class_data
    with pytest.raises(InvalidOption, match="one each"):
        fit_dataset_gp(PairKernel(small_table, TERMS, overlap), pairs, labels[:-1])
    with pytest.raises(InvalidOption, match="one each"):
        model.given(pairs, labels[:-1])
