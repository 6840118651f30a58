"""generate: architectures from a trained generator, as many as are wished for and as they are wished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from archgen.diffusion.generator import CHUNK, DiffusionGenerator
from archgen.diffusion.tilting import TiltConfig
from archgen.generated import Generated, Teller
from archgen.guided import source_for
from archgen.labels import Labels, read_labels
from archgen.learned_source import WatchTilting
from archgen.session import MOST_SEED
from archgen.sources import Source
from archgen.wishes import By, Properties, Wish, gather_properties
from graphs.condition import Condition, parse_condition
from graphs.errors import InvalidOption
from graphs.space import SearchSpace

BARREN = 20
"""Chunks in a row without a new network after which a draw without repetition is given up."""
LEAST = 1024
"""Rows of such a chunk at least."""


@dataclass(frozen=True)
class Generation:
    """A wish made ready: iterate over it for the architectures, each time the same ones.

    Args:
        generator: what draws.
        source: how it draws.
        properties: costs and predictors.
        names: the properties that are told of each architecture.
        count: how many.
        seed: where chance comes from.
        unique: whether each network comes at most once.
        shares: filled while it runs: the share of each chunk that kept all bounds before they were checked.
    """

    generator: DiffusionGenerator
    source: Source
    properties: Properties
    names: Sequence[str]
    count: int
    seed: int
    unique: bool
    shares: list[float] = field(default_factory=list)

    def __iter__(self) -> Iterator[Generated]:
        tell = Teller(self.generator.layout, self.properties, self.names)
        rng = torch.Generator().manual_seed(self.seed)
        self.shares.clear()
        if self.unique:
            yield from self._different(tell, rng)
            return
        for done in range(0, self.count, CHUNK):
            yield from tell(self._draw(min(CHUNK, self.count - done), rng))

    def _different(self, tell: Teller, rng: torch.Generator) -> Iterator[Generated]:
        """Each network once, as its first description that is drawn."""
        seen: set[str] = set()
        barren = 0
        while len(seen) < self.count:
            before = len(seen)
            for one in tell(self._draw(max(LEAST, min(CHUNK, self.count - before)), rng)):
                if one.identity not in seen and len(seen) < self.count:
                    seen.add(one.identity)
                    yield one
            barren = barren + 1 if len(seen) == before else 0
            if barren >= BARREN:
                raise InvalidOption(
                    f"only {len(seen):,} different networks came, and none in {BARREN} chunks more; ask for fewer, "
                    "widen the bounds, weaken the strength, or allow repetition"
                )

    def _draw(self, count: int, rng: torch.Generator) -> Int[Tensor, "b s"]:
        rows, share = self.source.draw(count, rng)
        self.shares.append(share)
        return rows


def generate(
    generator: DiffusionGenerator,
    count: int,
    seed: int = 0,
    *,
    maximize: str | None = None,
    given: str | Condition | Sequence[str | Condition] = (),
    labels: Labels | Path | str | None = None,
    task: str | None = None,
    strength: float | None = None,
    by: By = "mean",
    unique: bool = False,
    tilt: TiltConfig | None = None,
    watch: WatchTilting = lambda *_: None,
) -> Generation:
    """Architectures as wished for; iterating draws them, in constant memory unless `unique`.

    Args:
        generator: see `load_generator`.
        count: how many.
        seed: where chance comes from.
        maximize: a property to make large: a cost of the space, or a column of the labels.
        given: bounds such as "params<=1.0", all kept by every architecture.
        labels: a CSV file with a column `arch`, or a campaign's directory, to learn properties from.
        task: what nas-bench-graph's costs are for.
        strength: of guidance, in nats per unit of the property, see `Wish`; set from the space unless given.
        by: see `Wish`.
        unique: each network at most once.
        tilt: how the generator is fine-tuned to a wish that cannot be met exactly.
        watch: called after each round of that with its number, the share of the strength reached and the best score.

    Raises:
        InvalidOption, UnknownName: what cannot be wished for, before anything is drawn.
    """
    space = generator.space
    if count < 1:
        raise InvalidOption(f"cannot draw {count} architectures; ask for at least 1")
    if not 0 <= seed <= MOST_SEED:
        raise InvalidOption(f"seed {seed}: expected a number from 0 to {MOST_SEED}")
    if unique and space.network_count is not None and count > space.network_count:
        raise InvalidOption(
            f"{space.name} has only {space.network_count:,} different networks; ask for at most as many"
        )
    given = (given,) if isinstance(given, str | Condition) else given
    conditions = tuple(parse_condition(one) if isinstance(one, str) else one for one in given)
    wish = Wish(maximize, conditions, strength, by)
    known = read_labels(labels, generator.space) if isinstance(labels, Path | str) else labels
    columns = [] if known is None else list(known.columns)
    names = list(dict.fromkeys([*wish.names, *columns]))
    properties = gather_properties(generator.layout, names, known, task)
    source = source_for(generator, wish, properties, seed, tilt, watch)
    return Generation(generator, source, properties, names, count, seed, unique)


def _require_count(space: SearchSpace, count: int, seed: int, unique: bool) -> None:
    if count < 1:
        raise InvalidOption(f"cannot draw {count} architectures; ask for at least 1")
    if not 0 <= seed <= MOST_SEED:
        raise InvalidOption(f"seed {seed}: expected a number from 0 to {MOST_SEED}")
    if unique and space.network_count is not None and count > space.network_count:
        raise InvalidOption(
            f"{space.name} has only {space.network_count:,} different networks; ask for at most as many"
        )
