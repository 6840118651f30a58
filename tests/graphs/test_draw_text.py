import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.draw_text import WIDTH, draw_text
from graphs.spaces.nas_bench_graph import NasBenchGraph


def read_edges(text: str) -> list[tuple[int, int]]:
    """The edges that a reader sees: rails run down, join and fork at the corners, and pass behind lines elsewhere."""
    edges, node = [], -1
    rails: dict[int, list[int]] = {}  # at each column the nodes whose edges come down there
    for line in text.split("\n"):
        glyphs = {at: glyph for at, glyph in enumerate(line) if glyph in "│●○├┤┼╯┴╮┬╭"}
        marks = [at for at, glyph in glyphs.items() if glyph in "●○"]
        below = {at: rails.get(at, []) for at, glyph in glyphs.items() if glyph == "│"}
        if marks:
            node += 1
            edges += [(source, node) for source in rails.get(marks[0], [])]
            below[marks[0]] = [node]
        elif home := [at for at, glyph in glyphs.items() if glyph in "├┤┼"]:
            joined = [at for at, glyph in glyphs.items() if glyph in "╯┴"]
            below[home[0]] = sum((rails[at] for at in joined), rails[home[0]])
            below |= {at: rails[home[0]] for at, glyph in glyphs.items() if glyph in "╮┬╭"}
        rails = below
    return sorted(edges)


@given(data=st.data())
def test_the_drawing_shows_exactly_the_edges(any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject) -> None:
    graph = data.draw(any_graph)
    bare = ArchGraph((Op("x"),) * len(graph), graph.edges)
    assert read_edges(draw_text(bare)) == list(graph.edges)


@given(data=st.data())
def test_every_operation_and_attribute_is_shown(any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject) -> None:
    graph = data.draw(any_graph)
    text = draw_text(graph)
    assert text == draw_text(graph)
    assert max(map(len, text.split("\n"))) <= WIDTH
    assert all(line == line.rstrip() for line in text.split("\n"))
    words = " ".join(text.replace("│", " ").split())
    for op in graph.ops:
        assert op.name in words
        assert all(f"{key}={value}" in words for key, value in op.attrs)


def test_a_tree() -> None:
    graph = NasBenchGraph().parse("0012|gat|gcn|skip|fc")
    assert draw_text(graph).split("\n") == [
        "○    input",
        "├─╮",
        "● │  gat",
        "│ ●  gcn",
        "● │  skip",
        "│ ●  fc",
        "├─╯",
        "○    output",
    ]


def test_attributes_stand_in_a_column() -> None:
    ops = (INPUT, Op("gat", heads=4, w_bits=8), Op("linear", w_bits=4), OUTPUT)
    assert draw_text(ArchGraph(ops, ((0, 1), (1, 2), (2, 3)))).split("\n") == [
        "○  input",
        "●  gat     heads=4 w_bits=8",
        "●  linear  w_bits=4",
        "○  output",
    ]


@pytest.mark.parametrize("n", [40, 120])
def test_a_dense_graph_falls_back_to_a_list(n: int) -> None:
    graph = ArchGraph((Op("x", attribute="y" * 130),) * n, tuple((i, j) for j in range(n) for i in range(j)))
    text = draw_text(graph)
    assert max(map(len, text.split("\n"))) <= WIDTH
    assert f"← {' '.join(map(str, range(n - 1)))}"[:40] in text


def test_import_is_light() -> None:
    code = "import sys, graphs.draw_text; print(*{'torch', 'numpy', 'matplotlib', 'networkx'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
