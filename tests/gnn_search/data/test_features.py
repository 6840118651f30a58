"""Sparse features are the dense ones in another layout."""

import warnings

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeFeatures

from gnn_search.data.features import DEGREES, degree_features, laid_out, normalized, rows


def random_features(share: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(40, 50, generator=generator)
    x[torch.rand(40, 50, generator=generator) > share] = 0
    x[7] = 0
    return x


@pytest.mark.parametrize(("share", "layout"), [(0.05, torch.sparse_csr), (0.5, torch.strided)])
@pytest.mark.parametrize("given_sparse", [False, True])
def test_layout_follows_the_share_that_is_not_zero(share: float, layout: torch.layout, given_sparse: bool) -> None:
    x = random_features(share)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        laid = laid_out((x.to_sparse() if given_sparse else x).double())
    assert laid.layout == layout
    assert laid.dtype == torch.float32
    assert torch.equal(laid.to_dense(), x)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_rows(share: float) -> None:
    x = random_features(share)
    for nodes in (torch.tensor([3, 3, 0, 39, 7]), torch.tensor([], dtype=torch.long)):
        chosen = rows(laid_out(x), nodes)
        assert chosen.layout == laid_out(x).layout
        assert torch.equal(chosen.to_dense(), x[nodes])


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_normalized_as_pyg_does_on_bags_of_words(share: float) -> None:
    words = (random_features(share) > 0).float()
    expected = NormalizeFeatures()(Data(x=words.clone())).x
    torch.testing.assert_close(normalized(laid_out(words)).to_dense(), expected)
    signed = normalized(laid_out(-words))
    torch.testing.assert_close(signed.to_dense(), -expected)


def test_degrees() -> None:
    star = torch.stack([torch.arange(1, 100), torch.zeros(99, dtype=torch.long)])
    x = degree_features(torch.cat([star, star[:, :1].flip(0)], dim=1), 101)
    assert x.shape == (101, DEGREES)
    assert x.to_dense().argmax(1).tolist() == [DEGREES - 1, 1] + [0] * 99
    assert x.to_dense().sum(1).tolist() == [1] * 101
