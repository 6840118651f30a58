import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.draw_plot import draw_plot
from graphs.spaces.catalogue import get_space


def draw(graph: ArchGraph, size: tuple[float, float] = (6, 4)) -> Axes:
    ax = Figure(size).subplots()
    draw_plot(graph, ax, "a title")
    return ax


def boxes(ax: Axes) -> list[Bbox]:
    return [
        Bbox.from_bounds(one.get_x(), one.get_y(), one.get_width(), one.get_height())
        for one in ax.patches
        if isinstance(one, FancyBboxPatch)
    ]


def paths(ax: Axes, filled: bool) -> list[PathPatch]:
    return [one for one in ax.patches if isinstance(one, PathPatch) and one.get_fill() == filled]


def check_geometry(ax: Axes, graph: ArchGraph) -> None:
    """Boxes do not touch, each text lies in one, no edge runs through one, and all lies inside the axes."""
    frames = boxes(ax)
    assert len(frames) == len(graph)
    assert all(Bbox.intersection(a, b) is None for k, a in enumerate(frames) for b in frames[:k])
    for text in paths(ax, filled=True):
        letters = text.get_path().vertices[text.get_path().codes != Path.CLOSEPOLY]
        assert sum(frame.padded(-0.1).count_contains(letters) == len(letters) for frame in frames) == 1
    edges = paths(ax, filled=False)
    assert len(edges) == len(graph.edges) == sum(isinstance(one, Polygon) for one in ax.patches)
    for edge in edges:
        line = np.concatenate(edge.get_path().to_polygons(closed_only=False))
        points = Path(line).interpolated(20).vertices
        assert not any(frame.padded(-0.01).count_contains(points) for frame in frames)
    view = Bbox([[min(ax.get_xlim()), min(ax.get_ylim())], [max(ax.get_xlim()), max(ax.get_ylim())]])
    assert all(view.count_contains(frame.get_points()) == 2 for frame in frames)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), size=st.sampled_from([(6, 4), (12, 2), (2, 9)]))
def test_geometry_of_any_graph(
    any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject, size: tuple[float, float]
) -> None:
    graph = data.draw(any_graph)
    check_geometry(draw(graph, size), graph)


@pytest.mark.parametrize("name", ["nas-bench-graph", "nasbench201"])
def test_geometry_of_the_spaces(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(0)
    for graph in [space.sample(rng) for _ in range(5)]:
        check_geometry(draw(graph), graph)
        check_geometry(draw(space.simplify(graph)), space.simplify(graph))


def test_long_names_fit() -> None:
    graph = ArchGraph((INPUT, Op("an_operation_" * 8, attribute="a value " * 20), OUTPUT), ((0, 1), (1, 2)))
    check_geometry(draw(graph, (3, 3)), graph)


def test_a_chain_turns_with_the_axes() -> None:
    chain = ArchGraph((INPUT, *[Op("gat")] * 8, OUTPUT), tuple((i, i + 1) for i in range(9)))
    tall, wide = boxes(draw(chain, (2, 9))), boxes(draw(chain, (12, 2)))
    assert tall[0].y0 > tall[-1].y1
    assert wide[0].x1 < wide[-1].x0


def luminance(colour: object) -> float:
    parts = np.array(to_rgb(colour))  # type: ignore[arg-type]
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_has_contrast_and_operations_have_their_own_colours() -> None:
    for name in ("nas-bench-graph", "nasbench201"):
        choices = [str(choice) for choice in get_space(name).fields[0].choices]
        ax = draw(ArchGraph(tuple(map(Op, choices)), ()))
        fills = [one.get_facecolor() for one in ax.patches if isinstance(one, FancyBboxPatch)]
        assert len(set(fills)) == len(choices) - 1  # input and output share theirs
        for fill, text in zip(fills, paths(ax, filled=True), strict=True):
            dark, light = sorted((luminance(fill), luminance(text.get_facecolor())))
            assert (light + 0.05) / (dark + 0.05) >= 7  # WCAG level AAA


def test_the_same_operation_has_the_same_colour_in_every_figure() -> None:
    one, other = (draw(ArchGraph((Op("gat"), Op(name)), ())).patches[0] for name in ("gcn", "cheb"))
    assert one.get_facecolor() == other.get_facecolor()


def test_it_renders_without_pyplot() -> None:
    ax = draw(get_space("nasbench201").sample(np.random.default_rng(0)))
    FigureCanvasAgg(ax.figure).draw()
    assert np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].std() > 1
    code = "import sys, graphs.draw_plot; print('matplotlib.pyplot' in sys.modules, 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
