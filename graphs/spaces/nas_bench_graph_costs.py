"""Exact parameter counts of NAS-Bench-Graph's networks, without building them.

The same rules as `gnn_search.network.GraphNetwork`: a batch norm for each of the four layers of the description, used
or not; a layer that reads the features, itself or through skips, reads their width and every other one `hidden`; the
head reads all leaves, but a skip of the features alone is not put out.
"""

from __future__ import annotations

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, unknown_name
from graphs.spaces.nas_bench_graph import LAYERS, NasBenchGraph

GAT_HEADS = 2
MATRICES = {"gat": 1, "gcn": 1, "gin": 1, "cheb": 2, "sage": 2, "arma": 2, "graph": 2, "fc": 1, "skip": 0}
"""Matrices of each operation from its inputs to `hidden` features: `cheb` has K = 2, the other twos keep the node
and its neighbours apart."""


def parameter_count(
    graph: ArchGraph, *, in_features: int, hidden: int, classes: int, pre_layer: bool, post_layer: bool
) -> int:
    """Trainable parameters of `GraphNetwork(graph, in_features, hidden, classes, ...)`.

    Args:
        graph: an architecture of the space; descriptions of the same network have the same count.
        in_features: features a node has.
        hidden: output features of each layer; even, since `gat` has 2 heads.
        classes: logits a node gets.
        pre_layer: whether a linear layer brings the features to `hidden` before the first layer.
        post_layer: whether the head is two linear layers, by way of `hidden`, rather than one.

    Raises:
        InvalidArchitecture: the graph is outside the space.
        InvalidOption: a size that cannot be used.
    """
    links, ops = NasBenchGraph().describe(graph)
    entry = hidden if pre_layer else in_features
    total = fixed_parameters(in_features, hidden, pre_layer=pre_layer)
    is_input = [True]  # node by node, whether it is the features, untouched
    for op, source in zip(ops, links, strict=True):
        total += layer_parameters(op, entry if is_input[source] else hidden, hidden)
        is_input.append(op == "skip" and is_input[source])
    leaves = sum(node not in links and not is_input[node] for node in range(1, LAYERS + 1))
    return total + head_parameters(leaves, hidden, classes, post_layer=post_layer)


def layer_parameters(op: str, inputs: int, hidden: int) -> int:
    """Parameters of one layer from `inputs` to `hidden` features; raises `UnknownName` and `InvalidOption`."""
    if op not in MATRICES:
        raise unknown_name("operation", op, MATRICES)
    _check_sizes(inputs=inputs, hidden=hidden)
    if op == "skip":
        return 0
    total = MATRICES[op] * inputs * hidden + hidden
    if op == "gat":
        total += 2 * hidden  # attention to the source and to the target
    if op == "arma":
        total += hidden * hidden  # the matrix of a second step, which PyG keeps also where one step is taken
    return total


def head_parameters(leaves: int, hidden: int, classes: int, *, post_layer: bool) -> int:
    """Parameters between `leaves` concatenated layers and the logits; raises `InvalidOption`."""
    _check_sizes(leaves=leaves, hidden=hidden, classes=classes)
    joined = leaves * hidden
    return _linear(joined, hidden) + _linear(hidden, classes) if post_layer else _linear(joined, classes)


def fixed_parameters(in_features: int, hidden: int, *, pre_layer: bool) -> int:
    """Parameters before the first layer, and of the batch norms; raises `InvalidOption`."""
    _check_sizes(in_features=in_features, hidden=hidden)
    return LAYERS * 2 * hidden + (_linear(in_features, hidden) if pre_layer else 0)


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InvalidOption(f"{name} is {size}, expected at least 1")
    if sizes["hidden"] % GAT_HEADS:
        raise InvalidOption(
            f"hidden is {sizes['hidden']}, expected an even number: the {GAT_HEADS} heads of gat share it"
        )
