"""ArchGraph to JSON and back, with a schema version and the space's name."""

import json
from operator import index
from typing import Any

from graphs.archgraph import ArchGraph, Op
from graphs.errors import InvalidArchitecture

SCHEMA = 1


def graph_to_dict(graph: ArchGraph, space: str) -> dict[str, Any]:
    """A JSON-ready dict: `{"schema": 1, "space": ..., "ops": [{"op": ...}, ...], "edges": [[i, j], ...]}`."""
    return {
        "schema": SCHEMA,
        "space": space,
        "ops": [{"op": op.name, **dict(op.attrs)} for op in graph.ops],
        "edges": [list(edge) for edge in graph.edges],
    }


def graph_from_dict(data: Any) -> tuple[ArchGraph, str]:
    """The graph and the name of its space.

    Raises:
        InvalidArchitecture: the dict has another schema, lacks a key, or holds an impossible graph.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise InvalidArchitecture(f"expected a graph of schema {SCHEMA}, got {found!r}; write it with this version")
    try:
        ops = tuple(_op(dict(node)) for node in data["ops"])
        edges = tuple((index(i), index(j)) for i, j in data["edges"])
        if not isinstance(data["space"], str):
            raise TypeError(f"space is {data['space']!r}")
        return ArchGraph(ops, edges), data["space"]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidArchitecture(
            f"not a graph ({type(error).__name__}: {error}); expected the keys 'space', 'ops' and 'edges'"
        ) from error


def _op(node: dict[str, Any]) -> Op:
    name = node.pop("op")
    for key, value in {"op": name, **node}.items():
        if not isinstance(value, str if key == "op" else str | int | float | bool):
            raise TypeError(f"{key} is {value!r}")
    return Op(name, **node)


def graph_to_json(graph: ArchGraph, space: str) -> str:
    """One line of JSON."""
    return json.dumps(graph_to_dict(graph, space), separators=(",", ":"))


def graph_from_json(text: str) -> tuple[ArchGraph, str]:
    """The inverse of `graph_to_json`; raises `InvalidArchitecture` on anything else."""
    try:
        return graph_from_dict(json.loads(text))
    except json.JSONDecodeError as error:
        raise InvalidArchitecture(f"not JSON ({error}); expected one graph a line") from error
