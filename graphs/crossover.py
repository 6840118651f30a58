"""Crossover: a child that has each slot of a layout from one of two parents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Int

from graphs.archgraph import ArchGraph
from graphs.layout import Layout

Crossover = Callable[[ArchGraph, ArchGraph, np.random.Generator], ArchGraph]
"""A valid architecture from two parents."""


def uniform_crossover(layout: Layout) -> Crossover:
    """Uniform crossover (Syswerda 1989) of the architectures of `layout`."""

    def cross(first: ArchGraph, second: ArchGraph, rng: np.random.Generator) -> ArchGraph:
        rows = layout.read([first, second]).numpy()
        child = cross_rows(layout, rows[:1], rows[1:], rng)
        return layout.write(torch.from_numpy(child))[0]

    return cross


def cross_rows(
    layout: Layout, first: Int[np.ndarray, "b s"], second: Int[np.ndarray, "b s"], rng: np.random.Generator
) -> Int[np.ndarray, "b s"]:
    """Children of valid rows: each slot from one of the parents by chance.

    Where that is no architecture, whole parts of the layout come from one of the parents, which always is one.
    """
    child: Int[np.ndarray, "b s"] = np.where(rng.random(first.shape) < 0.5, first, second)
    bad = ~valid_rows(layout, child)
    if bad.any():
        for part in layout.parts:
            columns = list(part)
            chosen = np.where(rng.random((len(child), 1)) < 0.5, first[:, columns], second[:, columns])
            child[:, columns] = np.where(bad[:, None], chosen, child[:, columns])
    return child


def valid_rows(layout: Layout, rows: Int[np.ndarray, "b s"]) -> Bool[np.ndarray, " b"]:
    """Whether complete rows are architectures of the space."""
    valid: Bool[np.ndarray, " b"] = layout.valid(torch.from_numpy(rows)).numpy()
    return valid
