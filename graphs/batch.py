"""GraphBatch: many ArchGraphs as integer tensors. `encode` and `decode` alone know the layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from graphs.archgraph import ArchGraph, AttrValue, Op
from graphs.errors import InvalidArchitecture
from graphs.space import SearchSpace


@dataclass(frozen=True)
class GraphBatch:
    """b graphs of up to n nodes with f categorical fields each.

    Args:
        codes: for each node and field the number of its choice in `SearchSpace.fields`; 0 where there is no node.
        adj: `adj[b, i, j]` says that node j reads node i.
        mask: which nodes exist; the nodes of a graph come first.
    """

    codes: Int[Tensor, "b n f"]
    adj: Bool[Tensor, "b n n"]
    mask: Bool[Tensor, "b n"]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Tensor | slice) -> GraphBatch:
        """The graphs that `rows` selects, as a batch."""
        return GraphBatch(self.codes[rows], self.adj[rows], self.mask[rows])


def encode(space: SearchSpace, graphs: Sequence[ArchGraph]) -> GraphBatch:
    """Graphs of `space` as one batch of `space.max_nodes` nodes.

    Raises:
        InvalidArchitecture: a graph is not of the space.
    """
    b, n, f = len(graphs), space.max_nodes, len(space.fields)
    places = [{choice: place for place, choice in enumerate(field.choices)} for field in space.fields]
    codes, adj, mask = np.zeros((b, n, f), np.int64), np.zeros((b, n, n), np.bool_), np.zeros((b, n), np.bool_)
    known: dict[Op, list[int]] = {}
    for row, graph in enumerate(graphs):
        space.check(graph)
        for op in graph.ops:
            if op not in known:
                values = (op.name, *(op.get(field.name) for field in space.fields[1:]))
                known[op] = [place[value] for place, value in zip(places, values, strict=True)]
        codes[row, : len(graph)] = [known[op] for op in graph.ops]
        mask[row, : len(graph)] = True
    edges = [(row, i, j) for row, graph in enumerate(graphs) for i, j in graph.edges]
    if edges:
        adj[tuple(np.array(edges).T)] = True
    return GraphBatch(torch.from_numpy(codes), torch.from_numpy(adj), torch.from_numpy(mask))


def decode(space: SearchSpace, batch: GraphBatch) -> list[ArchGraph]:
    """The inverse of `encode`.

    Raises:
        InvalidArchitecture: a row of the batch is not of the space.
    """
    counts = batch.mask.sum(1).tolist()
    if bool((batch.mask[:, 1:] & ~batch.mask[:, :-1]).any()):
        raise InvalidArchitecture(f"{space.name}: the mask has a gap; the nodes of a graph come first")
    edges: list[list[tuple[int, int]]] = [[] for _ in counts]
    for row, i, j in batch.adj.nonzero().tolist():
        edges[row].append((i, j))
    ops: dict[tuple[int, ...], Op] = {}
    known: dict[tuple[Any, ...], ArchGraph] = {}
    graphs = []
    for codes, count, wires in zip(batch.codes.tolist(), counts, edges, strict=True):
        nodes = tuple(map(tuple, codes[:count]))
        key = (nodes, tuple(wires))
        if key not in known:
            ops.update((node, _op(space, node)) for node in nodes if node not in ops)
            known[key] = ArchGraph(tuple(ops[node] for node in nodes), key[1])
            space.check(known[key])
        graphs.append(known[key])
    return graphs


def _op(space: SearchSpace, codes: tuple[int, ...]) -> Op:
    for field, code in zip(space.fields, codes, strict=True):
        if not 0 <= code < len(field.choices):
            raise InvalidArchitecture(
                f"{space.name}: code {code} of {field.name}, expected 0 to {len(field.choices) - 1}"
            )
    name, *values = (field.choices[code] for field, code in zip(space.fields, codes, strict=True))
    attrs: dict[str, AttrValue] = {
        field.name: value for field, value in zip(space.fields[1:], values, strict=True) if value is not None
    }
    return Op(str(name), **attrs)
