"""The named strategies of the command line, each put together from its parts; torch is loaded by those that need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bo.records import CampaignConfig
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.local_search import LocalSearch
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption, unknown_name
from graphs.space import SearchSpace

if TYPE_CHECKING:
    from archgen.diffusion.generator import DiffusionGenerator
    from bo.strategies.model_based import Source
    from bo.surrogate import GraphScore, Surrogate

STRATEGIES = {
    "random": "uniform draws",
    "evolution": "regularised evolution, population 50, sample 10",
    "local-search": "all neighbours of the incumbent, then its best; restarts",
    "wl-gp": "GP on graph features, log-EI over the whole space where it can be listed",
    "archgen": "the same GP and log-EI over a pool from the guided diffusion generator, mutations and random graphs",
    "archgen-mutation": "archgen with mutations in the generator's place (the ablation)",
}
GENERATED = 64
"""Graphs of a step's pool that the generator draws, and mutants that stand in their place in the ablation."""
SHARE = 0.05
"""Effective share of the generator's candidates that survive a denoising step."""
PARENTS = 5
RANDOM = 64
LISTED_UP_TO = 50_000


def check_strategy(name: str) -> None:
    """Raise `UnknownName`, with the nearest name, unless `name` is a strategy."""
    if name not in STRATEGIES:
        raise unknown_name("strategy", name, STRATEGIES)


def check_options(config: CampaignConfig) -> None:
    """Raise `InvalidOption` unless the strategy knows the options and can use their values."""
    for name, value in config.options.items():
        if name != "generator_steps" or config.strategy != "archgen":
            raise InvalidOption(f"strategy {config.strategy!r} has no option {name!r}; leave it out")
        if value < 1:
            raise InvalidOption(f"{name} {value}: expected at least 1 training step")


def build_strategy(
    space: SearchSpace,
    config: CampaignConfig,
    identify: Identify,
    generator: Path,
    watch_training: Callable[[int, int, float], object] = lambda *_: None,
    watch_drawing: Callable[[Sequence[ArchGraph]], object] = lambda _: None,
) -> Strategy:
    """The strategy that `config` names.

    Args:
        generator: the checkpoint of the diffusion generator, which is trained where there is none.
        watch_training: called with finished steps, all steps and the loss while a generator is trained.
        watch_drawing: called with the graphs that the generator has in mind at each of its steps.

    Raises:
        UnknownName: no such strategy.
        CheckpointError: the checkpoint cannot be used.
    """
    check_strategy(config.strategy)
    if config.strategy == "random":
        return RandomSearch(space, identify)
    if config.strategy == "evolution":
        return RegularisedEvolution(space, identify)
    if config.strategy == "local-search":
        return LocalSearch(space, identify)

    from bo.strategies import pool
    from bo.strategies.model_based import ModelBased

    around = (pool.neighbours_of_leaders(space, PARENTS), pool.random_draws(space, RANDOM))
    sources: tuple[Source, ...]
    if config.strategy == "archgen":
        guided = _Guided(space, config, generator, watch_training, watch_drawing)
        sources = (pool.generated(guided, GENERATED), *around)
    elif config.strategy == "wl-gp" and space.enumerable and len(space.networks) <= LISTED_UP_TO:
        sources = (pool.listed(space.networks),)
    else:
        sources = (pool.mutants_of_leaders(space, PARENTS, GENERATED), *around)
    return ModelBased(space, identify, _surrogates(space), sources)


def _surrogates(space: SearchSpace) -> Callable[[], Surrogate]:
    """A maker of untrained WLGPs that share what they know of graphs' features."""
    from predictors.wl_gp import WLGP, feature_table

    table = feature_table(space)
    return lambda: WLGP(table)


def ensure_generator(
    space: SearchSpace,
    seed: int,
    path: Path,
    steps: int | None = None,
    watch: Callable[[int, int, float], object] = lambda *_: None,
) -> None:
    """Train a generator on the unlabelled space and keep it at `path`, unless there is one."""
    if not path.exists():
        from archgen.diffusion.checkpoint import save_generator
        from archgen.diffusion.training import TrainingConfig, train_generator

        config = TrainingConfig(steps=steps or TrainingConfig.steps, seed=seed)
        save_generator(train_generator(space, config, watch=lambda step, loss: watch(step, config.steps, loss)), path)


class _Guided:
    """The diffusion generator of a campaign, always read back from its checkpoint, guided by a score."""

    def __init__(
        self,
        space: SearchSpace,
        config: CampaignConfig,
        path: Path,
        watch_training: Callable[[int, int, float], object],
        watch_drawing: Callable[[Sequence[ArchGraph]], object],
    ) -> None:
        self._space, self._config, self._path = space, config, path
        self._watch_training, self._watch = watch_training, watch_drawing

    @cached_property
    def _generator(self) -> DiffusionGenerator:
        """Trained only when the first graphs are drawn, so that the random trials before it come at once."""
        from archgen.diffusion.checkpoint import load_generator

        steps = self._config.options.get("generator_steps")
        ensure_generator(self._space, self._config.seed, self._path, steps, self._watch_training)
        return load_generator(self._path, self._space)

    def draw(self, count: int, score: GraphScore, seed: int) -> list[ArchGraph]:
        from archgen.diffusion.guidance import Guide

        return self._generator.sample(count, seed, guide=Guide(score, share=SHARE, compete=True), watch=self._watch)
