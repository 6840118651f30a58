"""The live display, on a terminal and elsewhere."""

import math
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from archgen.cli.live import BLOCKS, sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([math.nan], ""), ([1.0, 1.0], "▁▁"), ([math.nan, 0.0, 7.0], "▁█"), (range(8), BLOCKS)],
)
def test_sparkline(values: list[float], drawn: str) -> None:
    assert sparkline([float(value) for value in values]) == drawn


@pytest.mark.parametrize("length", [69, 70, 71, 139, 1000])
def test_a_sparkline_fits_its_width(length: int) -> None:
    assert 0 < len(sparkline([float(k) for k in range(length)])) <= 70


def test_on_a_terminal_the_display_is_redrawn_and_standard_output_stays_clean(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    arguments = ["search", "nas-bench-graph", "--task", "cora", "--strategy", "random", "--budget", "30"]
    arguments += ["--wandb", "disabled", "--json", "--dir", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", "from archgen.cli.main import run; run()", *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert out.count(b"\n") == 1
    text = shown.decode(errors="replace")
    assert "queries" in text
    assert "30/30" in text or "best valid_accuracy" in text
    assert "\x1b[" in text
