"""Scripts of experiments run in this process, and what they print."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., list[str]]
EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function from a script and its options to the lines that it prints; in this process, to spare imports."""
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    monkeypatch.syspath_prepend(EXPERIMENTS)

    def lines(script: str, *words: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [script, *words])
        runpy.run_path(str(EXPERIMENTS / script), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return lines


@pytest.fixture
def first_cells() -> Callable[[list[str]], list[str]]:
    """The first cell of each row of the tables among lines."""
    return lambda lines: [line.split("|")[1].strip() for line in lines if line.startswith("|")]
