"""GraphNetwork: the graph neural network that an architecture of the `nas-bench-graph` space describes.

`benchmark_network(best.graph, "cora")` builds what NAS-Bench-Graph (Qin et al., NeurIPS 2022) trained on Cora.

Parameter counts equal the published ones for all 26,206 networks on each task but physics, where 24,639 agree: the
other 1,567 published counts are means over three runs one of which trained another model, for 1,478 of them the same
architecture with `hidden=128` and no `pre_layer`. Counts cannot tell the number of GAT heads; the authors state 2.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch_geometric.nn import ARMAConv, ChebConv, GATConv, GCNConv, GINConv, GraphConv, MessagePassing, SAGEConv

from gnn_search.benchmark_settings import BENCHMARK_SETTINGS as BENCHMARK_SETTINGS
from gnn_search.benchmark_settings import BenchmarkSetting as BenchmarkSetting
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, unknown_name
from graphs.spaces.nas_bench_graph import LAYERS, NasBenchGraph

GAT_HEADS = 2


class GraphNetwork(nn.Module):
    """Node classifier built from an architecture of `nas-bench-graph`.

    Every layer reads batch norm, ReLU and dropout of its one source; raw features are only dropped out. The leaves are
    concatenated, pass a ReLU and meet the linear head. Descriptions of the same network build the same module.

    Args:
        graph: an architecture of the space.
        in_features: features a node has.
        hidden: output features of each layer; even, since `gat` has 2 heads.
        classes: logits a node gets.
        dropout: probability of dropping a feature, in [0, 1).
        pre_layer: whether a linear layer brings the features to `hidden` before the first layer.
        post_layer: whether the head is two linear layers, by way of `hidden`, rather than one.

    Raises:
        InvalidArchitecture: the graph is outside the space.
        InvalidOption: a size or probability that cannot be used.
    """

    def __init__(
        self,
        graph: ArchGraph,
        in_features: int,
        hidden: int,
        classes: int,
        dropout: float,
        *,
        pre_layer: bool = False,
        post_layer: bool = False,
    ) -> None:
        super().__init__()
        _check_options(in_features, hidden, classes, dropout)
        network = NasBenchGraph().simplify(graph)
        inner = range(1, len(network) - 1)
        self.sources = tuple(network.predecessors[node][0] for node in inner)
        self.leaves = network.predecessors[-1]
        self.dropout = nn.Dropout(dropout)
        self.pre_layer = nn.Linear(in_features, hidden) if pre_layer else None
        # One a layer of the description, used or not: the benchmark counts all four.
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(LAYERS))
        widths = [hidden if pre_layer else in_features] + [hidden] * len(inner)
        self.layers = nn.ModuleList(
            _layer(network.ops[node].name, widths[source], hidden)
            for node, source in zip(inner, self.sources, strict=True)
        )
        joined = len(self.leaves) * hidden
        # No activation between the two: the benchmark has none.
        self.head = (
            nn.Sequential(nn.Linear(joined, hidden), nn.Linear(hidden, classes))
            if post_layer
            else nn.Linear(joined, classes)
        )

    def forward(self, x: Float[Tensor, "n d"], edge_index: Int[Tensor, "2 e"]) -> Float[Tensor, "n classes"]:
        """Logits of every node.

        Args:
            x: node features.
            edge_index: source and target node of each edge; an undirected edge stands in both directions.
        """
        removed = LAYERS - len(self.layers)
        values = [self._enter(x, removed)]
        for place, (layer, source) in enumerate(zip(self.layers, self.sources, strict=True)):
            value = values[source]
            if source > 0 or self.pre_layer is not None:
                value = self._activate(value, removed + place)
            values.append(layer(value, edge_index) if isinstance(layer, MessagePassing) else layer(value))
        logits: Tensor = self.head(torch.cat([values[leaf] for leaf in self.leaves], dim=1).relu())
        return logits

    def _enter(self, x: Float[Tensor, "n d"], removed: int) -> Float[Tensor, "n h"]:
        """What the first layers read."""
        features: Tensor = self.dropout(x)
        if self.pre_layer is None:
            return features
        features = self.pre_layer(features)
        # The benchmark trained the description that begins with the removed skips, and each of those normalises.
        for place in range(removed):
            features = self._activate(features, place)
        return features

    def _activate(self, value: Float[Tensor, "n h"], place: int) -> Float[Tensor, "n h"]:
        activated: Tensor = self.dropout(self.norms[place](value).relu())
        return activated


def benchmark_network(graph: ArchGraph, task: str) -> GraphNetwork:
    """The untrained network that NAS-Bench-Graph measured for `graph` on `task`, one of `BENCHMARK_SETTINGS`.

    Raises:
        UnknownName: no such task.
        InvalidArchitecture: the graph is outside the space.
    """
    if task not in BENCHMARK_SETTINGS:
        raise unknown_name("task", task, BENCHMARK_SETTINGS)
    setting = BENCHMARK_SETTINGS[task]
    return GraphNetwork(
        graph,
        setting.in_features,
        setting.hidden,
        setting.classes,
        setting.dropout,
        pre_layer=setting.pre_layer,
        post_layer=setting.post_layer,
    )


def _layer(op: str, inputs: int, hidden: int) -> nn.Module:
    """The module of one operation, from `inputs` to `hidden` features; a `skip` that is left reads `hidden`."""
    layers: dict[str, Callable[[], nn.Module]] = {
        "gat": lambda: GATConv(inputs, hidden // GAT_HEADS, heads=GAT_HEADS),
        "gcn": lambda: GCNConv(inputs, hidden),
        "gin": lambda: GINConv(nn.Linear(inputs, hidden)),
        "cheb": lambda: ChebConv(inputs, hidden, K=2),
        "sage": lambda: SAGEConv(inputs, hidden),
        "arma": lambda: ARMAConv(inputs, hidden),
        "graph": lambda: GraphConv(inputs, hidden),
        "fc": lambda: nn.Linear(inputs, hidden),
        "skip": nn.Identity,
    }
    return layers[op]()


def _check_options(in_features: int, hidden: int, classes: int, dropout: float) -> None:
    for name, size in (("in_features", in_features), ("hidden", hidden), ("classes", classes)):
        if size < 1:
            raise InvalidOption(f"{name} is {size}, expected at least 1")
    if hidden % GAT_HEADS:
        raise InvalidOption(f"hidden is {hidden}, expected an even number: the {GAT_HEADS} heads of gat share it")
    if not 0 <= dropout < 1:
        raise InvalidOption(f"dropout is {dropout}, expected a probability in [0, 1)")
