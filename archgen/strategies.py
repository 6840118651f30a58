"""The named strategies of the command line, each put together from its parts; torch is loaded by those that need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from archgen.compared import COMPARED
from archgen.properties import Cost
from bo.acquisition_names import ACQUISITIONS
from bo.records import CampaignConfig
from bo.strategies.early_exit import Bounds
from bo.strategies.evolution import RegularisedEvolution
from bo.strategies.local_search import LocalSearch
from bo.strategies.random_search import RandomSearch
from bo.strategies.strategy import Identify, Strategy
from graphs.archgraph import ArchGraph
from graphs.errors import CheckpointError, InvalidOption, unknown_name
from graphs.space import SearchSpace

if TYPE_CHECKING:
    from archgen.diffusion.generator import DiffusionGenerator
    from bo.strategies.model_based import Source
    from bo.surrogate import GraphScore, Surrogate
    from predictors.feature_table import FeatureTable

STRATEGIES = {
    "random": "uniform draws",
    "evolution": "regularised evolution, population 50, sample 10",
    "local-search": "all neighbours of the incumbent, then its best; restarts",
    "nsga2": "NSGA-II for one or several objectives, population 20",
    "bananas": "ensemble on path encodings, mutants of the best, independent Thompson sampling",
    "linas": "rounds of 50: predictors of slots, NSGA-II on them alone (DyNAS-T)",
    "robot": "weights of published training-free metrics by GP-UCB, then their ranking (nasbench201 alone)",
    "auto-gnn": "the best so far with one class of decisions drawn anew, by policies that learn (Auto-GNN)",
    "graphnas": "whole architectures from an LSTM that learns by REINFORCE (GraphNAS)",
    "wl-gp": "GP on graph features, log-EI over the whole space where it can be listed",
    "archgen": "the same GP and log-EI over a pool from the guided diffusion generator, mutations and random graphs",
    "archgen-mutation": "archgen with mutations in the generator's place (the ablation)",
}
POOLED = ("wl-gp", "archgen", "archgen-mutation")
"""Those that choose from a pool by an acquisition, and learn from what was measured before the campaign."""
MODEL_BASED = ("bananas", "linas", "robot", "auto-gnn", "graphnas", *POOLED)
"""Those that fit a surrogate or a policy."""
SEVERAL = ("random", "nsga2", "linas", *POOLED)
"""Those that can improve several objectives."""
WatchTraining = Callable[[int, int, float], object]
"""Called with finished steps, all steps and the loss while a generator is trained."""
WatchDrawing = Callable[[Sequence[ArchGraph]], object]
"""Called with the graphs that the generator has in mind at each of its steps."""
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
    """Raise `InvalidOption` unless the strategy knows the options and can use their values, and the objectives."""
    if config.others and config.strategy not in SEVERAL:
        raise InvalidOption(
            f"strategy {config.strategy!r} improves one objective, got {len(config.objectives)}; "
            f"choose one of {', '.join(SEVERAL)}"
        )
    for name, value in config.options.items():
        if name in ("fidelities", "keep"):
            continue
        users = {"generator_steps": ("archgen",), "acquisition": POOLED, "warm_start": POOLED}.get(name, ())
        if config.strategy not in users:
            raise InvalidOption(f"strategy {config.strategy!r} has no option {name!r}; leave it out")
        if isinstance(value, int) and value < 1:
            raise InvalidOption(f"{name} {value}: expected at least 1 training step")
        if name == "acquisition":
            _check_acquisition(str(value), len(config.objectives))


def _check_acquisition(name: str, objectives: int) -> None:
    if name not in ACQUISITIONS:
        raise unknown_name("acquisition", name, ACQUISITIONS)
    if (name == "log-nehvi") != (objectives > 1):
        raise InvalidOption(
            f"acquisition {name!r} is for {'several objectives' if objectives == 1 else 'one objective'}; leave it out"
        )


def build_strategy(
    space: SearchSpace,
    config: CampaignConfig,
    identify: Identify,
    generator: Path,
    costs: Mapping[str, Cost] | None = None,
    watch_training: WatchTraining = lambda *_: None,
    watch_drawing: WatchDrawing = lambda _: None,
) -> Strategy:
    """The strategy that `config` names.

    Args:
        generator: the checkpoint of the diffusion generator, which is trained where there is none.
        costs: the campaign's metrics that follow from a graph.
        watch_training: called with finished steps, all steps and the loss while a generator is trained.
        watch_drawing: called with the graphs that the generator has in mind at each of its steps.

    Raises:
        UnknownName: no such strategy.
        CheckpointError: the checkpoint cannot be used.
    """
    check_strategy(config.strategy)
    costs = costs or {}
    bounds = Bounds(tuple(one for one in config.constraints if one.name in costs), costs)
    if config.strategy == "random":
        return RandomSearch(space, identify, bounds)
    if config.strategy == "evolution":
        return RegularisedEvolution(space, identify, bounds=bounds)
    if config.strategy == "local-search":
        return LocalSearch(space, identify, bounds)
    if config.strategy in COMPARED:
        return COMPARED[config.strategy](space, config, identify, bounds)

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
    acquisition = config.options.get("acquisition")
    chosen = None if acquisition is None else str(acquisition)
    return ModelBased(space, identify, _surrogates(space), sources, acquisition=chosen, costs=costs, bounds=bounds)


def _surrogates(space: SearchSpace) -> Callable[[], Surrogate]:
    """A maker of untrained surrogates: on slots where a large space has nothing else, else WLGPs that share what they
    know of graphs' features."""
    layout = None if space.enumerable else space.layout()
    if layout is not None and not layout.wired and not layout.edge_slots:
        from predictors.slot_surrogate import SlotSurrogate

        return lambda: SlotSurrogate(layout)

    from predictors.wl_gp import WLGP, feature_table

    table = _listed_features(space) if space.enumerable else feature_table(space)
    return lambda: WLGP(table)


@lru_cache(maxsize=2)
def _listed_features(space: SearchSpace) -> FeatureTable:
    """For all campaigns of a process; it cannot outgrow the list."""
    from predictors.wl_gp import feature_table

    return feature_table(space)


def ensure_generator(
    space: SearchSpace, seed: int, path: Path, steps: int | None = None, watch: WatchTraining = lambda *_: None
) -> DiffusionGenerator:
    """The generator kept at `path`, trained on the unlabelled space where there is none.

    Raises:
        CheckpointError: what is kept there cannot be used, or was trained with another seed or for another time.
    """
    from archgen.diffusion.checkpoint import load_generator, save_generator
    from archgen.diffusion.training import train_generator, usual_config
    from graphs.layout import layout_of

    config = usual_config(layout_of(space), seed, steps)
    if not path.exists():
        save_generator(train_generator(space, config, distinct="network", watch=watch), path)
    generator = load_generator(path, space)
    kept = {name: generator.provenance.get(name) for name in ("seed", "steps")}
    if kept != {"seed": config.seed, "steps": config.steps}:
        raise CheckpointError(
            f"{path}: trained with seed {kept['seed']} for {kept['steps']} steps, expected seed {config.seed} and "
            f"{config.steps} steps; delete it to train it anew, or choose another --dir"
        )
    return generator


class _Guided:
    """The diffusion generator of a campaign, always read back from its checkpoint, guided by a score."""

    def __init__(
        self,
        space: SearchSpace,
        config: CampaignConfig,
        path: Path,
        watch_training: WatchTraining,
        watch_drawing: WatchDrawing,
    ) -> None:
        steps = config.options.get("generator_steps")
        assert steps is None or isinstance(steps, int)
        self._generator = ensure_generator(space, config.seed, path, steps, watch_training)
        self._watch = watch_drawing

    def draw(self, count: int, score: GraphScore, seed: int) -> list[ArchGraph]:
        from archgen.diffusion.guidance import Guide

        return self._generator.sample(count, seed, guide=Guide(score, share=SHARE, compete=True), watch=self._watch)
