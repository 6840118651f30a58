"""ArchGraph to JSON and back, with a schema version and the space's name."""

import json
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
        ops = tuple(Op(node["op"], **{k: v for k, v in node.items() if k != "op"}) for node in data["ops"])
        edges = tuple((int(i), int(j)) for i, j in data["edges"])
        return ArchGraph(ops, edges), str(data["space"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidArchitecture(
            f"not a graph ({type(error).__name__}: {error}); expected the keys 'space', 'ops' and 'edges'"
        ) from error


def graph_to_json(graph: ArchGraph, space: str) -> str:
    """One line of JSON."""
    return json.dumps(graph_to_dict(graph, space), separators=(",", ":"))


def graph_from_json(text: str) -> tuple[ArchGraph, str]:
    """The inverse of `graph_to_json`; raises `InvalidArchitecture` on anything else."""
    try:
        return graph_from_dict(json.loads(text))
    except json.JSONDecodeError as error:
        raise InvalidArchitecture(f"not JSON ({error}); expected one graph a line") from error
