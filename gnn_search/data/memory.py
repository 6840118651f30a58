"""Whether training on a whole graph at once fits into memory, told before it is tried."""

import psutil
import torch

from gnn_search.task import GnnTask, GraphInput
from graphs.errors import InvalidOption, TooLarge

ACTIVATIONS = 6
"""Numbers kept for each node and hidden feature of a layer until the gradient is computed: the results of the linear
map, propagation, norm, activation and dropout, and one gradient."""

MESSAGES = 3
"""Numbers kept for each edge and hidden feature of a layer: the message, its weighted copy, and a gradient."""


def require_memory(task: GnnTask, hidden: int, *, layers: int = 4, limit: int | None = None) -> int:
    """Refuses a task whose full-batch training would not fit.

    Args:
        task: what to train on.
        hidden: features of a layer's result.
        layers: how many keep theirs at the same time.
        limit: bytes; what the machine has free unless given. A GPU's is `torch.cuda.mem_get_info()[0]`.

    Returns:
        The estimate in bytes.

    Raises:
        TooLarge: the estimate is above the limit; says both.
        InvalidOption: `hidden`, `layers` or `limit` is below 1.
    """
    for name, size in (("hidden", hidden), ("layers", layers), ("limit", limit)):
        if size is not None and size < 1:
            raise InvalidOption(f"{name} is {size}, expected at least 1")
    needed = training_bytes(task, hidden, layers=layers)
    what = f"{task.name}: full-batch training with {layers} layers of {hidden} features"
    check_bytes(what, needed, available_bytes() if limit is None else limit)
    return needed


def training_bytes(task: GnnTask, hidden: int, *, layers: int = 4) -> int:
    """How many bytes full-batch training takes at most, beside the weights, which are few.

    PyG's GCN, SAGE and GAT layers took 0.4 to 0.9 of it on graphs of 14,000 and 50,000 nodes.

    The first layer is taken to bring features to `hidden` before it propagates; one that propagates raw dense features
    needs four bytes more for each edge and feature.
    """
    graphs = {id(part.graph): part.graph for part in (task.train, task.valid, task.test)}
    data = sum(graph_bytes(graph) for graph in graphs.values())
    largest = max(
        graph.nodes * (layers * hidden * ACTIVATIONS + 2 * task.outputs)
        + graph.edge_index.shape[1] * layers * hidden * MESSAGES
        for graph in graphs.values()
    )
    return data + 4 * largest


def graph_bytes(graph: GraphInput) -> int:
    """What the tensors of a graph take."""
    x = graph.x
    parts = [x] if x.layout == torch.strided else [x.crow_indices(), x.col_indices(), x.values()]
    parts += [part for part in (graph.edge_index, graph.edge_weight, graph.graph_of) if part is not None]
    return sum(part.numel() * part.element_size() for part in parts)


def check_bytes(what: str, needed: int, limit: int) -> None:
    """Raises TooLarge where `what` needs more than `limit` bytes."""
    if needed > limit:
        raise TooLarge(
            f"{what} needs about {needed / 2**30:.3g} GiB, but the limit is {limit / 2**30:.3g} GiB; take a smaller "
            "graph, fewer hidden features or layers, or a machine with more memory"
        )


def available_bytes() -> int:
    """Memory that this machine has free."""
    return int(psutil.virtual_memory().available)
