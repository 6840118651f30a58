"""ArchGraph to networkx and PyG and back: for the edge of the package, never what passes between packages."""

from __future__ import annotations

from typing import Any

import networkx as nx
import torch
from torch_geometric.data import Data

from graphs.archgraph import ArchGraph, Op
from graphs.batch import GraphBatch, decode, encode
from graphs.errors import InvalidArchitecture
from graphs.space import SearchSpace


def to_networkx(graph: ArchGraph) -> nx.DiGraph[int]:
    """Nodes 0, 1, ... in topological order, each with its operation's name as `op` and one key for each attribute."""
    result: nx.DiGraph[int] = nx.DiGraph()
    for node, op in enumerate(graph.ops):
        result.add_node(node, op=op.name, **dict(op.attrs))
    result.add_edges_from(graph.edges)
    return result


def from_networkx(graph: nx.DiGraph[Any]) -> ArchGraph:
    """The inverse of `to_networkx`; nodes of any name in any order are numbered topologically, ties as they were added.

    Raises:
        InvalidArchitecture: the graph is not a simple directed graph, has a cycle, or a node has no `op` or an
            attribute that is not a str, int, float or bool.
    """
    if not graph.is_directed() or graph.is_multigraph():
        raise InvalidArchitecture(f"expected a networkx.DiGraph, got a {type(graph).__name__}")
    added = {node: place for place, node in enumerate(graph)}
    try:
        order = list(nx.lexicographical_topological_sort(graph, key=added.__getitem__))
    except nx.NetworkXUnfeasible as error:
        cycle = " -> ".join(repr(source) for source, *_ in nx.find_cycle(graph))
        raise InvalidArchitecture(f"the graph has the cycle {cycle} -> ...; an architecture has none") from error
    number = {node: place for place, node in enumerate(order)}
    edges = tuple((number[source], number[target]) for source, target in graph.edges)
    return ArchGraph(tuple(_op(node, dict(graph.nodes[node])) for node in order), edges)


def _op(node: object, attrs: dict[Any, Any]) -> Op:
    name = attrs.pop("op", None)
    if not isinstance(name, str):
        raise InvalidArchitecture(f"node {node!r} has op={name!r}, expected the operation's name")
    for attr, value in attrs.items():
        if not isinstance(attr, str) or not isinstance(value, str | int | float | bool):
            raise InvalidArchitecture(
                f"node {node!r} has {attr}={value!r}; expected attributes that are str, int, float or bool"
            )
    return Op(name, **attrs)


def to_pyg(space: SearchSpace, graph: ArchGraph) -> Data:
    """`x`: the codes of each node's fields, Int[n f]; `edge_index`: Int[2 e]; and `num_nodes`, which PyG else guesses.

    Raises:
        InvalidArchitecture: the graph is not of the space.
    """
    batch = encode(space, [graph])
    return Data(x=batch.codes[0, : len(graph)], edge_index=batch.adj[0].nonzero().T.contiguous(), num_nodes=len(graph))


def from_pyg(space: SearchSpace, data: Data) -> ArchGraph:
    """The inverse of `to_pyg`; the edges may come in any order.

    Raises:
        InvalidArchitecture: `x` or `edge_index` is missing or of another shape, an edge leaves the graph or stands
            twice, or the graph is not of the space.
    """
    x, edge_index = data.x, data.edge_index
    if x is None or edge_index is None:
        raise InvalidArchitecture("expected a Data with x and edge_index; make one with to_pyg")
    if x.ndim != 2 or x.shape[1] != len(space.fields) or x.is_floating_point():
        raise InvalidArchitecture(
            f"{space.name}: x is {x.dtype} {tuple(x.shape)}, expected integers of shape (nodes, {len(space.fields)})"
        )
    if edge_index.ndim != 2 or edge_index.shape[0] != 2 or edge_index.is_floating_point():
        raise InvalidArchitecture(
            f"{space.name}: edge_index is {edge_index.dtype} {tuple(edge_index.shape)}, "
            "expected integers of shape (2, edges)"
        )
    n = len(x)
    edges = ArchGraph((Op(""),) * n, tuple((int(i), int(j)) for i, j in edge_index.T.tolist())).edges
    adj = torch.zeros(1, n, n, dtype=torch.bool)
    for i, j in edges:
        adj[0, i, j] = True
    return decode(space, GraphBatch(x[None].cpu().long(), adj, torch.ones(1, n, dtype=torch.bool)))[0]
