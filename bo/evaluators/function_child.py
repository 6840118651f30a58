"""The process in which a function is evaluated: `python -P function_child.py FOLDER`; run as a script, not imported.

The answer goes through a file, so that the function may print what it likes.
"""

from __future__ import annotations

import json
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

FUNCTION, GRAPH, PATH, ANSWER = "function.pickle", "graph.pickle", "path.json", "answer.json"


def main(folder: Path) -> None:
    """Call the function and write `{"metrics": ...}`, `{"raised": ...}`, or `{"bad": ...}` for what are no metrics."""
    sys.path[:] = json.loads((folder / PATH).read_text())
    try:
        function = pickle.loads((folder / FUNCTION).read_bytes())
        graph, keywords = pickle.loads((folder / GRAPH).read_bytes())
        returned = function(graph, **keywords)
    except Exception as error:  # whatever it is, the campaign is to know
        traceback.print_exc()
        answer: dict[str, object] = {"raised": f"{type(error).__name__}: {error}"}
    else:
        answer = _read(returned)
    (folder / ANSWER).write_text(json.dumps(answer))


def _read(returned: Any) -> dict[str, object]:
    try:
        return {"metrics": {str(name): float(value) for name, value in returned.items()}}
    except (AttributeError, TypeError, ValueError, OverflowError, RuntimeError):
        return {"bad": f"expected metrics by name, each a number, got {returned!r:.500}"}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
