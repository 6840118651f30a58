"""The compared strategies on spaces that they can and cannot search, under bounds and for several objectives."""

from pathlib import Path

import numpy as np
import pytest

from archgen.properties import known_costs
from archgen.session import open_campaign
from archgen.strategies import STRATEGIES, build_strategy, check_options, check_strategy
from bo.records import CampaignConfig, History, Objective, Trial
from bo.strategies.linas import Linas
from bo.strategies.nsga2 import Nsga2
from bo.strategies.random_search import RandomSearch
from graphs.condition import Condition
from graphs.errors import InvalidOption, UnknownName
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.catalogue import load_table

BOUND = Condition("params", "<=", 0.4)


def config(strategy: str, space: str = "nasbench201", **others: object) -> CampaignConfig:
    task = {"nasbench201": "cifar10", "nas-bench-graph": "cora"}.get(space, "imagenet")
    return CampaignConfig(space, task, strategy, Objective("valid_accuracy"), **others)  # type: ignore[arg-type]


def build(strategy: str, space: SearchSpace, **others: object) -> object:
    told = config(strategy, space.name, **others)
    costs = known_costs(space, told.task)
    return build_strategy(space, told, space.canonical, Path("none"), {n: costs[n] for n in told.goals if n in costs})


class Unlisted(NasBench201):
    """Neither a layout nor a list."""

    name = "unlisted"
    enumerable = property(lambda _: False)  # type: ignore[assignment]

    def layout(self) -> None:  # type: ignore[override]
        return None


def test_without_slots_nsga2_only_mutates_and_those_that_learn_from_slots_are_refused() -> None:
    strategy = build("nsga2", Unlisted())
    assert isinstance(strategy, Nsga2)
    assert strategy.crossover is None
    for name in ("linas", "auto-gnn", "graphnas"):
        with pytest.raises(InvalidOption, match=rf"strategy '{name}' learns from slots: .* or choose another strategy"):
            build(name, Unlisted())


def test_robot_is_refused_where_nobody_published_metrics(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    with pytest.raises(InvalidOption, match="there are for 'nasbench201' and not for 'ofa-mobilenetv3'"):
        build("robot", get_space("ofa-mobilenetv3"))
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    with pytest.raises(InvalidOption, match="params<=0: no architecture with metrics keeps this"):
        build("robot", NasBench201(), constraints=(Condition("params", "<=", 0.0),))


def test_bounds_are_the_constraints_on_known_costs() -> None:
    space = NasBench201()
    strategy = build("random", space, constraints=(BOUND, Condition("valid_accuracy", ">=", 80.0)))
    assert isinstance(strategy, RandomSearch)
    assert strategy.bounds.conditions == (BOUND,)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not name.startswith("archgen")])
def test_all_proposals_keep_the_known_constraints(name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    space = NasBench201()
    strategy = build(name, space, constraints=(BOUND,))
    cost, trials = known_costs(space, "cifar10")["params"], list[Trial]()
    count = 2 if name == "robot" else 30  # its exploration takes a fit a query
    for step in range(3):
        history = History(tuple(trials), Objective("valid_accuracy"), constraints=(BOUND,))
        proposals, _ = strategy.propose(history, count, np.random.default_rng(step))  # type: ignore[attr-defined]
        for proposal in proposals:
            metrics = {"valid_accuracy": float(len(set(proposal.graph.ops))), "params": cost(proposal.graph)}
            number = len(trials)
            identity = space.canonical(proposal.graph)
            trials.append(Trial(number, step, proposal, str(number), identity, "done", metrics))
    assert len(trials) == 3 * count or name in ("local-search", "wl-gp")  # which end steps where they learn
    assert max(trial.metrics["params"] for trial in trials) <= BOUND.value


def test_linas_computes_known_costs_exactly() -> None:
    space = get_space("ofa-mobilenetv3")
    strategy = build("linas", space, others=(Objective("macs", maximize=False),))
    assert isinstance(strategy, Linas)
    assert list(strategy.known) == ["macs"]
    rng = np.random.default_rng(0)
    graphs = [space.sample(rng) for _ in range(5)]
    found = strategy.known["macs"](strategy.layout.read(graphs).numpy())
    assert found.tolist() == [space.costs(graph)["macs"] for graph in graphs]


def test_with_an_evaluator_of_ones_own_linas_predicts_every_metric() -> None:
    space = NasBench201()
    told = CampaignConfig(space.name, "own", "linas", Objective("valid_accuracy"), others=(Objective("params", False),))
    strategy = build_strategy(space, told, space.canonical, Path("none"))
    assert isinstance(strategy, Linas)
    assert strategy.known == {}


@pytest.mark.parametrize("name", ["auto-gnn", "graphnas"])
def test_controllers_go_on_as_if_they_had_not_been_interrupted(
    name: str, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    table = load_table("nas-bench-graph", "cora")

    def run(folder: str, *budgets: int, seed: int = 0) -> list[str]:
        for budget in budgets:
            told = {"space": "nas-bench-graph", "task": "cora", "strategy": name, "seed": seed, "batch": 2}
            with open_campaign(tmp_path / folder, **told) as campaign:  # type: ignore[arg-type]
                campaign.run(table, budget)
        return [trial.arch for trial in campaign.history.trials]

    whole = run("whole", 12)
    assert run("parts", 2, 6, 10, 12) == whole
    assert run("other", 12, seed=1) != whole


def test_controllers_improve_one_objective_and_have_no_options() -> None:
    for name in ("auto-gnn", "graphnas"):
        several = config(name, others=(Objective("params", maximize=False),))
        with pytest.raises(InvalidOption, match=f"strategy '{name}' improves one objective, got 2; choose one of "):
            check_options(several)
        with pytest.raises(InvalidOption, match=f"strategy '{name}' has no option 'acquisition'"):
            check_options(config(name, options={"acquisition": "log-ei"}))
    with pytest.raises(UnknownName, match="Did you mean 'auto-gnn'"):
        check_strategy("autognn")
