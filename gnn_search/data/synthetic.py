"""Graphs drawn from a stochastic block model, of any size, without files or network."""

import re

import numpy as np
import torch
from numpy.random import default_rng
from torch_geometric.data import Data

from gnn_search.data.memory import available_bytes, check_bytes
from graphs.errors import InvalidOption, UnknownName

PREFIX = "synthetic-sbm"
NODES = 1000


def named_block_model(name: str) -> Data:
    """The graph of "synthetic-sbm", 1,000 nodes, or of "synthetic-sbm-20000": always the same for the same name.

    Raises:
        UnknownName: no number after the hyphen.
        InvalidOption, TooLarge: as `stochastic_block_model`.
    """
    match = re.fullmatch(rf"{PREFIX}(?:-(\d{{1,12}}))?", name.lower())
    if match is None:
        raise UnknownName(f"unknown data set {name!r}; write '{PREFIX}' or, with a number of nodes, '{PREFIX}-20000'")
    return stochastic_block_model(int(match[1] or NODES))


def stochastic_block_model(
    nodes: int,
    *,
    classes: int = 5,
    features: int = 64,
    degree: float = 10.0,
    homophily: float = 0.8,
    signal: float = 0.15,
    seed: int = 0,
) -> Data:
    """Classes of nodes that are joined to their own kind more often, with features that tell the class only faintly.

    The number of edges is fixed (Karrer and Newman 2011 treat the model with Poisson numbers of edges; this is the same
    given their sum), which takes time and memory in proportion to it.

    Args:
        nodes: how many, at least 100 a class.
        classes: of nearly equal size, 2 or more.
        features: of a node; standard normal around the mean of its class.
        degree: undirected edges that a node has on average, before self-loops and repetitions are removed.
        homophily: probability that an edge is drawn within a class; others join two of different classes.
        signal: standard deviation of the means of classes.
        seed: of all that is drawn.

    Raises:
        InvalidOption: a size or probability that cannot be used.
        TooLarge: it would not fit into the memory that is left.
    """
    for name, size, least in (("classes", classes, 2), ("nodes", nodes, 100 * classes), ("features", features, 1)):
        if size < least:
            raise InvalidOption(f"{name} is {size}, expected at least {least}")
    if not 0 <= homophily <= 1:
        raise InvalidOption(f"homophily is {homophily}, expected a probability in [0, 1]")
    if not 0 < degree < nodes or signal < 0:
        raise InvalidOption(
            f"degree is {degree} and signal {signal}, expected a degree above 0 and below nodes, a signal from 0"
        )
    edges = round(nodes * degree / 2)
    check_bytes(f"a block model of {nodes} nodes", nodes * features * 12 + edges * 100, available_bytes())
    rng = default_rng(seed)
    labels = np.arange(nodes) % classes
    source = rng.integers(nodes, size=edges)
    shift = np.where(rng.random(edges) < homophily, 0, rng.integers(1, classes, size=edges))
    # Class c has the nodes c, c + classes, c + 2 classes, ...
    target_class = (source + shift) % classes
    members = (nodes - target_class + classes - 1) // classes
    target = target_class + classes * rng.integers(members)
    means = rng.normal(scale=signal, size=(classes, features)).astype(np.float32)
    x = rng.standard_normal((nodes, features), dtype=np.float32) + means[labels]
    return Data(
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(np.stack([source, target])),
        y=torch.from_numpy(labels),
    )
