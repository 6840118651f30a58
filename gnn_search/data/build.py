"""From checked graphs to a task: labels of nodes, of whole graphs, or pairs of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gnn_search.data.checks import CheckedGraph
from gnn_search.data.edges import Edges, clean_edges, induced_edges
from gnn_search.data.features import degree_features, laid_out, normalized, rows
from gnn_search.data.labels import UNLABELLED, count_classes
from gnn_search.data.pairs import split_pairs
from gnn_search.data.splits import Parts, random_graph_split, random_node_split
from gnn_search.task import GnnTask, GraphInput, Split
from graphs.errors import DataError

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class TaskOptions:
    """What `load_task` was asked for beside the data; it says what each means."""

    seed: int
    inductive: bool
    directed: bool
    normalize: bool


def node_task(name: str, graph: CheckedGraph, options: TaskOptions) -> GnnTask:
    """Nodes are labelled; parts come from the masks, else from a seeded random split."""
    assert graph.labels is not None
    classes = count_classes(name, graph.labels)
    if graph.masks is None:
        nodes: Parts = random_node_split(graph.labels, options.seed)
    else:
        train, valid, test = (mask.nonzero().flatten() for mask in graph.masks)
        nodes = train, valid, test
    for part, items in zip(PARTS, nodes, strict=True):
        _check_items(name, part, items, graph.labels)
    edges = _edges(graph, options)
    x = _features(graph.x, options)
    whole = _graph_input(x, edges, graph.nodes)
    learned, chosen, reported = (Split(whole, items, graph.labels[items]) for items in nodes)
    if options.inductive:
        keep = torch.ones(graph.nodes, dtype=torch.bool)
        keep[torch.cat(nodes[1:])] = False
        numbers = keep.long().cumsum(0) - 1
        learned = Split(_part_of(x, edges, keep), numbers[nodes[0]], learned.labels)
    return GnnTask(name, "node", classes, learned, chosen, reported)


def graph_task(name: str, graphs: Sequence[CheckedGraph], parts: Parts | None, options: TaskOptions) -> GnnTask:
    """Whole graphs are labelled; those of a part stand side by side.

    Args:
        name: of the data.
        graphs: all of them.
        parts: numbers of the graphs of each part, or None for a seeded random split.
        options: `inductive` changes nothing, since a part's graphs are never in another.
    """
    labels = torch.cat([graph.labels for graph in graphs if graph.labels is not None])
    classes = count_classes(name, labels)
    parts = random_graph_split(labels, options.seed) if parts is None else parts
    for part, items in zip(PARTS, parts, strict=True):
        _check_items(name, part, items, labels)
    joined = _side_by_side(name, graphs)
    x, edges = _features(joined.x, options), _edges(joined, options)
    owner = torch.arange(len(graphs)).repeat_interleave(torch.tensor([graph.nodes for graph in graphs]))

    def split(items: Tensor) -> Split:
        keep = torch.isin(owner, items)
        part = _part_of(x, edges, keep)
        graph_of = torch.searchsorted(items, owner[keep])
        graph = GraphInput(part.x, part.edge_index, part.edge_weight, graph_of)
        return Split(graph, torch.arange(len(items)), labels[items])

    train, valid, test = (split(items) for items in parts)
    return GnnTask(name, "graph", classes, train, valid, test)


def link_task(name: str, graph: CheckedGraph, options: TaskOptions) -> GnnTask:
    """Pairs of nodes with an edge are told from pairs without; messages pass over training edges in all parts."""
    edge_index, edge_weight = _edges(graph, options)
    divided = split_pairs(name, edge_index, edge_weight, graph.nodes, options.seed)
    whole = _graph_input(_features(graph.x, options), (divided.edge_index, divided.edge_weight), graph.nodes)

    def split(pairs: Tensor) -> Split:
        ones = len(pairs) // 2
        return Split(whole, pairs, torch.cat([torch.ones(ones, dtype=torch.long), torch.zeros(ones, dtype=torch.long)]))

    train, valid, test = (split(pairs) for pairs in divided.pairs)
    return GnnTask(name, "link", 2, train, valid, test)


def _check_items(name: str, part: str, items: Int[Tensor, " m"], labels: Int[Tensor, " n"]) -> None:
    if not len(items):
        raise DataError(
            f"{name} has nothing for {part}, expected at least one item; add some to the masks, or more data"
        )
    bare = items[labels[items] == UNLABELLED]
    if len(bare):
        raise DataError(
            f"{name}: node {int(bare[0])} is for {part} but has label -1, which means none; label or unmask it"
        )


def _edges(graph: CheckedGraph, options: TaskOptions) -> Edges:
    return clean_edges(graph.edge_index, graph.edge_weight, graph.nodes, directed=options.directed)


def _features(x: Tensor | None, options: TaskOptions) -> Tensor | None:
    if x is None:
        return None
    x = laid_out(x)
    return normalized(x) if options.normalize else x


def _graph_input(x: Tensor | None, edges: Edges, nodes: int) -> GraphInput:
    """Degrees stand in for features, those of the edges that this graph has: others must not show."""
    return GraphInput(degree_features(edges[0], nodes) if x is None else x, *edges)


def _part_of(x: Tensor | None, edges: Edges, keep: Bool[Tensor, " n"]) -> GraphInput:
    kept = keep.nonzero().flatten()
    return _graph_input(None if x is None else rows(x, kept), induced_edges(*edges, keep), len(kept))


def _side_by_side(name: str, graphs: Sequence[CheckedGraph]) -> CheckedGraph:
    """One graph of them all; features and weights must be there in all or in none."""
    widths = {0 if graph.x is None else int(graph.x.shape[1]) for graph in graphs}
    if len(widths) > 1:
        raise DataError(f"{name}: graphs have {sorted(widths)} features, expected the same number in all; pad them")
    weights = [graph.edge_weight for graph in graphs if graph.edge_weight is not None]
    if 0 < len(weights) < len(graphs):
        raise DataError(f"{name}: {len(weights)} of {len(graphs)} graphs have weights, expected all or none; add ones")
    sizes = [graph.nodes for graph in graphs]
    starts = torch.tensor([0, *sizes]).cumsum(0).tolist()
    features = [graph.x for graph in graphs if graph.x is not None]
    return CheckedGraph(
        nodes=sum(sizes),
        x=torch.cat(features) if features else None,
        edge_index=torch.cat([graph.edge_index + start for graph, start in zip(graphs, starts, strict=False)], dim=1),
        edge_weight=torch.cat(weights) if weights else None,
        labels=None,
        masks=None,
    )
