"""Labels: whole numbers from 0 on, one for each node or graph."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from graphs.errors import DataError

UNLABELLED = -1


def checked_labels(name: str, y: Any, kind: str, nodes: int) -> Int[Tensor, " m"]:
    """The labels in `y`: one for each of the nodes (-1 where a node has none), or one for the graph.

    Raises:
        DataError: none, several for one item, or no whole numbers.
    """
    if y is None:
        raise DataError(f"{name} has no labels; set data.y, or take kind='link', which needs none")
    if not isinstance(y, Tensor):
        raise DataError(f"{name}: y is a {type(y).__name__}, expected a tensor of integers")
    expected, item = (nodes, "node") if kind == "node" else (1, "graph")
    came = f"{y.dtype} of shape {tuple(y.shape)}"
    if y.ndim == 2 and y.shape[1] > 1 and y.shape[0] == expected:
        raise DataError(
            f"{name}: y is {came}, so a {item} has {y.shape[1]} labels, expected one; choose a column: data.y[:, 0]"
        )
    if y.numel() != expected:
        raise DataError(f"{name}: y is {came}, expected {expected} integers, one a {item}")
    if y.is_floating_point() or y.is_complex():
        raise DataError(f"{name}: y is {came}, expected integers, the numbers of classes; convert them: data.y.long()")
    labels: Tensor = y.flatten().long()
    lowest = UNLABELLED if kind == "node" else 0
    bad = (labels < lowest).nonzero().flatten()
    if len(bad):
        raise DataError(
            f"{name}: {item} {int(bad[0])} has label {int(labels[bad[0]])}, expected a class from 0 on"
            f"{', or -1 for a node without a label' if kind == 'node' else ''}; number the classes from 0"
        )
    return labels


def count_classes(name: str, labels: Int[Tensor, " m"]) -> int:
    """How many classes there are, all of them in use.

    Raises:
        DataError: fewer than two, or a number between them that nobody has.
    """
    present = torch.unique(labels[labels != UNLABELLED])
    if len(present) == 0:
        raise DataError(f"{name} has no labels: every entry of y is -1; label some nodes, or take kind='link'")
    classes = int(present[-1]) + 1
    if len(present) != classes:
        raise DataError(
            f"{name}: label {classes - 1} is out of range, since there are {len(present)} classes, expected labels "
            f"0 to {len(present) - 1}; renumber them: torch.unique(data.y, return_inverse=True)[1]"
        )
    if classes < 2:
        raise DataError(f"{name} has one class only, expected at least two; there is nothing to tell apart")
    return classes
