"""What --evaluate names: a command line with {graph} in it, or module:function."""

from __future__ import annotations

import re

from bo.evaluators.command import parse_command
from bo.evaluators.function import import_function
from bo.executors.executor import Program

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def read_evaluator(text: str, space: str) -> Program:
    """The program that evaluates graphs of a space.

    Raises:
        InvalidOption: it is neither, or there is no such function.
    """
    text = text.strip()
    return import_function(text) if _FUNCTION.fullmatch(text) else parse_command(text, space)
