"""Spaces of graph neural networks: Auto-GNN's, and a wider one of architecture and training recipe together.

A node of the graph is a layer, which reads the concatenation of what its edges bring. Auto-GNN's action classes (Zhou
et al., 2019, arXiv:1909.03184) are attributes of the layer `attention`; beside it stand what the field found since. An
edge that passes a layer by is a skip connection, so no operation is needed for it. What the attributes mean is told
where the networks are built, in `gnn_search`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from graphs.archgraph import ArchGraph, AttrValue, Op
from graphs.canonical_dag import canonical_dag
from graphs.spaces.attributed_dag import AttributedDag
from graphs.spaces.attributed_dag_choices import Choices
from graphs.spaces.nas_bench_graph import NasBenchGraph

HIDDEN = (4, 8, 16, 32, 64, 128, 256)
ATTENTIONS = ("const", "gcn", "gat", "sym-gat", "cos", "linear", "gene-linear")
HEADS = (1, 2, 4, 6, 8, 16)
AGGREGATES = ("sum", "mean", "max", "mlp")
COMBINES = ("identity", "mlp")
ACTIVATIONS = ("sigmoid", "tanh", "relu", "linear", "softplus", "leaky_relu", "relu6", "elu")
STEPS = (2, 4, 8)
TELEPORTS = (0.05, 0.1, 0.2, 0.5)

ATTENTION: Choices = {
    "hidden": HIDDEN,
    "attention": ATTENTIONS,
    "heads": HEADS,
    "aggregate": AGGREGATES,
    "combine": COMBINES,
    "activation": ACTIVATIONS,
}
"""Auto-GNN's action classes; a layer has `heads` times `hidden` features."""
PLAIN: Choices = {"hidden": HIDDEN, "activation": ACTIVATIONS}
PROPAGATING: Choices = {**PLAIN, "steps": STEPS, "teleport": TELEPORTS}
LAYERS: dict[str, Choices] = {
    "attention": ATTENTION,
    "appnp": PROPAGATING,
    "gcnii": PROPAGATING,
    "mixed": {**PLAIN, "steps": STEPS},
    "sage": PLAIN,
    "gin": PLAIN,
    "cheb": PLAIN,
    "arma": PLAIN,
    "graph": PLAIN,
    "fc": PLAIN,
}
"""The layers of the space `gnn` and their attributes; `mixed` is the mean over powers of the adjacency (GRAND)."""
OUTPUT: Choices = {"jumping": ("cat", "max"), "steps": (0, 1, *STEPS), "teleport": (0.0, *TELEPORTS)}
"""How the network ends: jumping knowledge, and propagation of the logits, personalised (APPNP) or plain (GCN, SGC)."""
RECIPE: Choices = {
    "feature_dropout": (0.0, 0.2, 0.4, 0.5, 0.6, 0.8),
    "dropout": (0.0, 0.2, 0.4, 0.5, 0.6, 0.8),
    "drop_node": (0.0, 0.2, 0.5),
    "consistency": (0.0, 0.5, 1.0),
    "learning_rate": (0.005, 0.01, 0.02),
    "weight_decay": (0.0, 5e-5, 5e-4, 1e-3, 5e-3, 1e-2),
    "norm": ("none", "batch"),
}
"""How the network is trained, as attributes of the input."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; that of an architecture which does not say.

    Args:
        feature_dropout: probability that a feature of a node is dropped before the first layers.
        dropout: the same before the others.
        drop_node: probability that a node loses all its features in a training step (GRAND's random propagation).
        consistency: weight of the loss that makes two random passes agree (GRAND, equation 4); 0 for one pass.
        learning_rate, weight_decay: of Adam.
        norm: batch norm before each activation, or none.
    """

    feature_dropout: float = 0.5
    dropout: float = 0.5
    drop_node: float = 0.0
    consistency: float = 0.0
    learning_rate: float = 0.01
    weight_decay: float = 5e-4
    norm: str = "none"


def recipe_of(graph: ArchGraph) -> Recipe:
    """The recipe that the input's attributes tell; the usual one for what they do not."""
    return Recipe(**{one.name: value for one in fields(Recipe) if (value := graph.ops[0].get(one.name)) is not None})  # type: ignore[arg-type]


class Gnn(AttributedDag):
    """One to four layers, wired freely, and the recipe by which they are trained."""

    def __init__(self) -> None:
        summary = "graph neural networks of 1 to 4 layers wired freely, and how to train them"
        super().__init__("gnn", summary, LAYERS, input=RECIPE, output=OUTPUT)

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        """Canonical order, and the first value for each attribute that has no effect; it is of the space itself."""
        self.check(graph)
        source, *inner, sink = graph.ops
        if sink.get("steps") == 0:
            sink = _with(sink, teleport=0.0)
        if len(graph.predecessors[-1]) == 1:
            sink = _with(sink, jumping="cat")
        if not any(source.get(name) for name in ("feature_dropout", "dropout", "drop_node")):
            source = _with(source, consistency=0.0)
        return canonical_dag(ArchGraph((source, *inner, sink), graph.edges))


def auto_gnn() -> AttributedDag:
    """Auto-GNN's space: two layers of its six action classes, one after the other, trained by the usual recipe."""
    summary = "Auto-GNN: two layers of attention, heads, aggregation, combination, activation, hidden size"
    return AttributedDag("auto-gnn", summary, {"attention": ATTENTION}, fewest=2, most=2, chain=True)


def embed(graph: ArchGraph, hidden: int = 64) -> ArchGraph:
    """An architecture of `nas-bench-graph` as one of `gnn`: the same layers with `hidden` features and batch norm.

    What the output reads twice by way of skips, it reads once here: 208 of the 26,206 networks become like another.

    Args:
        graph: of the space `nas-bench-graph`.
        hidden: one of `HIDDEN`, at least 8; `gat` has two heads of half of it.
    """
    network = NasBenchGraph().simplify(graph)
    kept = [node for node, op in enumerate(network.ops) if op.name != "skip"]
    place = {node: at for at, node in enumerate(kept)}
    edges = {(place[i], place[j]) for j in kept for i in _sources(network, j)}
    inner = [_layer(network.ops[node].name, hidden) for node in kept[1:-1]]
    usual = {**asdict(Recipe()), "norm": "batch"}
    sink = Op("output", jumping="cat", steps=0, teleport=0.0)
    return ArchGraph((Op("input", **usual), *inner, sink), tuple(edges))


def _sources(graph: ArchGraph, node: int) -> set[int]:
    """What a node reads, by way of layers that hand on what they read."""
    found = set()
    for other in graph.predecessors[node]:
        found |= _sources(graph, other) if graph.ops[other].name == "skip" else {other}
    return found


def _layer(name: str, hidden: int) -> Op:
    if name not in ("gcn", "gat"):
        return Op(name, hidden=hidden, activation="relu")
    heads = 2 if name == "gat" else 1
    usual: dict[str, AttrValue] = {"aggregate": "sum", "combine": "identity", "activation": "relu"}
    return Op("attention", hidden=hidden // heads, attention=name, heads=heads, **usual)


def _with(op: Op, **attrs: AttrValue) -> Op:
    return Op(op.name, **{**dict(op.attrs), **attrs})
