"""Regret of a strategy on a real table."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bo.records import History
from graphs.tables.nas_bench_graph import load_nas_bench_graph

SEEDS, QUERIES = 14, 100


@pytest.fixture
def arxiv_regret(simulate: Callable[..., History]) -> Callable[..., tuple[float, float]]:
    """`arxiv_regret(strategy_class)`: mean over seeds of the regret after 100 queries, and its standard error."""
    table = load_nas_bench_graph("arxiv")
    best = table.best(table.objective)

    def run(strategy: Any) -> tuple[float, float]:
        regrets = []
        for seed in range(SEEDS):
            made = strategy(table.space, table.space.canonical)
            history = simulate(made, table, QUERIES, seed=seed, metric=table.objective)
            regrets.append(best - history.best_so_far()[-1])
        return float(np.mean(regrets)), float(np.std(regrets, ddof=1) / SEEDS**0.5)

    return run
