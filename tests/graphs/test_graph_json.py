import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture
from graphs.graph_json import SCHEMA, graph_from_dict, graph_from_json, graph_to_json


@given(data=st.data())
def test_round_trip(any_graph: st.SearchStrategy[ArchGraph], data: st.DataObject) -> None:
    graph = data.draw(any_graph)
    text = graph_to_json(graph, "a space")
    assert "\n" not in text
    assert graph_from_json(text) == (graph, "a space")
    assert str(graph_from_json(text)[0].ops) == str(graph.ops)  # 1, 1.0 and True are equal but not the same


GOOD = {"schema": SCHEMA, "space": "s", "ops": [{"op": "input"}, {"op": "gat", "heads": 4}], "edges": [[0, 1]]}


@pytest.mark.parametrize(
    "change",
    [
        {"schema": SCHEMA + 1},
        {"schema": None},
        {"ops": None},
        {"ops": [{"name": "input"}, {"op": "gat"}]},
        {"ops": ["input", "gat"]},
        {"ops": [{"op": 3}, {"op": "gat"}]},
        {"ops": [{"op": "input"}, {"op": "gat", "heads": [4]}]},
        {"ops": [{"op": "input"}, {"op": "gat", "heads": None}]},
        {"edges": [[0, 1, 2]]},
        {"edges": [[0, "x"]]},
        {"edges": [[1, 0]]},
        {"edges": [[0, 1.5]]},
        {"edges": 7},
        {"space": 3},
    ],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    graph_from_dict(GOOD)
    with pytest.raises(InvalidArchitecture):
        graph_from_json(json.dumps(GOOD | change))


@pytest.mark.parametrize("key", list(GOOD))
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidArchitecture):
        graph_from_dict({k: v for k, v in GOOD.items() if k != key})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidArchitecture):
        graph_from_json(text)
