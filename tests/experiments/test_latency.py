"""The latency scripts run on little data and print what their page shows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

Run = Callable[..., list[str]]
Cells = Callable[[list[str]], list[str]]


def test_columns_and_their_noise(run: Run, first_cells: Cells) -> None:
    lines = run("latency.py", "tables", "--only", "fpga", "pixel2")
    assert first_cells(lines) == ["column", "---", "fpga", "pixel2"]
    assert lines[2].split("|")[5].strip() == "1.000"
    assert "yes" in lines[3]


@pytest.mark.slow
def test_devices(run: Run, first_cells: Cells) -> None:
    lines = run("latency.py", "devices", "--only", "fpga", "--seeds", "1", "--first-seed", "1000", "--labels", "30")
    assert first_cells(lines) == ["column", "---", "fpga"]
    assert float(next(line for line in lines if line.startswith("| fpga")).split("|")[2].split()[0]) > 0.9


@pytest.mark.slow
def test_transfer(run: Run, first_cells: Cells) -> None:
    words = ("--seeds", "1", "--first-seed", "1000", "--labels", "30")
    lines = run("latency.py", "transfer", "--only", "fpga", *words)
    assert first_cells(lines) == ["device", "---", "fpga", "mean"] * 2
    assert first_cells(run("latency.py", "transfer", "--choose", "--only", "pixel3", *words))[2:] == ["pixel3", "mean"]


def test_measured(run: Run, first_cells: Cells, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    file = tmp_path / "measured.csv"
    lines = run("latency_measurements.py", "--out", str(file), "--graphs", "14", "--passes", "2")
    assert sum(line.startswith("Device(") for line in lines) == 2
    assert len(pd.read_csv(file)) == 2 * 14 * 3
    kinds = first_cells(run("latency.py", "measured", str(file), "--seeds", "1", "--labels", "11"))
    assert kinds == ["on", "---", *["eager"] * 5, *["onnx"] * 7]


def test_a_number_of_threads_is_a_device(
    run: Run, first_cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without measuring: on a busy machine two threads wait for each other, hundreds of times as long as they work."""
    rng, threads, file = np.random.default_rng(0), list[int](), tmp_path / "measured.csv"

    def timed(_: object, count: int, __: int, repeats: int) -> list[float]:
        threads.append(count)
        return rng.uniform(0.001, 0.002, repeats).tolist()

    monkeypatch.setattr("predictors.latency.measure.timed", timed)
    words = ("--runtimes", "eager", "--threads", "1", "2")
    run("latency_measurements.py", "--out", str(file), "--graphs", "14", "--passes", "2", *words)
    assert pd.read_csv(file)["runtime"].unique().tolist() == ["eager", "eager, 2 threads"]
    assert threads == sorted(threads)
    assert set(threads) == {1, 2}
    kinds = first_cells(run("latency.py", "measured", str(file), "--seeds", "1", "--labels", "11"))
    assert kinds == ["on", "---", *["eager"] * 5, *["eager, 2 threads"] * 7]
