"""An architecture as a few numbers from which the page's script draws it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from graphs.archgraph import ArchGraph, Op
from graphs.draw_plot import colours
from graphs.layered_layout import lay_out

UNIT = 13.0
"""Pixels of a line of text, the unit of layouts."""
_LETTER, _SMALL = 0.62, 0.8
"""Width of a letter in lines, and the size of attributes beside the operation's name."""
_MOST, _HEAD = 26, 0.45


def drawing(graph: ArchGraph) -> dict[str, Any]:
    """Boxes and edges in pixels: `size`, `boxes` as [x, y, width, height, colour, lines], `edges` as SVG paths."""
    lines = [_lines(op) for op in graph.ops]
    sizes = [_size(texts) for texts in lines]
    layout, palette = lay_out(graph, sizes), colours(op.name for op in graph.ops)
    boxes = [
        [*_pixels(u - width / 2, v - height / 2, width, height), palette[op.name], texts]
        for op, (u, v), (width, height), texts in zip(graph.ops, layout.centres, sizes, lines, strict=True)
    ]
    return {
        "size": _pixels(layout.width + 1, layout.depth + 1),
        "boxes": boxes,
        "edges": [_edge(route) for route in layout.routes],
    }


def _lines(op: Op) -> list[str]:
    """The operation's name, then its attributes, some to a line."""
    rows = [op.name]
    for name, value in op.attrs:
        item = f"{name}={value}"
        if len(rows) > 1 and len(rows[-1]) + len(item) < _MOST:
            rows[-1] += f"  {item}"
        else:
            rows.append(item)
    return rows


def _size(texts: list[str]) -> tuple[float, float]:
    widest = max(len(text) * (_LETTER if row == 0 else _LETTER * _SMALL) for row, text in enumerate(texts))
    return max(3.0, widest + 1.4), 1.9 + 1.05 * (len(texts) - 1)


def _edge(route: list[tuple[float, float]]) -> str:
    """Straight where it passes a layer, an S between layers; its end is an arrow head."""
    path = "M" + _point(*route[0])
    for (u0, v0), (u1, v1) in pairwise(route):
        middle = (v0 + v1) / 2
        path += f"C{_point(u0, middle)} {_point(u1, middle)} {_point(u1, v1)}"
    u, v = route[-1]
    return f"{path}M{_point(u - _HEAD / 2, v - _HEAD)}L{_point(u, v)}L{_point(u + _HEAD / 2, v - _HEAD)}"


def _point(u: float, v: float) -> str:
    return " ".join(f"{length:g}" for length in _pixels(u, v))


def _pixels(*lengths: float) -> list[float]:
    return [round(UNIT * length, 1) for length in lengths]
