"""Cells on data sets whose classes make them easy or hard."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from graphs.spaces.nasbench201 import NasBench201
from predictors.conditioned.datasets import ClassSets, Pairs
from predictors.feature_table import FeatureTable
from predictors.features import SLOTS, wl_labels

SPACE = NasBench201()
CLASSES = 12


@pytest.fixture(scope="session")
def small_table() -> FeatureTable:
    return FeatureTable(SPACE, {"slots": SLOTS, "wl0": wl_labels(0)})


@pytest.fixture(scope="session")
def class_data() -> tuple[Pairs, Tensor]:
    """240 cells on 80 data sets of three classes: a label is the classes' mean effect and half the convolutions."""
    rng = np.random.default_rng(0)
    sets = [(1 + rng.permutation(CLASSES)[:3]).tolist() for _ in range(80)]
    effect = np.linspace(-4, 4, CLASSES + 1)
    graphs, place = [SPACE.sample(rng) for _ in range(240)], torch.from_numpy(rng.integers(80, size=240))
    worth = [0.5 * sum("conv" in op.name for op in graph.ops) for graph in graphs]
    labels = [effect[sets[at]].mean() + w + 0.1 * rng.standard_normal() for at, w in zip(place, worth, strict=True)]
    return Pairs(tuple(graphs), place, ClassSets.of(sets, CLASSES + 3)), torch.tensor(labels)
