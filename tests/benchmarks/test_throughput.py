"""The speed benchmark runs and reports every part."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "throughput.py"


def test_it_prints_a_line_for_each_part() -> None:
    arguments = ["--space", "nasbench201", "--steps", "4", "--graphs", "50", "--labels", "10"]
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=True)
    starts = [line.split()[0] for line in done.stdout.splitlines()]
    assert starts == ["train", "draw,", "fit", "log-EI", "draw"]
