"""An ArchGraph as a figure: layers by longest path, rounded boxes, edges that pass between the boxes.

Everything is a shape in data coordinates, whose unit is the height of a line of text, so a label fits its box at every
size of figure. `u` runs along a layer, `v` from layer to layer.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from graphs.archgraph import ArchGraph, Op
from graphs.layered_layout import Layout, lay_out

LARGEST_FONT = 13.0  # points
_DARK, _WHITE, _LINE = "#243b53", "#ffffff", "#829ab1"
_FIXED = {"input": _DARK, "output": _DARK, "skip": "#eef2f6", "skip_connect": "#eef2f6", "none": _WHITE}
_PALETTE: tuple[str, ...] = (
    "#9fd3f5",
    "#ffd08a",
    "#a9e2b0",
    "#f7aeb5",
    "#cdbcf5",
    "#f4e685",
    "#8fe0d6",
    "#f5b7df",
    "#c9dd7f",
    "#e5c5a3",
)
_PALETTE += ("#aebff5", "#ffb48f")
_SALT = "28"  # with this the operations of the built-in spaces get different colours


@dataclass(frozen=True)
class _Box:
    """An operation's lines of text, as paths about their middle, and the size of the box around them."""

    lines: tuple[Path, ...]
    width: float
    height: float


def draw_plot(graph: ArchGraph, ax: Axes, title: str = "") -> None:
    """Draw `graph` into `ax`, from top to bottom or, where that is clearly larger, from left to right.

    Colours go by the operation's name. Only `ax` is touched; its limits, aspect and frame are set.
    """
    boxes = [_box(op) for op in graph.ops]
    window = ax.get_window_extent()
    points = (window.width * 72 / ax.figure.dpi, window.height * 72 / ax.figure.dpi)
    down, scale = _fit(lay_out(graph, [(box.width, box.height) for box in boxes]), points)
    right, scale_right = _fit(lay_out(graph, [(box.height, box.width) for box in boxes]), points[::-1])
    sideways = scale_right > 1.25 * scale
    layout, scale = (right, scale_right) if sideways else (down, scale)
    turn = Affine2D(np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]) if sideways else np.diag([1.0, -1.0, 1.0]))

    width = float(np.clip(0.09 * scale, 0.5, 1.5))
    for edge in layout.routes:
        _draw_edge(ax, edge, turn, width)
    palette = colours(op.name for op in graph.ops)
    for op, box, (u, v) in zip(graph.ops, boxes, layout.centres, strict=True):
        _draw_box(ax, box, turn.transform((u, v)), palette[op.name], width)

    middle, spread = turn.transform((layout.width / 2, layout.depth / 2)), np.array(points) / scale / 2
    ax.set_xlim(middle[0] - spread[0], middle[0] + spread[0])
    ax.set_ylim(middle[1] - spread[1], middle[1] + spread[1])
    ax.set_aspect("equal")
    ax.set_axis_off()
    if title:
        ax.set_title(title, color=_DARK)


def _fit(layout: Layout, points: tuple[float, float]) -> tuple[Layout, float]:
    """The layout, and how many points its unit has in an area of so many points."""
    margin = 1.0
    return layout, min(points[0] / (layout.width + margin), points[1] / (layout.depth + margin), LARGEST_FONT)


def _box(op: Op) -> _Box:
    """The name in the first line; below it, smaller, the attributes, about 24 letters a line."""
    rows: list[str] = []
    for attr, value in op.attrs:
        item = f"{attr}={value}"
        if rows and len(rows[-1]) + len(item) < max(24, len(op.name)):
            rows[-1] += f"  {item}"
        else:
            rows.append(item)
    texts = [_text(op.name, 1.0), *(_text(row, 0.72) for row in rows)]
    spans = [_span(text) for text in texts]
    height = 0.75 + 1.05 * len(rows)
    lines = []
    for row, (text, (left, right)) in enumerate(zip(texts, spans, strict=True)):
        baseline = height / 2 - 0.75 - 1.0 * row
        lines.append(Affine2D().translate(-(left + right) / 2, baseline).transform_path(text))
    return _Box(tuple(lines), max(2.0, *(right - left for left, right in spans)) + 1.1, height + 1.1)


def _text(text: str, size: float) -> Path:
    path = TextPath((0, 0), text.replace("$", r"\$") or "?", size=size)
    return Path(path.vertices, path.codes)


def _span(text: Path) -> tuple[float, float]:
    """Where a text begins and ends; what closes a letter's outline has no place of its own."""
    x = np.asarray(text.vertices)[np.asarray(text.codes) != Path.CLOSEPOLY, 0]
    return (float(x.min()), float(x.max())) if len(x) else (0.0, 0.0)


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, the same in every figure unless two names of one figure would share it."""
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        start = zlib.crc32(f"{_SALT}{name}".encode()) % len(_PALETTE)
        wheel = _PALETTE[start:] + _PALETTE[:start]
        unused = [colour for colour in wheel if colour not in found.values()]
        found[name] = _FIXED.get(name) or (unused or wheel)[0]
    return found


def _draw_box(ax: Axes, box: _Box, centre: np.ndarray, colour: str, line: float) -> None:
    x, y = (float(part) for part in centre)
    edge = tuple(0.72 * part for part in to_rgb(colour))
    ax.add_artist(
        FancyBboxPatch(
            (x - box.width / 2, y - box.height / 2),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.45",
            facecolor=colour,
            edgecolor=edge,
            linewidth=line,
            zorder=3,
        )
    )
    ink = _WHITE if colour == _DARK else "#102a43"
    for text in box.lines:
        ax.add_artist(PathPatch(Affine2D().translate(x, y).transform_path(text), facecolor=ink, linewidth=0, zorder=4))


def _draw_edge(ax: Axes, route: list[tuple[float, float]], turn: Affine2D, line: float) -> None:
    """A line along `route`: straight where it passes a layer, an S between layers; its end is an arrow head."""
    (u, v), head = route[-1], 0.55
    points, codes = [route[0]], [Path.MOVETO]
    for (u0, v0), (u1, v1) in zip(route, [*route[1:-1], (u, v - 0.8 * head)], strict=False):
        points += [(u0, (v0 + v1) / 2), (u1, (v0 + v1) / 2), (u1, v1)]
        codes += [Path.CURVE4] * 3
    path = turn.transform_path(Path(points, codes))
    ax.add_artist(PathPatch(path, fill=False, edgecolor=_LINE, linewidth=line, capstyle="butt", zorder=1))
    corners = turn.transform([(u, v), (u - 0.42 * head, v - head), (u + 0.42 * head, v - head)])
    ax.add_artist(Polygon(corners, facecolor=_LINE, linewidth=0, zorder=2))
