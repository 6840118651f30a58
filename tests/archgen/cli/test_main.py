"""The command itself: instant help, clear refusals, exit codes, one JSON object as the last line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgen.cli import main
from graphs.spaces.catalogue import SPACES

Run = Callable[..., Any]
HEAVY = ("torch", "botorch", "wandb", "matplotlib", "sqlalchemy", "numpy", "pandas")
COMMANDS = ("spaces", "sample", "search", "status", "pareto", "report", "wandb", "bench")


def loaded(*arguments: str) -> set[str]:
    """Which of `HEAVY` a command loads."""
    code = f"""
import sys
from archgen.cli.main import run
try:
    run({list(arguments)!r})
except SystemExit as left:
    assert not left.code, left.code
print("|".join(m for m in {HEAVY!r} if m in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split("|")) - {""}


@pytest.mark.parametrize("arguments", [("--help",), ("search", "--help")])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == set()


def test_help_is_instant(spawn: Run, fastest: Callable[..., float]) -> None:
    assert fastest(lambda: spawn("--help"), runs=10) < 0.25


def test_help_names_every_command(archgen: Run) -> None:
    told = archgen("--help")
    assert told.code == 0
    assert all(f" {name} " in told.out for name in COMMANDS)


def test_every_command_has_json_and_those_with_chance_have_seed(archgen: Run) -> None:
    for name in COMMANDS:
        text = archgen(name, "--help").out
        assert "--json" in text
        assert ("--seed" in text or "--first-seed" in text) == (name in ("sample", "search", "bench"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serch"], "No such command 'serch'. Did you mean 'search'"),
        (
            ["search", "nas-bench-graph", "--task", "cora", "--budgt", "3"],
            "No such option: --budgt. Did you mean --budget",
        ),
        (["search", "nas-bench-graph"], "--task is missing; choose one of cora, "),
        (["search", "--task", "cora"], "Missing argument 'space'"),
        (["search", "nas-bench-graph", "--task", "cora", "--budget", "many"], "Invalid value for '--budget'"),
        (["search", "nas-bench-graph", "--task", "cora", "--seed", "-1"], "Invalid value for '--seed'"),
        (
            ["search", "nas-bench-graph", "--task", "cora", "--wandb", "ofline"],
            "'ofline' is not one of 'online', 'offline'",
        ),
        (["sample", "nas-bench-grap"], "unknown space 'nas-bench-grap'. Did you mean 'nas-bench-graph'?"),
        (["sample", "nas-bench-graph", "-n", "0"], "cannot draw 0 architectures"),
        (["status", "nowhere"], "nowhere: no campaign here"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    archgen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for as_json in (False, True):
        found = archgen(*arguments, *(["--json"] if as_json else []))
        assert found.code == 2
        assert len(found.err.splitlines()) == 1, found.err
        assert found.err.startswith("archgen: ")
        assert told in found.err
        if as_json:
            assert found.json == {"error": found.err.removeprefix("archgen: ").rstrip("\n"), "exit_code": 2}
        else:
            assert found.out == ""
    assert list(tmp_path.iterdir()) == []


def _raise(error: BaseException) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted; run the same command to go on"),
        (ValueError("a\nb"), 1, "internal error, ValueError: a b; set ARCHGEN_TRACEBACK=1"),
        (OSError(28, "No space left on device", "/x/y"), 2, "/x/y: cannot write (No space left on device)"),
    ],
)
def test_errors_from_inside(
    archgen: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, told: str
) -> None:
    from archgen.cli import inspect

    monkeypatch.setattr(inspect, "list_spaces", _raise(error))
    found = archgen("spaces", "--json")
    assert found.code == code == found.json["exit_code"]
    assert told in found.err
    assert len(found.err.splitlines()) == 1


def test_a_reader_that_stops_early_is_no_error() -> None:
    command = f"{sys.executable} -c 'from archgen.cli.main import run; run()' sample nas-bench-graph -n 5000 --seed 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_installed_command_is_this_one(spawn: Run) -> None:
    found = spawn("spaces", "--json")
    assert found.code == 0
    assert {row["space"] for row in json.loads(found.out)["spaces"]} == set(SPACES)
    assert callable(main.run)
