"""EvaluatorContract: the tests that what trains or looks up an architecture runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bo.campaign import Campaign, Evaluator
from bo.records import CampaignConfig, Objective
from bo.store import Store
from bo.strategies.random_search import RandomSearch
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace


class EvaluatorContract:
    """What every `bo.campaign.Evaluator` must hold:

    class TestTraining(EvaluatorContract):
        space, objective, samples, noisy = MySpace(), "accuracy", 2, True

        def evaluator(self):
            return train_for_one_epoch
    """

    space: SearchSpace
    objective: str
    """The metric that a campaign would improve."""
    samples = 20  # graphs that each test evaluates
    noisy = False  # whether one graph may get different values

    def evaluator(self) -> Evaluator:
        """The evaluator, as a new process would make it."""
        raise NotImplementedError(f"{type(self).__name__} must define evaluator()")

    def graphs(self) -> list[ArchGraph]:
        """`samples` graphs of the space."""
        rng = np.random.default_rng(0)
        return [self.space.sample(rng) for _ in range(self.samples)]

    def test_every_graph_gets_finite_metrics_with_the_objective_among_them(self) -> None:
        evaluate = self.evaluator()
        for graph in self.graphs():
            metrics = evaluate(graph)
            assert isinstance(metrics, Mapping), f"expected metrics by name, got {metrics!r}"
            assert self.objective in metrics, f"expected {self.objective!r} among the metrics, got {sorted(metrics)}"
            for name, value in metrics.items():
                assert isinstance(name, str), f"expected names of metrics to be strings, got {name!r}"
                assert math.isfinite(float(value)), f"{name} of {graph} is {value}, expected a finite number"

    def test_every_graph_gets_the_same_metrics(self) -> None:
        evaluate = self.evaluator()
        names = [frozenset(evaluate(graph)) for graph in self.graphs()]
        assert len(set(names)) == 1, f"expected the same metrics of every graph, got {sorted(map(sorted, set(names)))}"

    def test_the_answer_depends_on_the_graph_alone(self) -> None:
        if self.noisy:
            pytest.skip("says that it is noisy")
        first, graphs = self.evaluator(), self.graphs()
        answers = [dict(first(graph)) for graph in graphs]
        for evaluate in (first, self.evaluator()):
            for graph, answer in reversed(list(zip(graphs, answers, strict=True))):
                again = dict(evaluate(graph))
                assert again == answer, f"{graph} got {answer}, then {again}; set noisy = True where that is meant"

    def test_a_campaign_takes_the_answers(self, tmp_path: Path) -> None:
        config = CampaignConfig(self.space.name, "contract", "random", Objective(self.objective))
        store = Store(tmp_path / "campaign.sqlite", create=True)
        try:
            campaign = Campaign(self.space, config, store, RandomSearch(self.space, self.space.canonical))
            campaign.run(self.evaluator(), min(3, self.samples))
            trials = campaign.history.trials
            assert trials, "the campaign proposed nothing"
            for trial in trials:
                assert trial.status == "done", f"the evaluation of {trial.arch} failed: {trial.error}"
        finally:
            store.close()
