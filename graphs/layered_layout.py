"""Where the boxes of a DAG stand and which way its edges run: the layered method of Sugiyama et al. (1981).

Layers by longest path; an edge over several layers gets a lane in each that it passes; order within the layers by
barycentres; then places along the layers by least squares. `u` runs along a layer, `v` from layer to layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from graphs.archgraph import ArchGraph

_GAP = 2.0  # between layers
_SPACE = 0.9  # between neighbours in a layer
_LANE = 0.6  # the width of a lane
_SWEEPS = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """The middle of each node, one route of points for each of `graph.edges`, and the size of the whole."""

    centres: list[Point]
    routes: list[list[Point]]
    width: float
    depth: float


@dataclass(eq=False, repr=False)
class _Item:
    """A node, or a lane: its size along its layer, its neighbours in the layers before and after, and its place."""

    layer: int
    size: float
    weight: float
    before: list[_Item] = field(default_factory=list)
    after: list[_Item] = field(default_factory=list)
    rank: int = 0
    u: float = 0.0


def lay_out(graph: ArchGraph, sizes: list[Point]) -> Layout:
    """Lay out boxes of `sizes` (along u, along v), in the same unit as the result. Deterministic."""
    depth_of: list[int] = []
    for read in graph.predecessors:
        depth_of.append(1 + max((depth_of[node] for node in read), default=-1))
    nodes = [_Item(layer, size[0], 1.0) for layer, size in zip(depth_of, sizes, strict=True)]
    chains = [_chain(nodes[i], nodes[j]) for i, j in graph.edges]
    items = nodes + [item for chain in chains for item in chain[1:-1]]
    layers: list[list[_Item]] = [[] for _ in range(max(depth_of, default=-1) + 1)]
    for item in items:
        layers[item.layer].append(item)
    layers = _order(layers)
    _place(layers)

    thickness = [0.0] * len(layers)
    for layer, (_, thick) in zip(depth_of, sizes, strict=True):
        thickness[layer] = max(thickness[layer], thick)
    tops = [sum(thickness[:layer]) + _GAP * layer for layer in range(len(layers))]
    left = min((item.u - item.size / 2 for item in items), default=0.0)
    for item in items:
        item.u -= left
    middles = [top + thick / 2 for top, thick in zip(tops, thickness, strict=True)]
    centres = [(node.u, middles[node.layer]) for node in nodes]
    bands = [(top, top + thick) for top, thick in zip(tops, thickness, strict=True)]
    routes = _routes(graph, sizes, chains, centres, bands)
    return Layout(centres, routes, max((i.u + i.size / 2 for i in items), default=0.0), bands[-1][1] if bands else 0.0)


def _chain(source: _Item, target: _Item) -> list[_Item]:
    """The edge as source, a lane in each layer between, target."""
    chain = [source, *(_Item(layer, _LANE, 4.0) for layer in range(source.layer + 1, target.layer)), target]
    for one, other in pairwise(chain):
        one.after.append(other)
        other.before.append(one)
    return chain


def _order(layers: list[list[_Item]]) -> list[list[_Item]]:
    """The order with the fewest crossings that sweeps of the barycentre heuristic find."""
    best, fewest = layers, -1
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers:
            for rank, item in enumerate(layer):
                item.rank = rank
        layers = [list(layer) for layer in layers]
        for layer in layers if down else reversed(layers):
            layer.sort(key=_rank_of_earlier if down else _rank_of_later)
            for rank, item in enumerate(layer):
                item.rank = rank
        crossings = sum(map(_crossings, layers))
        if fewest < 0 or crossings < fewest:
            best, fewest = layers, crossings
    return best


def _rank_of_earlier(item: _Item) -> float:
    return sum(other.rank for other in item.before) / len(item.before) if item.before else float(item.rank)


def _rank_of_later(item: _Item) -> float:
    return sum(other.rank for other in item.after) / len(item.after) if item.after else float(item.rank)


def _crossings(layer: list[_Item]) -> int:
    """Pairs of edges out of the layer that cross."""
    ends = [(item.rank, other.rank) for item in layer for other in item.after]
    return sum((a - c) * (b - d) < 0 for k, (a, b) in enumerate(ends) for c, d in ends[:k])


def _place(layers: list[list[_Item]]) -> None:
    """Set `u`: sweeps down and up bring each item near its neighbours; lanes pull more, so long edges run straight."""
    for layer in layers:
        _spread(layer, [0.0] * len(layer))
    for sweep in range(2 * _SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            if sweep < _SWEEPS:
                near = [item.before if sweep % 2 == 0 else item.after for item in layer]
            else:
                near = [item.before + item.after for item in layer]
            _spread(layer, [_pull(item, some) for item, some in zip(layer, near, strict=True)])


def _spread(layer: list[_Item], wanted: list[float]) -> None:
    """The least-squares places nearest to `wanted` that keep order and distance (pool adjacent violators)."""
    offset, offsets = 0.0, []
    for before, item in zip([None, *layer], layer, strict=False):
        offset += 0.0 if before is None else (before.size + item.size) / 2 + _SPACE
        offsets.append(offset)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, items
    for item, want, shift in zip(layer, wanted, offsets, strict=True):
        blocks.append((want - shift, item.weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (mean, weight, count), (mean2, weight2, count2) = blocks[-2:]
            total = weight + weight2
            blocks[-2:] = [((mean * weight + mean2 * weight2) / total, total, count + count2)]
    means = [mean for mean, _, count in blocks for _ in range(count)]
    for item, mean, shift in zip(layer, means, offsets, strict=True):
        item.u = mean + shift


def _pull(item: _Item, near: list[_Item]) -> float:
    """Where an item wants to be: the mean of its neighbours, of which a lane's next lane counts most."""
    weights = [item.weight * other.weight for other in near]
    return sum(w * other.u for w, other in zip(weights, near, strict=True)) / sum(weights) if near else item.u


def _routes(
    graph: ArchGraph, sizes: list[Point], chains: list[list[_Item]], centres: list[Point], bands: list[Point]
) -> list[list[Point]]:
    """For each edge its points: out of the source, along the band of each layer that it passes, into the target."""
    port: dict[tuple[int, bool], float] = {}
    for node, (centre, size) in enumerate(zip(centres, sizes, strict=True)):
        for side, neighbour in ((0, 1), (-1, -2)):
            here = [(chain[neighbour].u, k) for k, chain in enumerate(chains) if graph.edges[k][side] == node]
            step = min(1.0, 0.6 * size[0] / max(len(here), 1))
            for place, (_, number) in enumerate(sorted(here)):
                port[number, side == 0] = centre[0] + (place - (len(here) - 1) / 2) * step
    routes = []
    for number, (i, j) in enumerate(graph.edges):
        source, target = chains[number][0], chains[number][-1]
        start, end = port[number, True], port[number, False]
        route = [(start, centres[i][1] + sizes[i][1] / 2), (start, bands[source.layer][1])]
        for lane in chains[number][1:-1]:
            route += [(lane.u, bands[lane.layer][0]), (lane.u, bands[lane.layer][1])]
        route += [(end, bands[target.layer][0]), (end, centres[j][1] - sizes[j][1] / 2)]
        routes.append(route)
    return routes
