"""GeneratorContract: the tests that a generator of architectures runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Float

from archgen.testing.objective import made_up_value
from archgen.testing.randomness import stirred
from bo.surrogate import Generator
from graphs.archgraph import ArchGraph
from graphs.space import SearchSpace


class GeneratorContract:
    """What every `bo.surrogate.Generator` must hold:

    class TestMine(GeneratorContract):
        space = MySpace()

        def generator(self):
            return MyGenerator(self.space)
    """

    space: SearchSpace
    count = 64  # graphs drawn to compare draws; at most a quarter of the space, or nothing is left to prefer

    def generator(self) -> Generator:
        """The generator, as a new process would make it."""
        raise NotImplementedError(f"{type(self).__name__} must define generator()")

    def value(self, graph: ArchGraph) -> float:
        """What draws are guided by; a made-up objective unless overridden."""
        return made_up_value(self.space, graph)

    def score(self, graphs: Sequence[ArchGraph]) -> Float[np.ndarray, " m"]:
        """`value` of each graph."""
        return np.array([self.value(graph) for graph in graphs], dtype=np.float64)

    def test_as_many_valid_graphs_as_asked_for(self) -> None:
        generator = self.generator()
        for count in (1, 2, 17):
            graphs = generator.draw(count, self.score, 0)
            assert len(graphs) == count, f"expected {count} graphs, got {len(graphs)}"
            for graph in graphs:
                self.space.check(graph)

    def test_the_same_arguments_give_the_same_graphs(self) -> None:
        generator = self.generator()
        with stirred(0):
            first = generator.draw(self.count, self.score, 1)
        generator.draw(3, _flat, 2)
        with stirred(1):
            assert generator.draw(self.count, self.score, 1) == first, "a draw depends on the draws before it"
            assert self.generator().draw(self.count, self.score, 1) == first, "a new process draws other graphs"

    def test_another_seed_gives_other_graphs(self) -> None:
        generator = self.generator()
        draws = {tuple(generator.draw(self.count, _flat, seed)) for seed in range(3)}
        assert len(draws) == 3, "different seeds gave the same graphs"

    def test_a_score_raises_the_mean_score(self) -> None:
        """By more than three standard errors of the mean of the unguided draw."""
        generator = self.generator()
        guided = self.score(generator.draw(self.count, self.score, 3))
        plain = self.score(generator.draw(self.count, _flat, 3))
        error = float(plain.std()) / len(plain) ** 0.5
        assert guided.mean() > plain.mean() + 3 * error, (
            f"mean score {guided.mean():.4g} with guidance, {plain.mean():.4g} +- {error:.2g} without"
        )

    def test_the_score_is_asked_of_graphs_of_the_space(self) -> None:
        asked: list[int] = []

        def score(graphs: Sequence[ArchGraph]) -> Float[np.ndarray, " m"]:
            for graph in graphs:
                self.space.check(graph)
            asked.append(len(graphs))
            return self.score(graphs)

        self.generator().draw(5, score, 4)
        assert asked, "the score was never asked"
        assert min(asked) > 0, "the score was asked of no graphs"

    def test_the_unit_of_the_score_does_not_break_it(self) -> None:
        """A log-EI lies anywhere from -1e9 to 1e2."""
        generator = self.generator()
        for unit in (1e-9, 1e6):
            assert len(generator.draw(4, partial(self._in_unit, unit), 5)) == 4

    def _in_unit(self, unit: float, graphs: Sequence[ArchGraph]) -> Float[np.ndarray, " m"]:
        return unit * (self.score(graphs) - 1e3)


def _flat(graphs: Sequence[ArchGraph]) -> Float[np.ndarray, " m"]:
    """The score that prefers nothing."""
    return np.zeros(len(graphs))
