"""HAND_MADE: graph neural networks that people designed, as architectures of `gnn`, with their authors' settings."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

from graphs.archgraph import ArchGraph, AttrValue, Op
from graphs.spaces.gnn import Recipe


def _chain(layers: list[Op], steps: int = 0, teleport: float = 0.0, **recipe: AttrValue) -> ArchGraph:
    ops = (
        Op("input", **{**asdict(Recipe()), **recipe}),
        *layers,
        Op("output", jumping="cat", steps=steps, teleport=teleport),
    )
    return ArchGraph(ops, tuple(pairwise(range(len(ops)))))


def _plain(name: str, activation: str = "relu", hidden: int = 64, **attrs: AttrValue) -> Op:
    return Op(name, hidden=hidden, activation=activation, **attrs)


def _attention(attention: str, hidden: int, heads: int, activation: str) -> Op:
    usual: dict[str, AttrValue] = {"aggregate": "sum", "combine": "identity"}
    return Op("attention", attention=attention, hidden=hidden, heads=heads, activation=activation, **usual)


HAND_MADE: dict[str, ArchGraph] = {
    "GCN": _chain([_attention("gcn", 64, 1, "relu")], steps=1),
    "GAT": _chain([_attention("gat", 8, 8, "elu"), _attention("gat", 64, 1, "linear")], learning_rate=0.005),
    "SAGE": _chain([_plain("sage"), _plain("sage", "linear")]),
    "GIN": _chain([_plain("gin"), _plain("gin")], norm="batch"),
    "APPNP": _chain([_plain("fc")], steps=8, teleport=0.1, weight_decay=5e-3),
    "GCNII": _chain([_plain("gcnii", steps=8, teleport=0.1)], feature_dropout=0.6, dropout=0.6, weight_decay=5e-4),
}
"""GCN, APPNP and GCNII as published but for 8 steps; in the others a linear map to the logits comes last."""
