"""The kernel on pairs: against its formula, and a covariance."""

import pytest
import torch
from torch import Tensor

from predictors.conditioned.datasets import Pairs, StatisticVectors
from predictors.conditioned.kernel import PairKernel, Relation, nearness, overlap
from predictors.feature_table import FeatureTable

TERMS = (("slots",), ("wl0",))


@pytest.mark.parametrize("relation", [overlap, None])
def test_it_is_its_formula(small_table: FeatureTable, class_data: tuple[Pairs, Tensor], relation: Relation) -> None:
    pairs = class_data[0].take(torch.arange(30))
    kernel = PairKernel(small_table, TERMS, relation)
    with torch.no_grad():
        kernel.raw.add_(torch.tensor([0.3, -0.2, 0.5, 0.1, 0.0]))
        found = kernel(kernel.places(pairs), kernel.places(pairs))
        rows = small_table.rows(pairs.graphs)
        graphs = kernel.graphs.forward(rows, rows)
        strength = kernel.strengths()
        vectors = pairs.datasets.vectors()[pairs.place]
        alike = vectors @ vectors.T if relation else torch.zeros(30, 30).double()
        same = (vectors[:, None] == vectors).all(-1).double()
        expected = graphs * (1 + strength["related"] * alike + strength["own"] * same)
        expected += strength["offset related"] * alike + strength["offset own"] * same
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(kernel.variance(kernel.places(pairs)), expected.diagonal())
    assert float(torch.linalg.eigvalsh(found)[0]) > -1e-9


def test_data_sets_are_the_same_by_what_they_are(small_table: FeatureTable, class_data: tuple[Pairs, Tensor]) -> None:
    """Not by where they stand."""
    pairs, kernel = class_data[0].take(torch.arange(4)), PairKernel(small_table, TERMS, None)
    twice = StatisticVectors(torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]]))
    first, again, other = (Pairs(pairs.graphs, torch.full((4,), place), twice) for place in range(3))
    with torch.no_grad():
        equal, apart = (kernel(kernel.places(first), kernel.places(one)) for one in (again, other))
        assert equal.equal(kernel(kernel.places(first), kernel.places(first)))
    assert bool((apart < equal).all())


def test_nearness_falls_with_distance() -> None:
    vectors = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 1.0]]).double()
    found = nearness(vectors, vectors, torch.tensor(2.0))
    expected = torch.exp(-torch.tensor([[0.0, 1.0, 10.0], [1.0, 0.0, 5.0], [10.0, 5.0, 0.0]]).double() / 8)
    torch.testing.assert_close(found, expected)


def test_priors_are_where_parameters_start(small_table: FeatureTable) -> None:
    kernel = PairKernel(small_table, TERMS, nearness)
    start = torch.cat([parameter.detach() for parameter in kernel.parameters()])
    torch.testing.assert_close(kernel.priors[:, 0], start)
