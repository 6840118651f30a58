"""Command lines as evaluators: what becomes of the template, without a shell, and what counts as the answer."""

import json
import sys
import threading
from pathlib import Path

import pytest

from archgen.testing.executor import GRAPH
from bo.evaluators.command import Command, parse_command
from bo.executors.limits import NO_LIMITS
from bo.executors.process import evaluate
from bo.outcome import Measured
from graphs.errors import InvalidOption
from graphs.graph_json import graph_from_json


def test_the_graph_is_a_file_in_the_librarys_form(tmp_path: Path) -> None:
    command = Command(("train", "--graph={graph}", "{graph}", "$HOME; rm *"), "chain").begin(GRAPH, tmp_path)
    path = str(tmp_path / "graph.json")
    assert command == ["train", f"--graph={path}", path, "$HOME; rm *"]
    assert graph_from_json(Path(path).read_text()) == (GRAPH, "chain")


def test_a_template_is_quoted_as_for_a_shell_but_none_runs_it(tmp_path: Path) -> None:
    script = tmp_path / "a script.py"
    script.write_text("import json, sys; print(json.dumps({'score': len(sys.argv)})); print()")
    program = parse_command(f"{sys.executable} '{script}' {{graph}} '; touch x' $(touch y) > z", "chain")
    assert evaluate(program, GRAPH, NO_LIMITS, threading.Event()) == Measured({"score": 7})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("python 'train.py {graph}", "No closing quotation; quote it as for a shell"),
        ("python train.py", r"does not say where the graph goes; expected \{graph\}"),
        ("", "does not say where the graph goes"),
        ("no-such-program-anywhere {graph}", "there is no program 'no-such-program-anywhere'"),
    ],
)
def test_templates_that_cannot_work_are_refused(text: str, match: str) -> None:
    with pytest.raises(InvalidOption, match=match):
        parse_command(text, "chain")


def test_the_last_line_counts_whatever_comes_before(tmp_path: Path) -> None:
    program = Command(("train",), "chain")
    answer = json.dumps({"score": 1.5, "ü": 2})
    for before in ("", "epoch 1\n", "\xff" * 99 + "\n", '{"score": 0}\n' * 200_000):
        (tmp_path / "stdout").write_bytes((before + answer).encode("latin-1") + b"\n\n  \n")
        assert program.answer(tmp_path) == Measured({"score": 1.5, "ü": 2})
