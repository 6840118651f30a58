"""Graphs in files: what was written in any form is read again, and what is no graph is named with its line."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archgen.graph_file import read_graphs
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.graph_json import graph_to_dict, graph_to_json
from graphs.spaces.catalogue import SPACES, get_space

NAMES = ("nasbench201", "nas-bench-graph", "ofa-mobilenetv3", "free-dag", "synthetic-dag-16")


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32), forms=st.lists(st.integers(0, 2), min_size=1, max_size=6), gap=st.booleans())
def test_every_form_is_read(tmp_path_factory: pytest.TempPathFactory, name, seed, forms, gap) -> None:
    space, rng = get_space(name), np.random.default_rng(seed)
    graphs = [space.sample(rng) for _ in forms]
    write = (
        space.format,
        lambda graph: graph_to_json(graph, name),
        lambda graph: json.dumps({"arch": space.format(graph), "id": "x", "graph": graph_to_dict(graph, name)}),
    )
    lines = [write[form](graph) for form, graph in zip(forms, graphs, strict=True)]
    path = tmp_path_factory.mktemp("graphs") / "graphs.txt"
    path.write_text(("\n\n  " if gap else "\n").join(lines) + "\n" * gap, encoding="utf-8-sig" if gap else "utf-8")
    assert read_graphs(path, space) == read_graphs(str(path), space) == graphs
    assert name in SPACES


CELL = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SPACE = get_space("nasbench201")
TOO_LARGE = '{"schema": 1, "space": "nasbench201", "ops": [' + "9" * 5000 + '], "edges": []}'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0012|gat|gcn|skip|fc", "cannot read"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|conv~2|", "conv"),
        (graph_to_json(SPACE.parse(CELL), "nasbench201")[:-9], "no architecture"),
        (graph_to_json(SPACE.parse(CELL), "nas-bench-graph"), "'nas-bench-graph', expected 'nasbench201'"),
        (graph_to_json(SPACE.parse(CELL), "nasbench201").replace("none", "node"), "node"),
        ("{}", "schema"),
        ('{"graph": []}', "schema"),
        ('{"graph": 3}', "schema"),
        (TOO_LARGE, "no architecture"),
        ('{"graph":' * 100_000, "no architecture"),
    ],
    ids=lambda text: text[:30],
)
def test_a_line_that_is_no_architecture_is_named(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "graphs"
    path.write_text(f"{CELL}\n\n{line}\n")
    with pytest.raises(InvalidArchitecture, match="graphs, line 3: no architecture of nasbench201") as caught:
        read_graphs(path, SPACE)
    assert told in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b" \n\n", b"\xff\xfe\x00", "folder"])
def test_a_file_without_graphs_is_refused(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "graphs"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InvalidOption, match=r"graphs: (cannot read|there is no graph)"):
        read_graphs(path, SPACE)
