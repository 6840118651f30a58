"""Numbers that describe a graph data set of labelled nodes with features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor
from torch_geometric.data import Data

from graphs.errors import InvalidOption
from predictors.conditioned.datasets import StatisticVectors

GraphStatistics = Mapping[str, float]
"""Number by name; those of `STATISTICS` that are missing are not known."""
STATISTICS = (
    "log_nodes",
    "log_edges",
    "log_degree",
    "log_density",
    "degree_variation",
    "degree_skewness",
    "clustering",
    "homophily",
    "adjusted_homophily",
    "log_classes",
    "class_entropy",
    "log_features",
    "log_feature_density",
    "log_feature_norm",
    "feature_norm_variation",
)


def graph_statistics(data: Data) -> GraphStatistics:
    """All of `STATISTICS`, of the undirected graph without loops and repeated edges. Logarithms are natural.

    `degree_variation` and `feature_norm_variation` are deviations over means; `clustering` is the mean local
    coefficient (Watts and Strogatz 1998), 0 for nodes of degree below 2; `homophily` the share of edges inside a
    class, `adjusted_homophily` what it is above chance (Platonov et al. 2023, "Characterizing graph datasets for node
    classification", eq. 2); `class_entropy` is in units of that of equal classes; `log_feature_density` is of the
    share of features that are not 0.

    Args:
        data: with `x` of shape "nodes features", `edge_index`, and `y`, a class a node.

    Raises:
        InvalidOption: no features, classes or edges, or not one class and row a node.
    """
    if data.x is None or data.y is None or data.edge_index is None or len(data.x) != len(data.y.flatten()):
        raise InvalidOption("a graph without x, y or edge_index, or not one row of each a node; expected all three")
    graph = _undirected(data.edge_index.numpy(), len(data.x))
    if not graph.nnz:
        raise InvalidOption("a graph without edges between different nodes; expected at least one")
    classes = data.y.flatten().numpy()
    return {**_of_wiring(graph), **_of_classes(graph, classes), **_of_features(data.x)}


def standardised(found: Sequence[GraphStatistics]) -> StatisticVectors:
    """Vectors of mean 0 and deviation 1 over these data sets; what is not known of one is the mean of the others.

    Raises:
        InvalidOption: a number whose name is not in `STATISTICS`.
    """
    unknown = {name for one in found for name in one} - set(STATISTICS)
    if unknown:
        raise InvalidOption(f"statistics {', '.join(sorted(unknown))}; expected some of {', '.join(STATISTICS)}")
    table = torch.tensor([[one.get(name, math.nan) for name in STATISTICS] for one in found], dtype=torch.float64)
    centred = table - table.nanmean(0)
    centred = centred.nan_to_num(nan=0.0)
    deviation = centred.square().mean(0).sqrt()
    return StatisticVectors(centred / deviation.where(deviation > 1e-9, 1.0))


def _undirected(edges: np.ndarray, nodes: int) -> sp.csr_array:
    ends = edges[:, edges[0] != edges[1]]
    both = np.concatenate([ends, ends[::-1]], 1)
    graph: sp.csr_array = sp.coo_array((np.ones(both.shape[1]), (both[0], both[1])), shape=(nodes, nodes)).tocsr()
    graph.data[:] = 1.0
    return graph


def _of_wiring(graph: sp.csr_array) -> GraphStatistics:
    nodes, degree = graph.shape[0], np.asarray(graph.sum(1), dtype=np.float64)
    edges, spread = degree.sum() / 2, degree.std()
    triangles = np.asarray((graph @ graph).multiply(graph).sum(1), dtype=np.float64)
    pairs = degree * (degree - 1)
    return {
        "log_nodes": math.log(nodes),
        "log_edges": math.log(edges),
        "log_degree": math.log(degree.mean()),
        "log_density": math.log(2 * edges / (nodes * (nodes - 1))),
        "degree_variation": float(spread / degree.mean()),
        "degree_skewness": float(((degree - degree.mean()) ** 3).mean() / spread**3) if spread > 0 else 0.0,
        "clustering": float(np.divide(triangles, pairs, out=np.zeros(nodes), where=pairs > 0).mean()),
    }


def _of_classes(graph: sp.csr_array, classes: np.ndarray) -> GraphStatistics:
    _, number, count = np.unique(classes, return_inverse=True, return_counts=True)
    ends = graph.tocoo()
    same = float((number[ends.coords[0]] == number[ends.coords[1]]).mean())
    share = np.bincount(number[ends.coords[0]], minlength=len(count)) / graph.nnz
    chance, part = float((share**2).sum()), count / count.sum()
    entropy = -float((part * np.log(part)).sum())
    return {
        "homophily": same,
        "adjusted_homophily": (same - chance) / (1 - chance) if chance < 1 else 0.0,
        "log_classes": math.log(len(count)),
        "class_entropy": entropy / math.log(len(count)) if len(count) > 1 else 0.0,
    }


def _of_features(x: Float[Tensor, "nodes features"]) -> GraphStatistics:
    norm = torch.linalg.vector_norm(x, dim=1).double()
    mean = float(norm.mean())
    return {
        "log_features": math.log(x.shape[1]),
        "log_feature_density": math.log(max(int(torch.count_nonzero(x)), 1) / x.numel()),
        "log_feature_norm": math.log(max(mean, 1e-12)),
        "feature_norm_variation": float(norm.std(correction=0)) / max(mean, 1e-12),
    }
