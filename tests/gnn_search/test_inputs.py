"""NetworkInput's matrices against dense algebra; Joint against a linear map of the concatenation."""

import pytest
import torch

from gnn_search.inputs import NetworkInput
from gnn_search.joint import Joint, Raw
from gnn_search.sparse import SparseMatrix
from gnn_search.task import GraphInput

NODES = 5
EDGES = torch.tensor([[0, 1, 2, 0], [1, 0, 1, 3]])  # node 4 is isolated, 2 and 3 have one direction
WEIGHTS = torch.tensor([2.0, 2.0, 0.5, 4.0])


def dense(matrix: SparseMatrix) -> torch.Tensor:
    return matrix @ torch.eye(matrix.shape[1])


def test_rows_read_and_columns_are_read() -> None:
    inputs = NetworkInput(GraphInput(torch.zeros(NODES, 2), EDGES, WEIGHTS))
    adjacency = torch.zeros(NODES, NODES)
    adjacency[EDGES[1], EDGES[0]] = WEIGHTS
    torch.testing.assert_close(dense(inputs.adjacency), adjacency)
    loops = adjacency + torch.eye(NODES)
    torch.testing.assert_close(dense(inputs.summed), loops)
    total = adjacency.sum(1, keepdim=True)
    torch.testing.assert_close(dense(inputs.mean), adjacency / total.where(total > 0, 1.0))
    for found, of in ((inputs.symmetric, adjacency), (inputs.looped, loops)):
        root = of.sum(1).rsqrt()
        root = root.where(root.isfinite(), 0.0)
        torch.testing.assert_close(dense(found), root[:, None] * of * root)


def test_without_weights_all_weigh_1_and_matrices_are_made_once() -> None:
    inputs = NetworkInput(GraphInput(torch.zeros(NODES, 2), EDGES))
    assert inputs.adjacency.values.tolist() == [1.0] * 4
    assert inputs.looped is inputs.looped


def test_sparse_features_are_the_dense_ones() -> None:
    x = torch.randn(NODES, 7) * (torch.rand(NODES, 7) < 0.3)
    found = NetworkInput(GraphInput(x.to_sparse_csr(), EDGES)).features
    assert isinstance(found, SparseMatrix)
    torch.testing.assert_close(dense(found), x)
    assert NetworkInput(GraphInput(x, EDGES)).features is x


@pytest.mark.parametrize("kept", [False, True])
def test_joint_is_linear_of_the_concatenation(kept: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(NODES, 7) * (torch.rand(NODES, 7) < 0.3)
    others = [torch.randn(NODES, width, requires_grad=True) for width in (3, 4)]
    features = NetworkInput(GraphInput(x.to_sparse_csr(), EDGES)).features
    assert isinstance(features, SparseMatrix)
    factor = torch.tensor([[0.0], [2.0], [2.0], [0.0], [2.0]]) if kept else None
    joint = Joint([7, 3, 4], 6)
    found = joint([Raw(features, factor), *others])
    weight = torch.cat(list(joint.weights))
    seen = x if factor is None else x * factor
    expected = torch.nn.functional.linear(torch.cat([seen, *others], 1), weight.t(), joint.bias)
    torch.testing.assert_close(found, expected)
    leaves = [*others, *joint.parameters()]
    ours, theirs = (torch.autograd.grad(one.square().sum(), leaves) for one in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_joint_starts_as_glorot_of_the_whole() -> None:
    torch.manual_seed(0)
    joint = Joint([100, 300], 200)
    reach = (6 / 600) ** 0.5
    for weight in joint.weights:
        assert weight.abs().max().item() == pytest.approx(reach, rel=0.01)
    assert not joint.bias.any()
