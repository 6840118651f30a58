"""GnnTask: what a graph neural network is trained on, with labels for nodes, whole graphs or pairs of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

EMBEDDING = 32
"""Features of a node whose dot products score pairs of nodes."""


@dataclass(frozen=True, eq=False)
class GraphInput:
    """A graph, or several side by side without an edge between them.

    Args:
        x: features of the nodes, dense float32 or a sparse CSR tensor, shape "n d".
        edge_index: source and target of each edge, without self-loops or repetitions; an undirected edge stands in both
            directions.
        edge_weight: a positive weight for each edge, or None where all weigh 1.
        graph_of: for each node the number of its graph, in ascending order, or None where there is one.
    """

    x: Tensor
    edge_index: Int[Tensor, "2 e"]
    edge_weight: Float[Tensor, " e"] | None = None
    graph_of: Int[Tensor, " n"] | None = None

    @property
    def nodes(self) -> int:
        return int(self.x.shape[0])

    @property
    def features(self) -> int:
        return int(self.x.shape[1])


@dataclass(frozen=True, eq=False)
class Split:
    """What is labelled in one part of the data.

    Args:
        graph: what the network reads; the same object in several parts is computed once.
        items: numbers of nodes or of graphs, shape "m"; pairs of nodes, shape "m 2".
        labels: the class of each; 1 for a pair with an edge and 0 for one without.
    """

    graph: GraphInput
    items: Tensor
    labels: Int[Tensor, " m"]


@dataclass(frozen=True, eq=False)
class GnnTask:
    """Parts to train on, to choose by, and to report once.

    Transductive tasks have one graph in all parts; inductive ones a graph for training that lacks the other nodes.

    Args:
        name: of the data.
        kind: what is labelled.
        classes: 2 for pairs.
        train, valid, test: the parts.
    """

    name: str
    kind: Literal["node", "graph", "link"]
    classes: int
    train: Split
    valid: Split
    test: Split

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for each node or graph: logits, or an embedding for pairs."""
        return EMBEDDING if self.kind == "link" else self.classes

    @property
    def metric(self) -> str:
        """What is reported: accuracy in percent, or for pairs the area under the ROC curve in percent."""
        return "auc" if self.kind == "link" else "accuracy"
