"""Statistics of the data sets of NAS-Bench-Graph, computed from the graphs under ARCHGEN_DATA where they are there."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path

from torch_geometric.data import Data
from torch_geometric.datasets import Amazon, Coauthor, Planetoid

from predictors.conditioned.graph_statistics import GraphStatistics, graph_statistics

FOLDERS = {
    "cora": ("planetoid/Cora", Planetoid),
    "citeseer": ("planetoid/CiteSeer", Planetoid),
    "cs": ("graphs/CS", Coauthor),
    "physics": ("graphs/Physics", Coauthor),
    "photo": ("graphs/Photo", Amazon),
    "computers": ("graphs/Computers", Amazon),
}
"""Where a graph lies, and what of PyG reads it."""
RECALLED: Mapping[str, GraphStatistics] = {
    "pubmed": {
        "log_nodes": math.log(19_717),
        "log_edges": math.log(44_324),
        "log_degree": math.log(2 * 44_324 / 19_717),
        "log_density": math.log(2 * 44_324 / (19_717 * 19_716)),
        "clustering": 0.060,
        "homophily": 0.802,
        "adjusted_homophily": 0.686,
        "log_classes": math.log(3),
        "class_entropy": 0.965,
        "log_features": math.log(500),
        "log_feature_density": math.log(0.10),
    },
    "arxiv": {
        "log_nodes": math.log(169_343),
        "log_edges": math.log(1_157_799),
        "log_degree": math.log(2 * 1_157_799 / 169_343),
        "log_density": math.log(2 * 1_157_799 / (169_343 * 169_342)),
        "homophily": 0.654,
        "adjusted_homophily": 0.588,
        "log_classes": math.log(40),
        "log_features": math.log(128),
        "log_feature_density": 0.0,
    },
}
"""Of graphs that are not on disk, as recalled from what is published: PyG's and OGB's pages for sizes, homophily from
Platonov et al. 2023 ("Characterizing graph datasets for node classification"), pubmed's classes of 4,103, 7,739 and
7,875 nodes. Not checked against the graphs; what is missing counts as the mean of the others."""
SOURCES = {**dict.fromkeys(FOLDERS, "computed"), **dict.fromkeys(RECALLED, "recalled")}


def statistics_of(name: str) -> GraphStatistics:
    """Of one of the eight data sets."""
    return RECALLED[name] if name in RECALLED else graph_statistics(read_graph(name))


def read_graph(name: str) -> Data:
    """A graph on disk. PyG writes beside what it reads, so it reads a copy."""
    folder, reader = FOLDERS[name]
    source = Path(os.environ["ARCHGEN_DATA"]) / folder
    with tempfile.TemporaryDirectory() as root, open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        shutil.copytree(source, Path(root) / source.name)
        return reader(root, source.name)[0]
