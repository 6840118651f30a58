"""GnnModel: the network that an architecture of the spaces `gnn` and `auto-gnn` describes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnn_search.inputs import NetworkInput
from gnn_search.joint import Joint, Part, Raw
from gnn_search.layers import ACTIVATIONS, Layer, layer_of, propagate, width_of
from gnn_search.sparse import SparseMatrix, drop_mask, dropout
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.spaces.gnn import LAYERS, recipe_of


class GnnModel(nn.Module):
    """Layer after layer in the order of the architecture's nodes, then a linear head.

    A layer reads the concatenation of what its edges bring, each part after dropout: raw features after
    `feature_dropout` and `drop_node`, others after `dropout`. A linear map to its width comes first, then what its
    operation does, batch norm if the recipe says so, and its activation. Maps of raw features come before propagation,
    with which they commute, so few numbers are propagated. The output concatenates what it reads, or takes the largest
    of equally wide maps of it (`jumping`), maps it to the logits, and propagates these for `steps`.

    Args:
        graph: an architecture of `gnn` or `auto-gnn`.
        features: of a node of the data.
        outputs: logits, or features of an embedding.
        pooled: whether the logits are those of whole graphs, the means over their nodes.

    Raises:
        InvalidArchitecture: an operation that is no layer.
        InvalidOption: fewer than one feature or output.
    """

    def __init__(self, graph: ArchGraph, features: int, outputs: int, pooled: bool = False) -> None:
        super().__init__()
        if features < 1 or outputs < 1:
            raise InvalidOption(f"{features} features and {outputs} outputs: expected at least 1 of each")
        unknown = [op.name for op in graph.ops[1:-1] if op.name not in LAYERS]
        if unknown:
            raise InvalidArchitecture(f"{unknown[0]!r} is no layer of a GNN; expected one of {', '.join(LAYERS)}")
        self.recipe, self.graph, self.pooled = recipe_of(graph), graph, pooled
        widths = [features, *map(width_of, graph.ops[1:-1])]
        self.layers = nn.ModuleList()
        self.maps = nn.ModuleList()
        self.norms = nn.ModuleList()
        for node, op in enumerate(graph.ops[1:-1], start=1):
            layer = layer_of(op, self.recipe.dropout)
            self.layers.append(layer)
            self.maps.append(Joint([widths[i] for i in graph.predecessors[node]], layer.streams * layer.width))
            self.norms.append(nn.BatchNorm1d(layer.width) if self.recipe.norm == "batch" else nn.Identity())
        self.activations = [ACTIVATIONS[str(op.get("activation"))] for op in graph.ops[1:-1]]
        sink, ends = graph.ops[-1], [widths[i] for i in graph.predecessors[-1]]
        self.steps, self.teleport = int(sink.get("steps") or 0), float(sink.get("teleport") or 0.0)
        self.largest = sink.get("jumping") == "max" and len(ends) > 1
        common = max(outputs, *(widths[i] for i in graph.predecessors[-1] if i > 0)) if self.largest else 0
        self.ends = nn.ModuleList(Joint([width], common) for width in ends) if self.largest else None
        self.head = Joint([common] if self.largest else ends, outputs)

    def forward(self, inputs: NetworkInput) -> Float[Tensor, "m outputs"]:
        """Logits, or embeddings, of all nodes, or of all graphs."""
        ready: list[Part] = [self._raw(inputs)]
        for node, (layer, joint, norm) in enumerate(zip(self.layers, self.maps, self.norms, strict=True), start=1):
            assert isinstance(layer, Layer)
            z = joint([ready[i] for i in self.graph.predecessors[node]])
            value = self.activations[node - 1](norm(layer(z, inputs)))
            ready.append(dropout(value, self.recipe.dropout, self.training))
        return self._end([ready[i] for i in self.graph.predecessors[-1]], inputs)

    def feature_weights(self) -> list[nn.Parameter]:
        """The weights that raw features are multiplied by."""
        ends = self.graph.predecessors[-1]
        readers = [*zip(self.maps, self.graph.predecessors[1:], strict=False)]
        readers.append((self.head if self.ends is None else self.ends[0], ends))
        found = []
        for joint, sources in readers:
            assert isinstance(joint, Joint)
            found += [joint.weights[0]] if sources[0] == 0 else []
        return found

    def _end(self, parts: list[Part], inputs: NetworkInput) -> Float[Tensor, "m outputs"]:
        if self.ends is not None:
            mapped = [joint([part]) for joint, part in zip(self.ends, parts, strict=True)]
            parts = [torch.stack(mapped).amax(0)]
        logits = propagate(self.head(parts), inputs, self.steps, self.teleport)
        if not self.pooled:
            return logits
        graph_of = inputs.graph.graph_of
        assert graph_of is not None, "a task of whole graphs tells each node's graph"
        sums = logits.new_zeros(int(graph_of[-1]) + 1, logits.shape[1]).index_add_(0, graph_of, logits)
        return sums / graph_of.bincount()[:, None]

    def _raw(self, inputs: NetworkInput) -> Part:
        """The features of the data after dropout of numbers and of whole nodes."""
        x, recipe = inputs.features, self.recipe
        kept = (
            drop_mask(torch.Size((inputs.graph.nodes, 1)), recipe.drop_node) if self._drops(recipe.drop_node) else None
        )
        if isinstance(x, SparseMatrix):
            matrix = x.dropped(recipe.feature_dropout) if self._drops(recipe.feature_dropout) else x
            return Raw(matrix, kept)
        x = dropout(x, recipe.feature_dropout, self.training)
        return x if kept is None else x * kept

    def _drops(self, share: float) -> bool:
        return self.training and share > 0
