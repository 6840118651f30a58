"""Labelled architectures for the experiments with predictors."""

import numpy as np
import torch
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table
from graphs.tables.ofa_mobilenetv3 import load_subnets


def labelled(name: str, task: str | None, target: str | None) -> tuple[SearchSpace, list[ArchGraph], Tensor]:
    """All measured architectures of a space: subnets of Once-for-All, else each row of a task's table."""
    space = get_space(name)
    if name == "ofa-mobilenetv3":
        subnets = load_subnets()
        return space, list(subnets.graphs), torch.as_tensor(subnets.top1).double()
    table = load_table(name, str(task))
    graphs = list(space.enumerate() if space.size == len(table) else space.networks)
    column = table.column(target or table.objective)
    return space, graphs, torch.tensor([float(column[table.rows[table.key(graph)]]) for graph in graphs]).double()


def split(count: int, labels: int, tested: int, seed: int) -> tuple[list[int], list[int]]:
    """The rows to learn from and those to be predicted, by chance."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    return order[:labels], order[labels : labels + tested]
