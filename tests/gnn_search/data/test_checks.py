"""Every entry of a graph that cannot be trained on is refused, and the message says which and what to do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch_geometric.data import Data, HeteroData

from gnn_search.data.checks import checked_graph
from gnn_search.data_sets import task_from_data
from graphs.errors import DataError

Ring = Callable[..., Data]
BOTH = torch.ones(12, dtype=torch.bool)
NONE = torch.zeros(12, dtype=torch.bool)


def with_value(tensor: torch.Tensor, place: tuple[int, ...], value: float) -> torch.Tensor:
    changed = tensor.clone()
    changed[place] = value
    return changed


RING_EDGES = torch.stack([torch.arange(12), (torch.arange(12) + 1) % 12])
BAD: list[tuple[dict[str, Any], str]] = [
    ({"y": None}, "has no labels; set data.y"),
    ({"y": "labels"}, "y is a str, expected a tensor"),
    ({"y": torch.arange(12) / 3}, r"y is torch.float32.*convert them: data.y.long\(\)"),
    ({"y": torch.ones(12, 5, dtype=torch.long)}, "a node has 5 labels, expected one; choose a column"),
    ({"y": torch.ones(11, dtype=torch.long)}, "expected 12 integers, one a node"),
    ({"y": with_value(torch.arange(12) % 3, (2,), -2)}, "node 2 has label -2"),
    ({"y": with_value(torch.arange(12) % 3, (2,), 100)}, "label 100 is out of range.*0 to 3; renumber"),
    ({"y": with_value(torch.arange(12) % 3, (2,), -1)}, "node 2 is for training but has label -1"),
    ({"y": torch.zeros(12, dtype=torch.long)}, "one class only"),
    ({"y": torch.full((12,), -1)}, "every entry of y is -1"),
    ({"x": with_value(torch.rand(12, 4), (3, 1), float("nan"))}, "feature 1 of node 3 is nan.*nan_to_num"),
    ({"x": with_value(torch.rand(12, 4), (3, 1), float("inf")).to_sparse()}, "feature 1 of node 3 is inf"),
    ({"x": torch.full((12, 1), 1e300, dtype=torch.float64)}, "finite float32"),
    ({"x": torch.rand(12)}, r"x is torch.float32 of shape \(12,\)"),
    ({"x": torch.rand(12, 4).to(torch.complex64)}, "expected real numbers"),
    ({"x": [1.0, 2.0]}, "x is a list, expected a tensor"),
    ({"x": torch.rand(0, 4)}, "has no node"),
    ({"edge_index": None}, "has no edge_index"),
    ({"edge_index": torch.zeros(12, 2, dtype=torch.long)}, r"expected integers of shape \(2, edges\); transpose"),
    ({"edge_index": RING_EDGES.float()}, "edge_index is torch.float32"),
    ({"edge_index": RING_EDGES + 1}, r"edge 10 joins \[11, 12\], but nodes go from 0 to 11"),
    ({"edge_index": RING_EDGES - 1}, r"edge 0 joins \[-1, 0\]"),
    ({"edge_weight": torch.ones(11)}, r"edge_weight has shape \(11,\), expected \(12,\)"),
    ({"edge_weight": with_value(torch.ones(12), (5,), 0)}, "edge 5, from node 5 to 6, weighs 0.0.*positive"),
    ({"edge_weight": with_value(torch.ones(12), (5,), float("nan"))}, "edge 5, from node 5 to 6, weighs nan"),
    ({"val_mask": None}, "has train_mask, test_mask but no val_mask; add it, or remove all"),
    ({"test_mask": torch.arange(3)}, r"test_mask is torch.int64 of shape \(3,\).*index_to_mask"),
    ({"val_mask": torch.ones(5, dtype=torch.bool)}, r"expected torch.bool of shape \(12,\)"),
    ({"val_mask": torch.zeros(12, 0, dtype=torch.bool)}, r"of shape \(12, 0\)"),
    ({"test_mask": BOTH}, "node 0 and 5 more are both in train_mask and in test_mask"),
    ({"val_mask": NONE}, "nothing for validation"),
]


@pytest.mark.parametrize(("entries", "match"), BAD, ids=[match for _, match in BAD])
def test_refused(ring: Ring, entries: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match) as raised:
        task_from_data("ring", ring(**entries))
    assert str(raised.value).startswith("ring")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"y": torch.tensor([0, 1])}, "rings, graph 1: y is .* expected 1 integers, one a graph"),
        ({"y": torch.tensor([0.5])}, "rings, graph 1: y is torch.float32"),
        ({"y": torch.tensor([-1])}, "graph 0 has label -1"),
        ({"x": torch.rand(12, 5)}, r"graphs have \[4, 5\] features"),
        ({"edge_weight": torch.ones(12)}, "1 of 9 graphs have weights"),
    ],
)
def test_refused_in_one_of_several(ring: Ring, change: dict[str, Any], match: str) -> None:
    graphs = [ring(y=torch.tensor([i % 3])) for i in range(9)]
    graphs[1] = ring(**{"y": torch.tensor([1]), **change})
    with pytest.raises(DataError, match=match):
        task_from_data("rings", graphs)


def test_too_few_graphs_of_a_class_for_all_parts(ring: Ring) -> None:
    with pytest.raises(DataError, match="nothing for validation"):
        task_from_data("rings", [ring(y=torch.tensor([i % 2])) for i in range(4)])


def test_other_types_of_node_are_refused() -> None:
    with pytest.raises(DataError, match="is a HeteroData"):
        checked_graph("hetero", HeteroData(), "node")


def test_columns_of_labels_and_numbers_of_any_type(ring: Ring) -> None:
    graph = checked_graph("ring", ring(y=(torch.arange(12) % 3).int()[:, None], x=torch.ones(12, 2).bool()), "node")
    assert graph.labels is not None
    assert graph.labels.tolist() == [0, 1, 2] * 4


def test_nodes_without_a_label_may_be_outside_all_parts(ring: Ring) -> None:
    data = ring(y=with_value(torch.arange(12) % 3, (2,), -1), train_mask=torch.arange(12) < 2)
    assert task_from_data("ring", data).train.labels.tolist() == [0, 1]


def test_masks_that_are_not_complete_can_be_left_aside(ring: Ring) -> None:
    assert checked_graph("ring", ring(val_mask=None), "node", complete_masks=False).masks is None


def test_pairs_need_no_labels(ring: Ring) -> None:
    assert task_from_data("ring", ring(y=None), kind="link").classes == 2


def test_nodes_are_counted_where_there_are_no_features(ring: Ring) -> None:
    few = torch.tensor([[0], [1]])
    assert checked_graph("ring", ring(x=None, edge_index=few), "node").nodes == 12
    assert checked_graph("ring", ring(x=torch.ones(12, 0), edge_index=few, num_nodes=30, y=None), "link").nodes == 30
    assert checked_graph("ring", ring(x=None, edge_index=few, y=torch.tensor([1])), "graph").nodes == 2
