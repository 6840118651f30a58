"""GraphInputs: the networks of a space as padded tensors for neural predictors, each network encoded once.

`graphs.batch.encode` refuses simplified networks of spaces whose descriptions have a fixed number of nodes, and
predictors must see those, as two descriptions of one network are to be predicted alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

RELATIONS = 4
"""Reads, is read by, comes after, comes before."""


@final
@dataclass(frozen=True, eq=False)
class GraphTensors:
    """m graphs of up to n nodes.

    Args:
        nodes: the choice of each field, one-hot, then how far along the network a node lies; 0 where there is no node.
        relations: `relations[m, r, i, j]` is the weight of node j's message to node i in relation r.
        present: 1 where there is a node; the nodes of a graph come first.
        ends: 1 at the last node, the output.
    """

    nodes: Float[Tensor, "m n c"]
    relations: Float[Tensor, "m r n n"]
    present: Float[Tensor, "m n"]
    ends: Float[Tensor, "m n"]

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, rows: Tensor | slice) -> GraphTensors:
        """The graphs that `rows` selects."""
        return GraphTensors(self.nodes[rows], self.relations[rows], self.present[rows], self.ends[rows])


@final
class GraphInputs:
    """Makes `GraphTensors` of graphs and remembers each network.

    Args:
        space: of the graphs.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        columns = [(field.name, choice) for field in space.fields for choice in field.choices]
        self._columns = {column: number for number, column in enumerate(columns)}
        self._known: dict[ArchGraph, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def width(self) -> int:
        """Numbers a node."""
        return len(self._columns) + 2

    def __call__(self, graphs: Sequence[ArchGraph]) -> GraphTensors:
        """The simplified networks of `graphs`."""
        found = [self._encoded(self._space.network(graph)) for graph in graphs]
        m, n = len(found), max((len(nodes) for nodes, _ in found), default=1)
        nodes = np.zeros((m, n, self.width), dtype=np.float32)
        relations = np.zeros((m, RELATIONS, n, n), dtype=np.float32)
        present, ends = np.zeros((m, n), dtype=np.float32), np.zeros((m, n), dtype=np.float32)
        for row, (own, related) in enumerate(found):
            size = len(own)
            nodes[row, :size], relations[row, :, :size, :size] = own, related
            present[row, :size], ends[row, size - 1] = 1, 1
        return GraphTensors(*map(torch.from_numpy, (nodes, relations, present, ends)))

    def _encoded(self, network: ArchGraph) -> tuple[np.ndarray, np.ndarray]:
        if network not in self._known:
            self._known[network] = self._nodes(network), _relations(network)
        return self._known[network]

    def _nodes(self, network: ArchGraph) -> np.ndarray:
        first, *others = (field.name for field in self._space.fields)
        found = np.zeros((len(network), self.width), dtype=np.float32)
        for node, op in enumerate(network.ops):
            found[node, self._columns[first, op.name]] = 1
            for name in others:
                found[node, self._columns[name, op.get(name)]] = 1
        found[:, -2], found[:, -1] = depths(network) / 8, depths(network, backwards=True) / 8
        return found


def depths(network: ArchGraph, backwards: bool = False) -> np.ndarray:
    """Edges on the longest path to each node from a node that reads nothing, or from it to one that nothing reads."""
    found = np.zeros(len(network), dtype=np.float32)
    nodes = reversed(range(len(network))) if backwards else range(len(network))
    before = network.successors if backwards else network.predecessors
    for node in nodes:
        found[node] = max((found[other] + 1 for other in before[node]), default=0)
    return found


def _relations(network: ArchGraph) -> np.ndarray:
    """Direct neighbours are summed, as GIN does (Xu et al. 2019); of those farther away the mean is taken."""
    size = len(network)
    reads, after = np.zeros((size, size), dtype=np.float32), np.zeros((size, size), dtype=bool)
    for node, others in enumerate(network.predecessors):
        for other in others:
            reads[node, other] = 1
            after[node] |= after[other]
            after[node, other] = True
    far = [part / np.maximum(part.sum(1, keepdims=True), 1) for part in (after, after.T)]
    return np.stack([reads, reads.T, *far])
