"""What NAS-Bench-Graph (Qin et al., NeurIPS 2022) trained on each of its data sets, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class BenchmarkSetting:
    """What NAS-Bench-Graph trained on one data set, and how; the arguments of `GraphNetwork` come first."""

    in_features: int
    classes: int
    hidden: int
    pre_layer: bool
    post_layer: bool
    dropout: float
    optimizer: Literal["sgd", "adam"]
    learning_rate: float
    weight_decay: float
    epochs: int


BENCHMARK_SETTINGS: Mapping[str, BenchmarkSetting] = MappingProxyType(
    {
        "cora": BenchmarkSetting(1433, 7, 256, False, True, 0.7, "sgd", 0.1, 5e-4, 400),
        "citeseer": BenchmarkSetting(3703, 6, 256, False, True, 0.7, "sgd", 0.2, 5e-4, 400),
        "pubmed": BenchmarkSetting(500, 3, 128, False, False, 0.3, "sgd", 0.2, 5e-4, 500),
        "cs": BenchmarkSetting(6805, 15, 128, True, False, 0.6, "sgd", 0.5, 5e-4, 400),
        "physics": BenchmarkSetting(8415, 5, 256, True, False, 0.4, "sgd", 0.01, 0.0, 200),
        "photo": BenchmarkSetting(745, 8, 128, False, False, 0.7, "adam", 2e-4, 5e-4, 500),
        "computers": BenchmarkSetting(767, 10, 64, True, True, 0.1, "adam", 0.005, 5e-4, 500),
        "arxiv": BenchmarkSetting(128, 40, 128, False, True, 0.2, "adam", 0.002, 0.0, 500),
    }
)
"""Sizes as the published parameter counts demand them; training columns as a public copy of the code has them."""
