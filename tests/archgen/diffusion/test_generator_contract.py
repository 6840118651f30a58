"""The campaign's diffusion generator, trained for a few steps on a toy space, keeps the contract; broken ones fail."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archgen.diffusion import training
from archgen.strategies import _Guided
from archgen.testing import GeneratorContract
from bo.records import CampaignConfig, Objective
from bo.surrogate import Generator, GraphScore
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace

CONFIG = CampaignConfig("toy-tree", "toy", "archgen", Objective("score"), options={"generator_steps": 20})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written by the first generator that draws; the others read it."""
    return tmp_path_factory.mktemp("generator") / "generator.safetensors"


class TestDiffusionGenerator(GeneratorContract):
    count = 16  # of 81 graphs; a step keeps different ones

    @pytest.fixture(autouse=True)
    def _on_a_toy_space(self, tree_space: SearchSpace, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(training, "JUDGED", 500)
        self.space, self.checkpoint = tree_space, checkpoint

    def generator(self) -> Generator:
        return _Guided(self.space, CONFIG, self.checkpoint, lambda *_: None, lambda _: None)


Law = Callable[[int, Any, GraphScore, int], Any]


@dataclass
class Drawing:
    """A generator that is one function of count, space, score and seed."""

    law: Law
    space: SearchSpace

    def draw(self, count: int, score: GraphScore, seed: int) -> list[ArchGraph]:
        return list(self.law(count, self.space, score, seed))


def best(count: int, space: Any, score: GraphScore, seed: int) -> list[ArchGraph]:
    """The best of four times as many random graphs, as it should be."""
    rng = np.random.default_rng(seed)
    graphs = [space.sample(rng) for _ in range(4 * count)]
    return [graphs[int(k)] for k in np.argsort(-score(graphs), kind="stable")[:count]]


def random(count: int, space: Any, _score: GraphScore, seed: int) -> list[ArchGraph]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def foreign(count: int, space: Any, score: GraphScore, seed: int) -> list[ArchGraph]:
    score([ArchGraph((), ())])
    return best(count, space, score, seed)


BREACHES: list[tuple[Law, str, str]] = [
    (random, "test_a_score_raises_the_mean_score", "with guidance"),
    (random, "test_the_score_is_asked_of_graphs_of_the_space", "never asked"),
    (foreign, "test_the_score_is_asked_of_graphs_of_the_space", "toy-tree"),
    (lambda *args: best(*args)[:16], "test_as_many_valid_graphs_as_asked_for", "expected 17 graphs, got 16"),
    (lambda c, s, f, _: best(c, s, f, 0), "test_another_seed_gives_other_graphs", "the same graphs"),
    (lambda c, s, f, _: best(c, s, f, np.random.randint(99)), "test_the_same_arguments_give_the_same_graphs", "before"),
]


def contract_of(law: Law, toy: SearchSpace) -> GeneratorContract:
    class Contract(GeneratorContract):
        space = toy

        def generator(self) -> Generator:
            return Drawing(law, toy)

    return Contract()


@pytest.mark.parametrize(("law", "test", "message"), BREACHES)
def test_a_breach_is_found(law: Law, test: str, message: str, tree_space: SearchSpace) -> None:
    getattr(contract_of(best, tree_space), test)()
    with pytest.raises(Exception, match=message):
        getattr(contract_of(law, tree_space), test)()
