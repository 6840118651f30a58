"""The script that measures how well shared weights rank, on little."""

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., list[str]]
Cells = Callable[[list[str]], list[str]]


def test_the_table(run: Run, first_cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHGEN_CACHE", str(tmp_path))
    words = ["--data", "synthetic-sbm-500", "--candidates", "4", "--paths", "3", "--epochs", "2"]
    lines = run("supernet.py", *words)
    assert first_cells(lines)[2:] == ["fresh"] * 3 + ["constrained"] * 3 + ["by shape"] * 3
    inherited = [line.split("|")[4].strip() for line in lines if line.startswith("| ")][1:]
    assert inherited[:3] == ["0 %"] * 3
