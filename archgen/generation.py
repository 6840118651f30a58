"""generate: architectures from a trained generator, as many as are wished for and as they are wished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archgen.diffusion.generator import CHUNK, DiffusionGenerator
from archgen.guided import Source, Unguided, source_for
from archgen.labels import Labels, read_labels
from archgen.properties import Condition, parse_condition
from archgen.wishes import By, Properties, Wish, gather_properties
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.graph_json import graph_to_dict

BARREN = 20
"""Chunks in a row without a new network after which a draw without replacement is given up."""


@dataclass(frozen=True)
class Generated:
    """One architecture.

    Args:
        graph: the architecture.
        arch: the space's own string.
        identity: the canonical id of its network.
        properties: by name mean and standard deviation, 0 for what is known exactly.
    """

    graph: ArchGraph
    arch: str
    identity: str
    properties: dict[str, tuple[float, float]]

    def as_dict(self, space: str) -> dict[str, Any]:
        """One line of `archgen generate`."""
        found = {name: {"mean": mean, "deviation": deviation} for name, (mean, deviation) in self.properties.items()}
        return {"arch": self.arch, "id": self.identity, **found, "graph": graph_to_dict(self.graph, space)}


@dataclass(frozen=True)
class Generation:
    """A wish made ready: iterate over it once for the architectures.

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
    shares: list[float]

    def __iter__(self) -> Iterator[Generated]:
        space, layout = self.generator.space, self.generator.layout
        rng = torch.Generator().manual_seed(self.seed)
        seen: set[str] = set()
        left, barren = self.count, 0
        while left > 0:
            rows, share = self.source.draw(min(CHUNK, left), rng)
            self.shares.append(share)
            told = {name: self.properties.evaluate(name, rows) for name in self.names}
            before = left
            for place, graph in enumerate(layout.write(rows)):
                identity = space.canonical(graph)
                if self.unique:
                    if identity in seen:
                        continue
                    seen.add(identity)
                found = {name: (float(mean[place]), float(std[place])) for name, (mean, std) in told.items()}
                yield Generated(graph, space.format(graph), identity, found)
                left -= 1
            barren = barren + 1 if left == before else 0
            if barren >= BARREN:
                raise InvalidOption(
                    f"only {self.count - left} different networks came in {BARREN} chunks more; ask for fewer, "
                    "weaken the strength, or allow repetition"
                )


def generate(
    generator: DiffusionGenerator,
    count: int,
    seed: int = 0,
    *,
    maximize: str | None = None,
    given: Sequence[str | Condition] = (),
    labels: Labels | Path | str | None = None,
    task: str | None = None,
    strength: float | None = None,
    by: By = "mean",
    unique: bool = False,
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
        strength: of guidance, per unit of the property; set from the space unless given.
        by: see `Wish`.
        unique: each network at most once.

    Raises:
        InvalidOption, UnknownName: what cannot be wished for, before anything is drawn.
    """
    if count < 1:
        raise InvalidOption(f"cannot draw {count} architectures; ask for at least 1")
    conditions = tuple(parse_condition(one) if isinstance(one, str) else one for one in given)
    wish = Wish(maximize, conditions, strength, by)
    known = read_labels(Path(labels), generator.space) if isinstance(labels, Path | str) else labels
    columns = list(known.columns) if known is not None else []
    names = list(dict.fromkeys([*wish.names, *columns]))
    properties = gather_properties(generator.layout, names, known, task)
    source = source_for(generator, wish, properties, seed) if wish.names else Unguided(generator)
    return Generation(generator, source, properties, names, count, seed, unique, [])
