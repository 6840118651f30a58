"""A space small enough to know by heart, campaigns on it, and runs of a strategy without a store."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from botorch.models import SingleTaskGP
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.kernels import RBFKernel, ScaleKernel
from jaxtyping import Float

from bo.campaign import Campaign, Evaluator, identifier
from bo.pareto import front
from bo.records import CampaignConfig, Failure, History, Objective, Proposal, Trial
from bo.store import Store
from bo.store_place import open_store
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.local_search import LocalSearch
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import Strategy
from bo.surrogate import Surrogate
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.condition import Condition
from graphs.errors import InvalidArchitecture
from graphs.space import Field, SearchSpace, log10_of
from graphs.spaces.nas_bench_graph import NasBenchGraph


class Chain(SearchSpace):
    """Three layers in a row, each a, b, c or skip; skips vanish: 64 descriptions, 1 + 3 + 9 + 27 = 40 networks."""

    name = "chain"
    summary = "three layers in a row"
    fields = (Field("op", ("input", "a", "b", "c", "skip", "output")),)
    max_nodes = 5
    choices = ("a", "b", "c", "skip")

    @property
    def size(self) -> int:
        return 64

    @property
    def network_count(self) -> int:
        return 40

    @property
    def log10_size(self) -> float:
        return log10_of(self.size)

    def build(self, names: tuple[str, ...]) -> ArchGraph:
        return ArchGraph((INPUT, *map(Op, names), OUTPUT), tuple((i, i + 1) for i in range(len(names) + 1)))

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)
        if len(graph) != 5:
            raise InvalidArchitecture(f"{self.name}: {len(graph)} nodes, expected 5")

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        return self.build(tuple(self.choices[int(k)] for k in rng.integers(4, size=3)))

    def enumerate(self) -> Iterator[ArchGraph]:
        return map(self.build, itertools.product(self.choices, repeat=3))

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        names, seen = self.format(graph).split("-"), {self.network(graph)}
        for place, name in itertools.product(range(3), self.choices):
            other = self.build((*names[:place], name, *names[place + 1 :]))
            if (network := self.network(other)) not in seen:
                seen.add(network)
                yield other

    def parse(self, text: str) -> ArchGraph:
        return self.build(tuple(text.split("-")))

    def format(self, graph: ArchGraph) -> str:
        self.check(graph)
        return "-".join(op.name for op in graph.ops[1:-1])

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return self.build(tuple(name for name in self.format(graph).split("-") if name != "skip"))


VALUE = {"a": 1.0, "b": 2.0, "c": 4.0, "skip": 0.0}


def measure(graph: ArchGraph) -> dict[str, float]:
    """The best is c-c-c with 12.7: letters count by worth, and by place so that few values are equal."""
    names = [op.name for op in graph.ops[1:-1] if op.name != "skip"]
    value = sum(VALUE[name] * (1 + 0.1 * place / 2) for place, name in enumerate(names))
    return {"score": float(value), "cost": float(len(names))}


@pytest.fixture(scope="session")
def chain() -> SearchSpace:
    """The space `Chain`."""
    return Chain()


@pytest.fixture(scope="session")
def chain_value() -> Evaluator:
    """Metrics `score`, largest for c-c-c, and `cost` of a `Chain`."""
    return measure


STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "random": RandomSearch,
    "evolution": RegularisedEvolution,
    "local-search": LocalSearch,
}


@pytest.fixture
def begin(chain: SearchSpace, tmp_path: Path) -> Iterator[Callable[..., Campaign]]:
    """`begin(name, strategy=..., **config)` opens the campaign `name` on `chain`, new or again."""
    stores: list[Store] = []

    def open_store(name: str = "campaign", strategy: str = "random", maximize: bool = True, **config: Any) -> Campaign:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        stores.append(store := Store(folder / "campaign.sqlite", create=True))
        wanted = CampaignConfig("chain", "toy", strategy, Objective("score", maximize), **config)
        made = STRATEGIES[strategy](chain, identifier(chain, wanted.distinct))
        return Campaign(chain, wanted, store, made, {"best": 12.7, "mean": 5.0})

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def simulate() -> Callable[..., History]:
    """`simulate(strategy, evaluate, budget, seed)` runs a strategy as a campaign would, in memory.

    What else the history holds, such as `constraints`, is passed on.
    """

    def run(
        strategy: Any, evaluate: Evaluator, budget: int, seed: int = 0, metric: str = "score", **others: Any
    ) -> History:
        space, trials = strategy.space, []
        objective = Objective(metric)
        for step in range(budget):
            rng = np.random.default_rng([seed, step])
            proposals, _ = strategy.propose(History(tuple(trials), objective, **others), 1, rng)
            if not proposals:
                break
            (proposal,) = proposals
            arch, identity = space.format(proposal.graph), strategy.identify(proposal.graph)
            trials.append(Trial(step, step, proposal, arch, identity, "done", evaluate(proposal.graph)))
        return History(tuple(trials), objective, **others)

    return run


class OneHotGP:
    """A small real surrogate: BoTorch's own GP with an RBF kernel on the one-hot layers of `Chain`."""

    def __init__(self) -> None:
        self._model: SingleTaskGP | None = None

    def fit(self, graphs: Sequence[ArchGraph], values: Float[np.ndarray, " n"]) -> None:
        targets = torch.from_numpy(values)[:, None]
        noise = torch.full_like(targets, 1e-2)
        kernel = ScaleKernel(RBFKernel()).double()
        kernel.outputscale, kernel.base_kernel.lengthscale = 4.0, 1.0
        self._model = SingleTaskGP(self.inputs(graphs), targets, noise, covar_module=kernel, outcome_transform=None)
        self._model.eval()

    @property
    def model(self) -> SingleTaskGP:
        assert self._model is not None
        return self._model

    def scale(self, value: float) -> float:
        return value

    def unscale(self, values: Float[torch.Tensor, "..."]) -> Float[torch.Tensor, "..."]:
        return values

    def inputs(self, graphs: Sequence[ArchGraph]) -> Float[torch.Tensor, "m d"]:
        names = Chain.choices
        return torch.tensor(
            [[float(op.name == name) for op in graph.ops[1:-1] for name in names] for graph in graphs],
            dtype=torch.float64,
        )

    def posterior(self, graphs: Sequence[ArchGraph]) -> Posterior:
        return self.model.posterior(self.inputs(graphs))

    def marginals(self, graphs: Sequence[ArchGraph]) -> GPyTorchPosterior:
        return self.model.posterior(self.inputs(graphs)[:, None])

    def predict(self, graphs: Sequence[ArchGraph]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        with torch.no_grad():
            found = self.posterior(graphs)
            return found.mean[:, 0].numpy(), found.variance[:, 0].sqrt().numpy()


@pytest.fixture(scope="session")
def surrogate() -> Callable[[], Surrogate]:
    """Makes untrained surrogates on `chain`."""
    return OneHotGP


class Improving:
    """Random graphs, then mutants of the front with invented predictions."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def propose(self, history: History, count: int, rng: np.random.Generator) -> tuple[list[Proposal], dict[str, Any]]:
        proposals: list[Proposal] = []
        seen = set(history.seen)
        while len(proposals) < count:
            parents = front(history)
            parent = parents[int(rng.integers(len(parents)))] if len(history.trials) >= 12 and parents else None
            graph = self.space.sample(rng) if parent is None else self.space.mutate(parent.graph, rng)
            if (identity := self.space.canonical(graph)) in seen:
                continue
            seen.add(identity)
            mean, std = 70 + 3 * float(rng.normal()), float(rng.uniform(0.5, 4))
            proposals.append(
                Proposal(graph, "initial")
                if parent is None
                else Proposal(graph, "mutation" if rng.random() < 0.5 else "generator", parent.number, mean, std)
            )
        return proposals, {"pool": {"mutation": 3}}


def measure_well(graph: ArchGraph) -> dict[str, float]:
    """Made-up metrics of a NAS-Bench-Graph architecture that mostly contradict each other."""
    digits = int(NasBenchGraph().canonical(graph)[2:12], 16)
    slow = digits % 89 + 1.0
    return {"valid_accuracy": 60 + digits % 997 / 100 + slow / 10, "params": 0.1 + digits % 7 / 10, "latency": slow}


FAILED: tuple[Failure, ...] = ("timeout", "out_of_memory", "timeout")


@pytest.fixture(scope="session")
def search_several() -> Callable[..., Campaign]:
    """`search_several(folder, others, constraints, ...)`: a campaign of several objectives that has ended.

    Every ninth query fails, the twelfth is stopped early, and each reports what it cost.
    """

    def search(
        folder: Path,
        others: tuple[Objective, ...] = (Objective("latency", maximize=False),),
        constraints: tuple[Condition, ...] = (Condition("params", "<=", 0.5),),
        queries: int = 36,
        evaluate: Evaluator = measure_well,
        space: SearchSpace | None = None,
        objective: Objective = Objective("valid_accuracy"),  # noqa: B008
        task: str = "arxiv",
    ) -> Campaign:
        folder.mkdir(parents=True, exist_ok=True)
        space = space or NasBenchGraph()
        config = CampaignConfig(space.name, task, "improving", objective, 5, 4, others=others, constraints=constraints)
        store = open_store(folder, create=True)
        made = Campaign(space, config, store, Improving(space), {"best": 81.25, "mean": 68.0})
        while made.spent < queries:
            for trial in made.ask(min(4, queries - made.spent)):
                ended = replace(trial, status="done", metrics=evaluate(trial.graph), cost=1.5)
                if trial.number % 9 == 8:
                    failure = FAILED[trial.number // 9 % 3]
                    ended = replace(ended, status="failed", metrics={}, error="it went wrong", failure=failure)
                elif trial.number == 11:
                    ended = replace(ended, status="stopped", metrics={"early": 3.0})
                store.tell(ended)
            made = Campaign(space, config, store, Improving(space))
        return made

    return search


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., AbstractContextManager[Store]]:
    """`with place(create=True) as store:` opens the store of one campaign, new or again."""
    url = request.getfixturevalue("new_database")() if request.param == "postgresql" else None

    @contextmanager
    def opened(folder: Path = tmp_path, create: bool = False) -> Iterator[Store]:
        folder.mkdir(exist_ok=True)
        store = open_store(folder, url if create else None, create=create)
        try:
            yield store
        finally:
            store.close()

    return opened
