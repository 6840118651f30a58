"""check_module: whether an exported network computes what the trained one does, on its own graphs and on others."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor

from gnn_search.data.memory import available_bytes, check_bytes
from gnn_search.gnn import GnnModel
from gnn_search.inputs import NetworkInput
from gnn_search.layers import width_of
from gnn_search.task import GnnTask, GraphInput
from graphs.archgraph import ArchGraph
from graphs.errors import ExportError

TOLERANCE = 1e-4
"""Of a number, relative to the largest where that is above 1."""
Outputs = Callable[[GraphInput], Tensor]


def require_room(graph: ArchGraph, task: GnnTask) -> None:
    """Raise `TooLarge` where the exported module cannot be run on the task's graph: it writes out every message."""
    largest = max((part.graph for part in (task.train, task.test)), key=lambda one: one.edge_index.shape[1])
    width = max(width_of(op) for op in graph.ops[1:-1])
    numbers = largest.nodes * largest.features + 4 * width * (largest.edge_index.shape[1] + largest.nodes)
    check_bytes(f"{task.name}: a module that passes messages of {width} features", 4 * numbers, available_bytes())


def check_module(model: GnnModel, file: Path, task: GnnTask) -> float:
    """Compare the module in `file` with the network on the task's graphs and on two random ones.

    Returns:
        the largest difference.

    Raises:
        ExportError: it is above `TOLERANCE`, or the file cannot be used.
    """
    exported = read_module(file).load().eval()
    graphs = [task.test.graph] if task.test.graph is task.train.graph else [task.train.graph, task.test.graph]
    graphs += [random_graph(task.train.graph.features, 57, model.pooled, weighted) for weighted in (False, True)]

    def outputs(graph: GraphInput) -> Tensor:
        found: Tensor = exported(dense(graph), graph.edge_index, graph.edge_weight, graph.graph_of)
        return found

    return max(difference(model, outputs, graph, str(file)) for graph in graphs)


@torch.no_grad()
def difference(model: GnnModel, outputs: Outputs, graph: GraphInput, name: str) -> float:
    """Between what the network and another form of it give for a graph.

    Raises:
        ExportError: it is above `TOLERANCE`.
    """
    wanted, found = model.eval()(NetworkInput(graph)), outputs(graph)
    if found.shape != wanted.shape:
        raise ExportError(f"{name} gives shape {tuple(found.shape)}, the network {tuple(wanted.shape)}; report it")
    apart = float((found - wanted).abs().max())
    if not apart <= TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise ExportError(f"{name} differs from the network by {apart:.2g} on {graph.nodes} nodes; report it")
    return apart


def read_module(file: Path) -> ModuleType:
    """The module in a file that `gnn_search.export` wrote."""
    spec = importlib.util.spec_from_file_location(f"exported_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ExportError(f"{file}: expected a file of Python, whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_graph(features: int, nodes: int, pooled: bool, weighted: bool, seed: int = 0) -> GraphInput:
    """A directed graph with an edge for every fourth pair or so and none at three nodes; three graphs where pooled."""
    chance = torch.Generator().manual_seed(seed)
    linked = torch.rand(nodes, nodes, generator=chance) < 0.25
    linked.fill_diagonal_(False)
    linked[:3] = linked[:, :3] = False
    edge_index = linked.nonzero().t().contiguous()
    weight = 0.1 + torch.rand(edge_index.shape[1], generator=chance) if weighted else None
    graph_of = torch.arange(nodes) * 3 // nodes if pooled else None
    return GraphInput(torch.rand(nodes, features, generator=chance), edge_index, weight, graph_of)


def dense(graph: GraphInput) -> Float[Tensor, "n d"]:
    """The features of the nodes."""
    return graph.x if graph.x.layout == torch.strided else graph.x.to_dense()
