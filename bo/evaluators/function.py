"""An evaluator that is a Python function, called in a process of its own."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

from bo.evaluators import function_child
from bo.outcome import Failed, Measured, lacks_memory
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption

Evaluate = Callable[[ArchGraph], Mapping[str, Any]]


@dataclass(frozen=True)
class Function:
    """A function of a graph that returns metrics; how well to measure is the keyword `fidelity`.

    Args:
        pickled: the function.
    """

    pickled: bytes

    @classmethod
    def of(cls, function: Evaluate) -> Function:
        """Any function that can be pickled, by value where it was defined in a script or a notebook.

        Raises:
            InvalidOption: it cannot.
        """
        try:
            return cls(cloudpickle.dumps(function))
        except Exception as error:  # pickling runs whatever code the objects bring
            raise InvalidOption(
                f"{function!r} cannot be sent to another process ({type(error).__name__}: {error}); "
                "open files, locks and connections inside the function"
            ) from error

    def begin(self, graph: ArchGraph, folder: Path, fidelity: float | None = None) -> list[str]:
        (folder / function_child.FUNCTION).write_bytes(self.pickled)
        keywords = {} if fidelity is None else {"fidelity": fidelity}
        (folder / function_child.GRAPH).write_bytes(cloudpickle.dumps((graph, keywords)))
        (folder / function_child.PATH).write_text(json.dumps(sys.path))
        return [sys.executable, "-P", function_child.__file__, str(folder)]

    def answer(self, folder: Path) -> Measured | Failed:
        path = folder / function_child.ANSWER
        if not path.is_file():
            return Failed("bad_output", "the process ended before the function returned; does the function call exit?")
        found = json.loads(path.read_text())
        if "raised" in found:
            return Failed("out_of_memory" if lacks_memory(found["raised"]) else "error", found["raised"])
        return Failed("bad_output", found["bad"]) if "bad" in found else Measured(found["metrics"])


def import_function(text: str) -> Function:
    """The evaluator of `module:function`; the module is looked for in the working directory, too.

    Raises:
        InvalidOption: there is no such module or function.
    """
    name, _, attribute = text.partition(":")
    hint = "expected module:function, or a command line with {graph} in it"
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # importing runs the user's own code
        raise InvalidOption(f"--evaluate {text!r}: {type(error).__name__}: {error}; {hint}") from error
    if not callable(found):
        raise InvalidOption(f"--evaluate {text!r} is {type(found).__name__}, which cannot be called; {hint}")
    return Function.of(found)
