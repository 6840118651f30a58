"""The named strategies: all can be built, none remembers anything, and mistyped ones are refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from archgen.strategies import STRATEGIES, build_strategy, check_options, check_strategy, ensure_generator
from bo.records import CampaignConfig, History, Objective
from bo.strategies.strategy import Strategy
from graphs.errors import CheckpointError, InvalidOption, UnknownName
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201


def config(strategy: str, **options: int) -> CampaignConfig:
    return CampaignConfig("nas-bench-graph", "cora", strategy, Objective("valid_accuracy"), options=options)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "wl-gp")) for name in STRATEGIES if name != "robot"]
)
def test_each_begins_with_random_graphs_and_only_the_generator_is_kept(tmp_path: Path, name: str) -> None:
    space = NasBenchGraph()
    check_strategy(name)
    chosen = config(name, **({"generator_steps": 2} if name == "archgen" else {}))
    check_options(chosen)
    strategy = build_strategy(space, chosen, space.canonical, tmp_path / "generator.safetensors")
    assert isinstance(strategy, Strategy)
    proposals, _ = strategy.propose(History((), Objective("valid_accuracy")), 2, np.random.default_rng(0))
    assert len({space.canonical(p.graph) for p in proposals}) == 2
    kept = [path.name for path in tmp_path.iterdir()]
    assert kept == (["generator.safetensors"] if name == "archgen" else [])


def test_a_generator_of_another_seed_or_length_is_refused(tmp_path: Path) -> None:
    space, path = NasBench201(), tmp_path / "generator.safetensors"
    kept = ensure_generator(space, 0, path, steps=2)
    assert ensure_generator(space, 0, path, steps=2).provenance == kept.provenance
    for seed, steps in ((1, 2), (0, 3), (0, None)):
        with pytest.raises(CheckpointError, match=r"trained with seed 0 for 2 steps, expected .* delete it"):
            ensure_generator(space, seed, path, steps)


def test_mistyped_names_and_options_are_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'archgen-mutation'"):
        check_strategy("archgen-mutatoin")
    with pytest.raises(InvalidOption, match="has no option 'generator_steps'"):
        check_options(config("random", generator_steps=3))
    with pytest.raises(InvalidOption, match="has no option 'steps'"):
        check_options(config("archgen", steps=3))
    with pytest.raises(InvalidOption, match="expected at least 1"):
        check_options(config("archgen", generator_steps=0))
    check_options(config("archgen", generator_steps=1))


# A strategy that has met other graphs before, in another order, against one that is asked first. In a process of its
# own: checking every shape and type would take many times as long.
WITH_A_PAST = """
import sys
from pathlib import Path
import numpy as np
from archgen.strategies import build_strategy
from bo.records import CampaignConfig, History, Objective, Proposal, Trial
from graphs.tables.nas_bench_graph import load_nas_bench_graph

table = load_nas_bench_graph("cora")
space, objective = table.space, Objective("valid_accuracy")
options = {"generator_steps": 5} if sys.argv[1] == "archgen" else {}
config = CampaignConfig("nas-bench-graph", "cora", sys.argv[1], objective, options=options)

def history(seed):
    rng = np.random.default_rng(seed)
    graphs = {space.canonical(graph): graph for graph in (space.sample(rng) for _ in range(25))}
    return History(tuple(
        Trial(k, k, Proposal(graph, "random"), "", identity, "done", table(graph))
        for k, (identity, graph) in enumerate(graphs.items())
    ), objective)

def build():
    return build_strategy(space, config, space.canonical, Path(sys.argv[2]))

old = build()
for seed in (1, 2):
    backwards = History(history(seed).trials[::-1], objective)
    old.propose(backwards, 1, np.random.default_rng(seed))
old.propose(History(history(3).trials[::-1], objective), 1, np.random.default_rng(3))
for count in (1, 2):
    there, here = (s.propose(history(3), count, np.random.default_rng(4))[0] for s in (old, build()))
    assert there == here, (there, here)
"""


@pytest.mark.parametrize("name", ["archgen-mutation", pytest.param("archgen", marks=pytest.mark.slow)])
def test_what_a_process_has_met_does_not_change_a_bit_of_a_proposal(tmp_path: Path, name: str) -> None:
    subprocess.run([sys.executable, "-c", WITH_A_PAST, name, tmp_path / "generator.safetensors"], check=True)
