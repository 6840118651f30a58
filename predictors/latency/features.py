"""LatencyFeatures: what of an architecture a device may spend time on, as groups of numbers.

Runtimes disagree on which operations of a graph they run. Eager PyTorch runs all; a compiler leaves out what does not
reach the output, or what reads nothing but zeros; TFLite on phones (HW-NAS-Bench's pixel3 and raspi4) leaves out what
does not reach the output unless there is exactly one such loose end, and runs what reads zeros unless nothing reads the
input. So operations are counted under each of these rules, and a predictor learns which of them its device follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from graphs.archgraph import ArchGraph
from graphs.layout import layout_of
from graphs.space import SearchSpace

ZERO = "none"
"""The operation that puts out zeros, in spaces that have one."""
ENDS = ("input", "output")
COUNTS, SHAPE, COSTS, SLOTS = (1.0, 1.0, 0.3, 1.0), (0.3, 0.3, 0.3), 0.3, 0.1
"""Prior scale of each group: few effects explain most of a latency; a handful of measurements goes to them first."""
REFERENCE_GRAPHS = 1000
"""Random graphs that set each feature's centre and scale; no labels."""


class LatencyFeatures:
    """Features of a space's graphs in groups that a predictor may weigh against each other.

    The groups: counts of each operation under four rules on what is run; lengths of the longest path when only some
    operations count; additions; which parts are connected; exact costs if the space knows them; the slots' values.

    Args:
        space: whose graphs these are.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._layout = layout_of(space)
        names = [str(name) for name in space.fields[0].choices if name not in (*ENDS, ZERO)]
        self._names = {name: place for place, name in enumerate(names)}
        alone = np.eye(len(names))
        pairs = np.maximum(alone[:, None], alone[None]).reshape(-1, len(names))
        self._weights = np.unique(np.concatenate([pairs, 1 - alone, np.ones((1, len(names)))]), axis=0)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many features each group has; groups stand one after another."""
        return tuple(part.shape[1] for part in self._raw([self.space.sample(np.random.default_rng(0))]))

    def __call__(self, graphs: Sequence[ArchGraph]) -> Float[Tensor, "b d"]:
        """Standardised by random graphs of the space; each group's squares add up to 1 on average.

        Raises:
            InvalidArchitecture: a graph is not of the space.
        """
        if not graphs:
            return torch.zeros(0, sum(self.sizes), dtype=torch.float64)
        centre, scale = self._reference
        return (torch.cat(self._raw(graphs), 1) - centre) / scale

    def weighed(self, rows: Float[Tensor, "b d"]) -> list[Float[Tensor, "b _"]]:
        """The groups of rows that `self` made, in the prior scale that serves a handful of measurements."""
        scales = (*COUNTS, *SHAPE, *([COSTS] if len(self.sizes) > len(COUNTS + SHAPE) + 1 else []), SLOTS)
        parts = rows.split(self.sizes, 1)  # type: ignore[no-untyped-call]
        return [scale * part for scale, part in zip(scales, parts, strict=True)]

    @cached_property
    def _reference(self) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
        rng = np.random.default_rng(0)
        raw = torch.cat(self._raw([self.space.sample(rng) for _ in range(REFERENCE_GRAPHS)]), 1)
        spread = raw.std(0)
        varies = spread > 1e-9
        varying = torch.stack([part.sum().clamp(min=1) for part in varies.double().split(self.sizes)])  # type: ignore[no-untyped-call]
        share = varying.repeat_interleave(torch.tensor(self.sizes)).sqrt()
        return raw.mean(0), spread.where(varies, 1.0) * share

    def _raw(self, graphs: Sequence[ArchGraph]) -> list[Float[Tensor, "b _"]]:
        for graph in graphs:
            self.space.check(graph)
        structure = [self._structure(graph) for graph in graphs]
        groups = [torch.from_numpy(np.stack(columns)) for columns in zip(*structure, strict=True)]
        costs = torch.tensor([list(self.space.costs(graph).values()) for graph in graphs], dtype=torch.float64)
        rows = self._layout.read(graphs)
        slots = torch.cat([one_hot(rows[:, slot], size) for slot, size in enumerate(self._layout.sizes)], 1).double()
        return [*groups, *([costs] if costs.shape[1] else []), slots]

    def _structure(self, graph: ArchGraph) -> list[Float[np.ndarray, " _"]]:
        """Counts under each rule, path lengths, and connections."""
        last = len(graph) - 1
        runs = np.array([op.name != ZERO for op in graph.ops])
        fed, read = np.zeros(len(graph), dtype=bool), np.zeros(len(graph), dtype=bool)
        fed[0] = read[last] = True
        for node in range(1, len(graph)):
            fed[node] = runs[node] and any(fed[before] for before in graph.predecessors[node])
        for node in reversed(range(last)):
            read[node] = runs[node] and any(read[after] for after in graph.successors[node])
        loose = sum(runs[node] and not any(runs[after] for after in graph.successors[node]) for node in range(1, last))
        awake = any(runs[node] for node in graph.successors[0] if node != last)
        reached = read & awake
        rules = (runs, reached, runs if loose == 1 and awake else reached, fed & read)
        sums = [self._additions(graph, rule) for rule in (runs, read, fed & read)]
        connected = [fed[last], awake, loose == 1, min(loose, 2)]
        shape = (self._longest(graph, fed & read), np.array(sums, dtype=float), np.array(connected, dtype=float))
        return [*(self._count(graph, rule) for rule in rules), *shape]

    def _count(self, graph: ArchGraph, which: np.ndarray) -> Float[np.ndarray, " k"]:
        """How often each operation is among the nodes `which`."""
        counts = np.zeros(len(self._names))
        for node in range(1, len(graph) - 1):
            if which[node] and graph.ops[node].name != ZERO:
                counts[self._names[graph.ops[node].name]] += 1
        return counts

    def _longest(self, graph: ArchGraph, which: np.ndarray) -> Float[np.ndarray, " w"]:
        """For each set of operations the most of them on one path from input to output."""
        lengths = np.full((len(graph), len(self._weights)), -np.inf)
        lengths[0] = 0.0
        for node in range(1, len(graph)):
            if which[node]:
                own = self._weights[:, self._names[graph.ops[node].name]] if node < len(graph) - 1 else 0.0
                before = [lengths[other] for other in graph.predecessors[node] if which[other]]
                lengths[node] = np.max(before, axis=0) + own
        longest: np.ndarray = np.maximum(lengths[-1], 0.0)
        return longest

    def _additions(self, graph: ArchGraph, which: np.ndarray) -> int:
        """Sums of two: nodes that read the same several nodes share them."""
        read = (
            frozenset(i for i in graph.predecessors[node] if which[i]) for node in range(1, len(graph)) if which[node]
        )
        return sum(len(nodes) - 1 for nodes in set(read) if nodes)
