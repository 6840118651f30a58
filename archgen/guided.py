"""source_for: the surest way to draw architectures for a wish, from exact to approximate.

- listed: the space can be listed and the generator was trained on all of it, so the tilted law is one weight a row.
- additive: the wish adds up over the layout's parts, so the tilted law is drawn by dynamic programming, in spaces of
  any size.
- learned: everything else; the generator's denoiser is fine-tuned to the wish, importance weights correct it, and what
  breaks a bound is dropped.
"""

from __future__ import annotations

import math

from jaxtyping import Int
from torch import Tensor

from archgen.additive_source import additive_source
from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.listed_law import all_rows
from archgen.diffusion.tilting import TiltConfig
from archgen.learned_source import WatchTilting, learned_source
from archgen.listed_source import listed_source
from archgen.sources import Source, Unguided, unreachable
from archgen.wishes import Properties, Wish
from graphs.layout import Layout

LISTED = 1_000_000
"""Rows up to which a space is listed."""


def source_for(
    generator: DiffusionGenerator,
    wish: Wish,
    properties: Properties,
    seed: int,
    config: TiltConfig | None = None,
    watch: WatchTilting = lambda *_: None,
) -> Source:
    """The surest source for the wish, see the module's text.

    Args:
        config: how a learned source is trained.
        watch: called after each round of such a training.

    Raises:
        InvalidOption: bounds that nothing keeps, with the nearest value that can be reached.
    """
    if not wish.names:
        return Unguided(generator)
    layout, law = generator.layout, generator.provenance.get("law")
    if _listable(layout):
        if law in ("description", "network"):
            return listed_source(_whole(layout, law), wish, properties, seed)
        rows = all_rows(layout)
        if not bool(properties.kept(wish.given, rows).any()):
            raise unreachable(wish, properties, rows, sure=True)
    elif (exact := additive_source(wish, properties, seed, _uniform(layout, law))) is not None:
        return exact
    return learned_source(generator, wish, properties, seed, config, watch)


def _whole(layout: Layout, law: str) -> Int[Tensor, "m s"]:
    """A row for each description of the space, or for each network."""
    return layout.read(layout.space.networks) if law == "network" else all_rows(layout)


def _uniform(layout: Layout, law: str | None) -> bool:
    """Whether the generator draws each description as often as another."""
    size = layout.space.size
    return law == "description" or (law == "network" and size is not None and size == layout.space.network_count)


def _listable(layout: Layout) -> bool:
    if layout.edge_slots or not layout.space.enumerable:
        return False
    return (layout.space.size or math.prod(layout.sizes)) <= LISTED
