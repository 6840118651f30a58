"""Pre-training a graph encoder on what every architecture tells for nothing (FBNetV3, Dai et al. 2021, section 3.2).

Parameters, multiply-accumulates, depth and how often each operation occurs are known of any number of unlabelled
graphs. An encoder that predicts them starts better into learning from few labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import EvaluationError
from graphs.space import SearchSpace
from predictors.gnn import GnnSize, GraphMembers
from predictors.graph_inputs import GraphInputs, depths
from predictors.member_training import Schedule, train_members

Statistics = Callable[[ArchGraph], Mapping[str, float]]
"""Numbers of a graph by name; one that a graph lacks is 0."""
GRAPHS = 4_000
"""Random architectures from which is learned; some are the same network."""
SCHEDULE = Schedule(steps=800, batch=128, decay=1e-2)
NODES = 1024
"""Nodes of a step at most, so that larger graphs take as long."""
SEED = 0


def pretrain(
    space: SearchSpace, inputs: GraphInputs, more: Statistics = lambda _: {}, schedule: Schedule = SCHEDULE
) -> GraphMembers:
    """One encoder that has learned the statistics of random architectures; always the same, in half a minute.

    Args:
        space: the architectures'.
        inputs: makes what the encoder reads.
        more: statistics beyond `free_statistics`, e.g. zero-cost scores of a table.
        schedule: of the training.

    Raises:
        EvaluationError: a statistic is not finite.
    """
    rng = np.random.default_rng(SEED)
    graphs = [space.sample(rng) for _ in range(GRAPHS)]
    graphs = list({space.network(graph): graph for graph in graphs}.values())
    targets = standardised([{**free_statistics(space, graph), **more(graph)} for graph in graphs])
    chance = torch.Generator().manual_seed(SEED)
    x = inputs(graphs)
    size = min(schedule.batch, max(1, NODES // x.nodes.shape[1]))
    encoder = GraphMembers(1, inputs.width, targets.shape[1], GnnSize(dropout=0.0), chance)
    shorter = Schedule(schedule.steps, size, schedule.learning_rate, schedule.decay)
    train_members(encoder, x, targets, torch.ones(1, len(graphs)), shorter, chance)
    return encoder


def free_statistics(space: SearchSpace, graph: ArchGraph) -> dict[str, float]:
    """The costs that the space knows, the network's size and depth, and how often each operation occurs in it."""
    network = space.network(graph)
    counts = Counter(f"count {op}" for op in network.ops)
    return {
        **space.costs(graph),
        **{f"log {name}": float(np.log1p(max(cost, 0.0))) for name, cost in space.costs(graph).items()},
        "nodes": float(len(network)),
        "edges": float(len(network.edges)),
        "depth": float(depths(network)[-1]),
        **{name: float(count) for name, count in counts.items()},
    }


def standardised(rows: Sequence[Mapping[str, float]]) -> Float[Tensor, "m o"]:
    """The statistics that vary, in order of their names, each of mean 0 and deviation 1.

    Raises:
        EvaluationError: none varies, or one is not finite.
    """
    names = sorted({name for row in rows for name in row})
    table = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    if not np.isfinite(table).all():
        wrong = names[int((~np.isfinite(table)).any(0).argmax())]
        raise EvaluationError(f"statistic {wrong!r} is not finite; leave out scores that failed")
    deviation = table.std(0)
    kept = deviation > 1e-9
    if not kept.any():
        raise EvaluationError(f"none of the statistics {', '.join(names)} varies; give graphs that differ")
    return torch.from_numpy((table[:, kept] - table[:, kept].mean(0)) / deviation[kept]).float()
