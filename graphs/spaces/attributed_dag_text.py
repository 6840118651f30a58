"""The string of a graph whose operations have attributes: `input(lr=0.01);fc(hidden=64);output|0>1,1>2`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphs.archgraph import ArchGraph, AttrValue, Op
from graphs.errors import InvalidArchitecture

_NODE = re.compile(r"([A-Za-z][\w-]*)(?:\((.*)\))?")
_EDGE = re.compile(r"([0-9]{1,6})>([0-9]{1,6})")


def format_graph(graph: ArchGraph) -> str:
    """The string of `graph`; attributes stand in the order of their names."""
    return ";".join(map(str, graph.ops)) + "|" + ",".join(f"{i}>{j}" for i, j in graph.edges)


def parse_graph(text: str, space: str, choices: Mapping[str, Mapping[str, tuple[AttrValue, ...]]]) -> ArchGraph:
    """The inverse of `format_graph`; whether the graph is of the space remains to be checked.

    Args:
        space: the name of the space, for errors.
        choices: the attributes of each operation and their values, by which words are told from numbers.

    Raises:
        InvalidArchitecture: the text has another form.
    """
    names, bar, wires = text.strip().rpartition("|")
    nodes = [_NODE.fullmatch(node) for node in names.split(";")]
    pairs = [_EDGE.fullmatch(wire) for wire in wires.split(",")]
    if not bar or None in nodes or None in pairs:
        raise InvalidArchitecture(
            f"{space}: cannot read {text!r}; expected the nodes with their attributes and the edges, "
            "in the form input;fc(hidden=64);output|0>1,1>2"
        )
    ops = [Op(node[1], **_attributes(node[2] or "", node[1], space, choices)) for node in nodes if node]
    return ArchGraph(tuple(ops), tuple((int(pair[1]), int(pair[2])) for pair in pairs if pair))


def _attributes(
    text: str, op: str, space: str, choices: Mapping[str, Mapping[str, tuple[AttrValue, ...]]]
) -> dict[str, AttrValue]:
    found: dict[str, AttrValue] = {}
    for part in text.split(",") if text else []:
        attr, equals, word = part.partition("=")
        options = {str(value): value for value in choices.get(op, {}).get(attr, ())}
        if not equals or word not in options or attr in found:
            raise InvalidArchitecture(
                f"{space}: cannot read {part!r} of {op}; expected attribute=value, one of "
                f"{ {name: list(values) for name, values in choices.get(op, {}).items()} or 'no attribute' }"
            )
        found[attr] = options[word]
    return found
