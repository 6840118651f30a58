"""Networks in which each layer has one input: identities contracted, layers in canonical order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphs.archgraph import OUTPUT, ArchGraph, Op


def contract(parents: Sequence[int], names: Sequence[str], places: Mapping[str, int]) -> ArchGraph:
    """The network of layers 1, 2, ... where layer k reads layer `parents[k - 1]`, 0 being the input.

    A skip that is read, or whose parent has no other reader, is the identity and vanishes; so does an unread skip of
    the input, which is not put out. An unread skip beside other readers stays: it puts its parent out too.

    Args:
        places: the order of operations that sorts the readers of a layer.
    """
    parent = dict(enumerate(parents, start=1))
    ops = dict(enumerate(names, start=1))
    while (node := _identity(parent, ops)) is not None:
        for child in [c for c in parent if parent[c] == node]:
            parent[child] = parent[node]
        del parent[node], ops[node]
    return _to_graph(_tree(0, parent, ops, places))


@dataclass(frozen=True)
class _Tree:
    """A layer and the layers that read it, sorted: the canonical form of a one-input-each DAG."""

    op: str
    place: int
    children: tuple[_Tree, ...]

    @property
    def key(self) -> tuple[object, ...]:
        return (self.place, *(child.key for child in self.children))


def _identity(parent: dict[int, int], ops: dict[int, str]) -> int | None:
    """A skip that changes nothing, or None."""
    for node, op in ops.items():
        read = node in parent.values()
        alone = not any(other != node and parent[other] == parent[node] for other in parent)
        if op == "skip" and (read or alone or parent[node] == 0):
            return node
    return None


def _tree(node: int, parent: dict[int, int], ops: dict[int, str], places: Mapping[str, int]) -> _Tree:
    children = (_tree(child, parent, ops, places) for child in parent if parent[child] == node)
    op = ops.get(node, "input")
    return _Tree(op, places.get(op, -1), tuple(sorted(children, key=lambda tree: tree.key)))


def _to_graph(tree: _Tree) -> ArchGraph:
    """Number the tree in pre-order; its leaves feed the output."""
    ops: list[Op] = []
    edges: list[tuple[int, int]] = []
    leaves: list[int] = []
    waiting: list[tuple[_Tree, int | None]] = [(tree, None)]
    while waiting:
        branch, above = waiting.pop()
        node = len(ops)
        ops.append(Op(branch.op))
        if above is not None:
            edges.append((above, node))
        if not branch.children:
            leaves.append(node)
        waiting.extend((child, node) for child in reversed(branch.children))
    return ArchGraph((*ops, OUTPUT), (*edges, *((leaf, len(ops)) for leaf in leaves)))
