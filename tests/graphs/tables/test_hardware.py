"""Hardware tables: pandas reads the same numbers; a file that is not the published one is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphs.errors import TableError, UnknownName
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.hardware import FILES, FOLDER, load_hardware, whole_milliseconds


@pytest.mark.parametrize("file", FILES)
def test_numbers_are_those_of_the_file(file: str, data_dir: Path) -> None:
    table, space = load_hardware(file, data_dir), NasBench201()
    frame = pd.read_csv(data_dir / FOLDER / file).replace(-1, np.nan)
    assert len(table) == len(frame) == space.size
    assert list(table.columns) == frame.columns[1:].tolist()
    for name in table.columns:
        np.testing.assert_array_equal(table.column(name), frame[name])
    for row in range(0, len(table), 997):
        assert space.format(table.graphs[row]) == frame["arch"][row]


def test_what_was_not_measured_is_nan(data_dir: Path) -> None:
    devices, bench = (load_hardware(file, data_dir) for file in FILES)
    assert np.isfinite(devices.column("i7_7820x_fp32_ms")).sum() == 15_284
    assert np.isnan(bench.column("edgetpu_latency_c10")).sum() == 4_699
    assert all(np.nanmin(column) > 0 for column in (*devices.columns.values(), *bench.columns.values()))


def test_devices_with_a_coarse_clock(data_dir: Path) -> None:
    table = load_hardware(folder=data_dir)
    coarse = [name for name, column in table.columns.items() if whole_milliseconds(column)]
    assert coarse == ["essential_ph_1", "pixel2", "samsung_a50", "samsung_s7"]
    assert whole_milliseconds(np.array([1.0, np.nan]))
    assert not whole_milliseconds(np.array([1.0, 1.5]))


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    with pytest.raises(UnknownName, match="hw_nas_bench"):
        load_hardware("hw_nas_bench")
    monkeypatch.delenv("ARCHGEN_DATA", raising=False)
    with pytest.raises(TableError, match="set ARCHGEN_DATA"):
        load_hardware()
    with pytest.raises(TableError, match="cannot read the table"):
        load_hardware(folder=tmp_path)
    with pytest.raises(UnknownName, match="Did you mean 'pixel3'"):
        load_hardware(folder=data_dir).column("pixel33")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("arch,a\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1", "got 1"),
        ("arch,a\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,x", "holds no number"),
        ("arch,a\nnothing,1", "cut short"),
        ("", "cut short"),
    ],
)
def test_another_file(lines: str, told: str, tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILES[0]).write_text(lines)
    with pytest.raises(TableError, match=told):
        load_hardware(folder=tmp_path)
