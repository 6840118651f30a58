"""What operations with attributes may be called, and which values attributes may have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphs.archgraph import AttrValue
from graphs.errors import InvalidOption

Choices = Mapping[str, tuple[AttrValue, ...]]
"""The attributes of an operation, and for each the values that it may have, in rising order where they are numbers."""
_NAME = re.compile(r"[A-Za-z][\w-]*")
_MARKS = "(),;=|"
"""What the string of a graph sets between names and values."""


def require_choices(space: str, inner: Mapping[str, Choices], source: Choices, sink: Choices) -> None:
    """Raise `InvalidOption` unless these can be operations of `space`: named, and each value told from each other.

    Args:
        space: its name, for errors.
        inner: the attributes of each operation.
        source, sink: those of input and output.
    """
    if not inner:
        raise InvalidOption(f"{space}: no operation; expected at least one for inner nodes")
    for op in inner:
        if not _NAME.fullmatch(op) or op in ("input", "output"):
            raise InvalidOption(
                f"{space}: operation {op!r}; expected letters, digits, '-' and '_', and neither 'input' nor 'output'"
            )
    known: dict[str, list[AttrValue]] = {}
    for op, choices in (("input", source), *inner.items(), ("output", sink)):
        for attr, options in choices.items():
            if not _NAME.fullmatch(attr) or attr == "op":
                raise InvalidOption(
                    f"{space}: attribute {attr!r} of {op}; expected letters, digits, '-' and '_', and not 'op'"
                )
            if not options or len(set(options)) < len(options):
                raise InvalidOption(f"{space}: {op} {attr}={options}; expected different values, at least one")
            for value in options:
                _require_value(f"{space}: {op} {attr}={value!r}", value, known.setdefault(attr, []))


def _require_value(where: str, value: AttrValue, known: list[AttrValue]) -> None:
    """Note `value` among the known ones of its attribute; ids and strings must tell it from each of them."""
    text = str(value)
    if (
        not isinstance(value, str | int | float)
        or text in ("", "nan")
        or text != text.strip()
        or set(_MARKS) & set(text)
    ):
        raise InvalidOption(f"{where}; expected a number, or a word without blanks at its ends and without {_MARKS}")
    for other in known:
        if type(other) is not type(value) and (other == value or str(other) == text):
            raise InvalidOption(
                f"{where} is hardly told from {other!r}, which it may have too; write both the same way"
            )
    known.append(value)
