"""An evaluator that is a command line: it gets a graph as a JSON file and prints metrics as its last line."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from bo.outcome import Failed, Measured
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.graph_json import graph_to_json

GRAPH = "{graph}"
FIDELITY = "{fidelity}"
_TAIL = 1 << 20  # bytes of output in which the last line must be


@dataclass(frozen=True)
class Command:
    """A command line, run without a shell.

    Args:
        arguments: program and arguments; `{graph}` in them becomes the path of a file in the form of
            `graphs.graph_json`, and `{fidelity}` the number that says how well to measure.
        space: the space's name, which that file tells.
    """

    arguments: tuple[str, ...]
    space: str

    def begin(self, graph: ArchGraph, folder: Path, fidelity: float | None = None) -> list[str]:
        path = folder / "graph.json"
        path.write_text(graph_to_json(graph, self.space) + "\n", encoding="utf-8")
        told = "" if fidelity is None else f"{fidelity:g}"
        return [argument.replace(GRAPH, str(path)).replace(FIDELITY, told) for argument in self.arguments]

    @property
    def offers_fidelity(self) -> bool:
        return any(FIDELITY in argument for argument in self.arguments)

    def answer(self, folder: Path) -> Measured | Failed:
        line = _last_line(folder / "stdout")
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            shown = repr(line[:200]) if line else "no output"
            return Failed("bad_output", f"expected a JSON object of metrics as the last line printed, got {shown}")
        return Measured(found)


def parse_command(text: str, space: str) -> Command:
    """The evaluator of a command line as a person writes it, quoted as for a shell.

    Raises:
        InvalidOption: quotes that do not close, no `{graph}`, or a program that is not there.
    """
    try:
        arguments = tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidOption(f"--evaluate {text!r}: {error}; quote it as for a shell") from error
    if not any(GRAPH in argument for argument in arguments):
        raise InvalidOption(
            f"--evaluate {text!r} does not say where the graph goes; expected {GRAPH} in it, "
            'such as "python train.py {graph}", or module:function'
        )
    if GRAPH not in arguments[0] and shutil.which(arguments[0]) is None:
        raise InvalidOption(f"--evaluate {text!r}: there is no program {arguments[0]!r}; install it or give its path")
    return Command(arguments, space)


def _last_line(path: Path) -> str:
    """The last line that is not empty, of what may be gigabytes."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _TAIL))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
