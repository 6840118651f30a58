"""Published strategies that others are compared with, each put together from its parts; torch is loaded when one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bo.records import CampaignConfig
from bo.strategies.early_exit import Bounds
from bo.strategies.strategy import Identify, Strategy
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.space import SearchSpace

if TYPE_CHECKING:
    from graphs.layout import Layout

Build = Callable[[SearchSpace, CampaignConfig, Identify, Bounds], Strategy]
ROBOT_METRICS = ("grad_norm", "snip", "grasp", "fisher", "synflow", "jacov")
"""Those of RoBoT's released script."""
ROBOT_WEIGHTS = 19
"""Weights that it tries, for its budget of 20 queries; what follows goes down the ranking of the best ones."""


def build_nsga2(space: SearchSpace, _config: CampaignConfig, identify: Identify, bounds: Bounds) -> Strategy:
    """NSGA-II; with mutation alone where the space has no slots to cross."""
    from bo.strategies.nsga2 import Nsga2
    from graphs.crossover import uniform_crossover
    from graphs.layout import layout_of

    try:
        crossover = uniform_crossover(layout_of(space))
    except InvalidArchitecture:
        crossover = None
    return Nsga2(space, identify, crossover=crossover, bounds=bounds)


def build_bananas(space: SearchSpace, _config: CampaignConfig, identify: Identify, bounds: Bounds) -> Strategy:
    """BANANAS on the ensemble of `predictors.path_members`."""
    from bo.strategies.bananas import Bananas
    from predictors.encodings import Encodings
    from predictors.path_members import fit_path_members

    return Bananas(space, identify, partial(fit_path_members, Encodings(space)), bounds=bounds)


def build_linas(space: SearchSpace, _config: CampaignConfig, identify: Identify, bounds: Bounds) -> Strategy:
    """LINAS on ridges; goals among the costs of `bounds` are computed.

    Raises:
        InvalidOption: the space has no layout.
    """
    from archgen.row_costs import RowCost, row_cost
    from bo.strategies.linas import Linas, RowScore
    from predictors.ridge import fit_ridge

    layout = _layout("linas", space)

    def score(cost: RowCost) -> RowScore:
        import torch

        return lambda rows: cost(torch.from_numpy(rows)).numpy()

    known = {name: score(row_cost(layout, cost)) for name, cost in bounds.costs.items()}
    return Linas(layout, identify, partial(fit_ridge, layout.sizes), known, bounds=bounds)


def build_auto_gnn(space: SearchSpace, config: CampaignConfig, identify: Identify, bounds: Bounds) -> Strategy:
    """Auto-GNN's search; raises `InvalidOption` where the space has no layout."""
    from bo.strategies.auto_gnn import AutoGnn

    return AutoGnn(_layout("auto-gnn", space), identify, seed=config.seed, bounds=bounds)


def build_graphnas(space: SearchSpace, config: CampaignConfig, identify: Identify, bounds: Bounds) -> Strategy:
    """GraphNAS; raises `InvalidOption` where the space has no layout."""
    from bo.strategies.graphnas import GraphNas

    return GraphNas(_layout("graphnas", space), identify, seed=config.seed, bounds=bounds)


def _layout(strategy: str, space: SearchSpace) -> Layout:
    """The slots that a strategy learns from."""
    from graphs.layout import layout_of

    try:
        return layout_of(space)
    except InvalidArchitecture as error:
        raise InvalidOption(f"strategy {strategy!r} learns from slots: {error}; or choose another strategy") from error


def build_robot(space: SearchSpace, config: CampaignConfig, identify: Identify, bounds: Bounds) -> Strategy:
    """RoBoT on published metrics of CIFAR-10, for every task, as its authors use them.

    Raises:
        InvalidOption: nobody has published metrics of the space's architectures.
        TableError: the file of metrics cannot be read.
    """
    from bo.strategies.robot import Robot
    from graphs.spaces.nasbench201 import NasBench201
    from graphs.tables.zero_cost import load_zero_cost
    from predictors.robot import robot_queries

    if space.name != NasBench201.name:
        raise InvalidOption(
            f"strategy 'robot' needs published training-free metrics, which there are for {NasBench201.name!r} and not "
            f"for {space.name!r}; choose another strategy"
        )
    table = load_zero_cost()
    metrics = np.stack([table.column(name) for name in ROBOT_METRICS], 1)
    kept = [place for place, graph in enumerate(table.graphs) if bounds.allow(graph)]
    if not kept or np.isnan(metrics[kept]).any(1).all():
        raise InvalidOption(f"{bounds}: no architecture with metrics keeps this; widen or drop a bound")
    queries = partial(robot_queries, metrics[kept], len(kept), seed=config.seed, iterations=ROBOT_WEIGHTS)
    return Robot(space, identify, [table.graphs[place] for place in kept], queries, bounds)


COMPARED: Mapping[str, Build] = {
    "nsga2": build_nsga2,
    "bananas": build_bananas,
    "linas": build_linas,
    "robot": build_robot,
    "auto-gnn": build_auto_gnn,
    "graphnas": build_graphnas,
}
