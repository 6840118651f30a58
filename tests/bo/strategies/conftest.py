"""Regret of a strategy on a real table."""

import subprocess
import sys
from collections.abc import Callable

import pytest

# Without a store, and in a process of its own: checking every shape and type would take fifteen times as long.
REGRET = """
import sys
import numpy as np
from bo.records import History, Objective, Trial
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.local_search import LocalSearch
from bo.strategies.random_search import RandomSearch
from graphs.tables.nas_bench_graph import load_nas_bench_graph

table, regrets = load_nas_bench_graph("arxiv"), []
space, objective = table.space, Objective(table.objective)
strategy = globals()[sys.argv[1]](space, space.canonical)
for seed in range(int(sys.argv[2])):
    trials = ()
    for step in range(100):
        rng = np.random.default_rng([seed, step])
        proposal = strategy.propose(History(trials, objective), 1, rng)[0][0]
        identity = space.canonical(proposal.graph)
        trials += (Trial(step, step, proposal, "", identity, "done", table(proposal.graph)),)
    regrets.append(table.best(table.objective) - History(trials, objective).best_so_far()[-1])
print(np.mean(regrets), np.std(regrets, ddof=1) / len(regrets) ** 0.5)
"""


@pytest.fixture(scope="session")
def arxiv_regret() -> Callable[[str], tuple[float, float]]:
    """`arxiv_regret("RandomSearch")`: mean over 16 seeds of the regret after 100 queries, and its standard error."""

    def run(strategy: str) -> tuple[float, float]:
        done = subprocess.run(
            [sys.executable, "-c", REGRET, strategy, "16"], stdout=subprocess.PIPE, text=True, check=True
        )
        mean, error = map(float, done.stdout.split())
        return mean, error

    return run
