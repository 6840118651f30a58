"""Published training-free metrics: pandas reads the same numbers; another file is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphs.errors import TableError
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.hardware import FOLDER
from graphs.tables.zero_cost import FAILED, FILE, load_zero_cost


def test_numbers_are_those_of_the_file(data_dir: Path) -> None:
    table, frame = load_zero_cost(data_dir), pd.read_csv(data_dir / FOLDER / FILE).replace(FAILED, np.nan)
    assert len(table) == len(frame) == 9_445
    assert list(table.columns) == frame.columns[1:].tolist()
    for name in table.columns:
        np.testing.assert_array_equal(table.column(name), frame[name])
    assert [NasBench201().format(graph) for graph in table.graphs[::997]] == frame["arch"][::997].tolist()


@pytest.mark.parametrize("text", ["arch,snip\n", "arch,snip\n|nothing|,1.0\n", "arch,snip\n|x", ""])
def test_another_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILE).write_text(text)
    with pytest.raises(TableError, match="fetch the file again"):
        load_zero_cost(tmp_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=f"set ARCHGEN_DATA to the folder that holds {FOLDER}"):
        load_zero_cost(tmp_path)
