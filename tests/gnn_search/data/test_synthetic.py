"""The block model has the sizes and the homophily it was asked for."""

import pytest
import torch

from gnn_search.data.synthetic import stochastic_block_model
from gnn_search.data_sets import load_task
from graphs.errors import InvalidOption, TooLarge


def test_named_graphs_have_their_size() -> None:
    assert load_task("synthetic-sbm").train.graph.nodes == 1000
    task = load_task("Synthetic-SBM-20000")
    assert (task.name, task.train.graph.nodes, task.classes) == ("synthetic-sbm-20000", 20000, 5)
    assert [len(part.items) for part in (task.train, task.valid, task.test)] == [100, 150, 19750]


@pytest.mark.parametrize("homophily", [0.0, 0.8, 1.0])
def test_share_of_edges_within_classes(homophily: float) -> None:
    data = stochastic_block_model(5003, classes=7, homophily=homophily, seed=1)
    source, target = data.edge_index
    same = (data.y[source] == data.y[target]).float().mean()
    assert abs(float(same) - homophily) < 0.01
    assert int(data.edge_index.max()) < 5003
    assert data.edge_index.shape[1] == 25015
    # Every node of a class is as likely a target: means and spreads of degrees are Poisson's.
    degrees = torch.bincount(data.edge_index.flatten(), minlength=5003).float()
    assert abs(float(degrees.mean()) - 10) < 0.01
    assert abs(float(degrees.var()) - 10) < 1


def test_drawn_by_the_seed() -> None:
    one, same, other = (stochastic_block_model(500, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one.x, same.x)
    assert torch.equal(one.edge_index, same.edge_index)
    assert not torch.equal(one.x, other.x)


@pytest.mark.parametrize(
    "options", [{"nodes": 499}, {"classes": 1}, {"features": 0}, {"homophily": 1.1}, {"degree": 0.0}, {"signal": -1.0}]
)
def test_options_that_cannot_be(options: dict[str, float]) -> None:
    with pytest.raises(InvalidOption, match="expected"):
        stochastic_block_model(**{"nodes": 1000, **options})  # type: ignore[arg-type]


def test_more_than_fits() -> None:
    with pytest.raises(TooLarge, match="a block model of 100000000000 nodes needs about"):
        load_task("synthetic-sbm-100000000000")
