"""Seeded random parts of nodes and of graphs."""

from collections.abc import Callable

from jaxtyping import Int
from numpy.random import default_rng
from torch import Tensor, cat, from_numpy

TRAIN_PER_CLASS, VALID_PER_CLASS = 20, 30

Parts = tuple[Int[Tensor, " train"], Int[Tensor, " valid"], Int[Tensor, " test"]]
"""Numbers of nodes or graphs for training, validation and test, ascending; no number is in two."""


def random_node_split(labels: Int[Tensor, " n"], seed: int) -> Parts:
    """20 nodes of each class for training, 30 for validation, all others for test: Shchur et al. (2018), section 3.

    A class of at most 50 nodes, which would leave none for test, is divided in thirds. Nodes with label -1 are in no
    part.
    """

    def sizes(members: int) -> tuple[int, int]:
        if members > TRAIN_PER_CLASS + VALID_PER_CLASS:
            return TRAIN_PER_CLASS, VALID_PER_CLASS
        return (members + 2) // 3, (members + 1) // 3

    return _by_class(labels, seed, sizes)


def random_graph_split(labels: Int[Tensor, " m"], seed: int) -> Parts:
    """Of each class a tenth for validation and a tenth for test, at least one each if it has three; the rest trains."""

    def sizes(members: int) -> tuple[int, int]:
        held_out = max(round(members / 10), 1) if members >= 3 else 0
        return members - 2 * held_out, held_out

    return _by_class(labels, seed, sizes)


def _by_class(labels: Int[Tensor, " m"], seed: int, sizes: Callable[[int], tuple[int, int]]) -> Parts:
    """Each class shuffled and cut: as many for training and validation as `sizes` says, the rest for test."""
    rng = default_rng(seed)
    parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        members = members[from_numpy(rng.permutation(len(members)))]
        train, valid = sizes(len(members))
        for part, chosen in zip(parts, members.tensor_split([train, train + valid]), strict=True):
            part.append(chosen)
    train_part, valid_part, test_part = (cat(part).sort().values for part in parts)
    return train_part, valid_part, test_part
