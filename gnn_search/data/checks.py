"""From a PyG `Data` object to a graph whose every entry has been checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch_geometric.data import Data

from gnn_search.data.labels import checked_labels
from graphs.errors import DataError

MASKS = ("train_mask", "val_mask", "test_mask")


@dataclass(frozen=True, eq=False)
class CheckedGraph:
    """A graph as it came, with finite features, edges between its nodes and positive weights.

    Args:
        nodes: how many.
        x: features in any layout and type, shape "n d", or None where there are none.
        edge_index: source and target of each edge, self-loops and repetitions among them.
        edge_weight: of each edge, or None.
        labels: of the nodes, -1 where one has none; of the graph, a single one; None where pairs are labelled.
        masks: for training, validation and test, or None.
    """

    nodes: int
    x: Tensor | None
    edge_index: Int[Tensor, "2 e"]
    edge_weight: Float[Tensor, " e"] | None
    labels: Int[Tensor, " m"] | None
    masks: tuple[Bool[Tensor, " n"], Bool[Tensor, " n"], Bool[Tensor, " n"]] | None


def checked_graph(
    name: str, data: Any, kind: Literal["node", "graph", "link"], *, complete_masks: bool = True
) -> CheckedGraph:
    """The graph in `data`, for labels of `kind`.

    Args:
        name: how messages call it.
        data: a `torch_geometric.data.Data`; `x`, `edge_index`, `edge_weight`, `y` and the three masks are read.
        kind: what is labelled.
        complete_masks: whether a mask without the other two is an error; else such masks are left aside.

    Raises:
        DataError: an entry that cannot be used; says which, what was expected and what to do.
    """
    if not isinstance(data, Data):
        raise DataError(
            f"{name} is a {type(data).__name__}, expected a torch_geometric Data object with one type of node"
        )
    x = _features(name, data.get("x"))
    edge_index = _tensor(name, "edge_index", data.get("edge_index"))
    if edge_index.is_floating_point() or edge_index.ndim != 2 or edge_index.shape[0] != 2:
        came = f"{edge_index.dtype} of shape {tuple(edge_index.shape)}"
        raise DataError(
            f"{name}: edge_index is {came}, expected integers of shape (2, edges); transpose it or convert it"
        )
    nodes = _count_nodes(name, data, x, edge_index, kind)
    outside = ((edge_index < 0) | (edge_index >= nodes)).any(dim=0).nonzero().flatten()
    if len(outside):
        edge = int(outside[0])
        raise DataError(
            f"{name}: edge {edge} joins {edge_index[:, edge].tolist()}, but nodes go from 0 to {nodes - 1}"
            "; remove the edge or add the node's features"
        )
    labels = None if kind == "link" else checked_labels(name, data.get("y"), kind, nodes)
    masks = _masks(name, data, nodes, complete_masks) if kind == "node" else None
    weight = _weights(name, data.get("edge_weight"), edge_index)
    return CheckedGraph(nodes, x, edge_index.long(), weight, labels, masks)


def _tensor(name: str, entry: str, value: Any) -> Tensor:
    if value is None:
        raise DataError(f"{name} has no {entry}; expected a tensor, so set data.{entry}")
    if not isinstance(value, Tensor):
        raise DataError(f"{name}: {entry} is a {type(value).__name__}, expected a tensor")
    return value


def _features(name: str, value: Any) -> Tensor | None:
    if value is None:
        return None
    x = _tensor(name, "x", value)
    if x.ndim != 2 or x.is_complex():
        came = f"{x.dtype} of shape {tuple(x.shape)}"
        raise DataError(f"{name}: x is {came}, expected real numbers of shape (nodes, features); reshape it")
    if x.shape[1] == 0:
        return None
    if x.layout == torch.strided:
        bad = (~torch.isfinite(x.float())).nonzero()
    else:
        x = x.to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
        bad = x.indices().T[~torch.isfinite(x.values().float())]
    if len(bad):
        node, feature = bad[0].tolist()
        raise DataError(
            f"{name}: feature {feature} of node {node} is {float(x[node][feature])}, expected a finite float32 number; "
            "replace such values, e.g. with torch.nan_to_num(data.x)"
        )
    return x


def _count_nodes(name: str, data: Data, x: Tensor | None, edge_index: Tensor, kind: str) -> int:
    labels = data.get("y")
    if x is not None:
        nodes = int(x.shape[0])
    elif "num_nodes" in data:
        nodes = int(data["num_nodes"])
    elif kind == "node" and isinstance(labels, Tensor) and labels.ndim:
        nodes = int(labels.shape[0])
    else:
        nodes = int(edge_index.max()) + 1 if edge_index.numel() else 0
    if nodes < 1:
        raise DataError(f"{name} has no node; expected at least one, so set data.x or data.num_nodes")
    return nodes


def _weights(name: str, value: Any, edge_index: Tensor) -> Tensor | None:
    if value is None:
        return None
    weight = _tensor(name, "edge_weight", value).float()
    edges = edge_index.shape[1]
    if weight.numel() != edges:
        raise DataError(f"{name}: edge_weight has shape {tuple(weight.shape)}, expected ({edges},), a weight an edge")
    weight = weight.flatten()
    bad = (~(torch.isfinite(weight) & (weight > 0))).nonzero().flatten()
    if len(bad):
        edge = int(bad[0])
        joined = " to ".join(map(str, edge_index[:, edge].tolist()))
        raise DataError(
            f"{name}: edge {edge}, from node {joined}, weighs {float(weight[edge])}, expected a positive finite weight"
            "; remove the edge or shift the weights"
        )
    return weight


def _masks(name: str, data: Data, nodes: int, complete: bool) -> tuple[Tensor, Tensor, Tensor] | None:
    there = [entry for entry in MASKS if data.get(entry) is not None]
    if len(there) < len(MASKS):
        if there and complete:
            absent = ", ".join(entry for entry in MASKS if entry not in there)
            raise DataError(f"{name} has {', '.join(there)} but no {absent}; add it, or remove all for a random split")
        return None
    train, valid, test = (_mask(name, entry, data[entry], nodes) for entry in MASKS)
    for first, second, one, other in (
        ("train_mask", "val_mask", train, valid),
        ("train_mask", "test_mask", train, test),
        ("val_mask", "test_mask", valid, test),
    ):
        shared = (one & other).nonzero().flatten()
        if len(shared):
            raise DataError(
                f"{name}: node {int(shared[0])} and {len(shared) - 1} more are both in {first} and in {second}, "
                "expected parts without a common node; remove them from one"
            )
    return train, valid, test


def _mask(name: str, entry: str, value: Any, nodes: int) -> Tensor:
    mask = _tensor(name, entry, value)
    if mask.dtype != torch.bool or mask.ndim not in (1, 2) or mask.shape[0] != nodes or not mask.numel():
        came = f"{mask.dtype} of shape {tuple(mask.shape)}"
        raise DataError(
            f"{name}: {entry} is {came}, expected torch.bool of shape ({nodes},), or a column a split; numbers of "
            "nodes become a mask by torch_geometric.utils.index_to_mask"
        )
    return mask if mask.ndim == 1 else mask[:, 0]
