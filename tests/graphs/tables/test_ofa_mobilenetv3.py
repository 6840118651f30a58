"""The measured Once-for-All subnets; a file that is not the published one is told."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphs.errors import TableError
from graphs.spaces.ofa_mobilenetv3 import OfaMobileNetV3
from graphs.tables.ofa_mobilenetv3 import Subnets, load_subnets

HEADER = "run,depths,kernels,expansions,resolution,params,macs,imagenet_top1"
ROW = "evoga_acc,23243,57553337553773335555,43444634434336664344,224,5029656,255502624,75.448"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Subnets]:
    def load(*lines: str) -> Subnets:
        (tmp_path / "ofa_mobilenetv3").mkdir()
        (tmp_path / "ofa_mobilenetv3" / "subnets.csv").write_text("\n".join(lines))
        return load_subnets(tmp_path)

    return load


def test_rows_are_those_of_the_file(data_dir: Path) -> None:
    """Read back digit by digit; what stands in slots past a stage's depth is not part of the architecture."""
    subnets = load_subnets(data_dir)
    with (data_dir / "ofa_mobilenetv3" / "subnets.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(subnets) == len(rows) == 1_749
    space = OfaMobileNetV3()
    for row, graph in zip(rows, subnets.graphs, strict=True):
        stages = space.describe(graph)
        assert "".join(str(len(layers)) for layers in stages) == row["depths"]
        for slot, (kernel, expand) in enumerate(zip(row["kernels"], row["expansions"], strict=True)):
            layers, place = stages[slot // 4], slot % 4
            if place < len(layers):
                assert layers[place] == (int(kernel), int(expand))
    for column, found in (("params", subnets.params), ("macs", subnets.macs), ("imagenet_top1", subnets.top1)):
        assert found.tolist() == [float(row[column]) for row in rows]
    assert list(subnets.run) == [row["run"] for row in rows]
    assert subnets.params.dtype == subnets.macs.dtype == np.int64


def test_the_known_range_and_searches(data_dir: Path) -> None:
    subnets = load_subnets(data_dir)
    assert (subnets.top1.min(), subnets.top1.max()) == (70.998, 77.442)
    assert len(set(subnets.graphs)) == 1_713
    assert len(set(subnets.run)) == 5


def test_the_folder_of_the_environment(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    assert len(load_subnets()) == 1_749
    monkeypatch.delenv("ARCHGEN_DATA")
    with pytest.raises(TableError, match="set ARCHGEN_DATA"):
        load_subnets()


def test_a_row_alone(load: Callable[..., Subnets]) -> None:
    subnets = load(HEADER, ROW)
    assert OfaMobileNetV3().format(subnets.graphs[0]) == "23243|57-333-55-7333-555|43-463-43-3666-434"
    assert (subnets.params[0], subnets.macs[0], subnets.top1[0]) == (5_029_656, 255_502_624, 75.448)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("75.448", "nan", "nan % correct cannot be"),
        ("75.448", "inf", "cannot be"),
        ("75.448", "-1", "cannot be"),
        ("75.448", "", "could not convert"),
        (",75.448", "", "no measured subnet"),
        ("5029656", "5029656.5", "invalid literal"),
        ("5029656", "0", "cannot be"),
        ("255502624", "-255502624", "cannot be"),
        (",224,", ",192,", "resolution 192, expected 224"),
        ("23243", "2324", "expected 5 depths"),
        ("23243", "23245", "depths 2-3-2-4-5"),
        ("23243", "13243", "stage 1 has depth 1"),
        ("23243", "x3243", "expected 5 depths"),
        ("57553", "97553", "node 1 has kernel=9"),
        ("57553", "5755", "expected 5 depths and 20 kernels"),
        ("43444", "53444", "node 1 has expand=5"),
    ],
)
def test_a_bad_row_is_named(load: Callable[..., Subnets], old: str, new: str, message: str) -> None:
    assert ROW.count(old) == 1
    with pytest.raises(TableError, match=rf"subnets.csv, line 3: .*{message}.*fetch the file again"):
        load(HEADER, ROW, ROW.replace(old, new))


def test_a_missing_column_file_or_content_is_told(load: Callable[..., Subnets], tmp_path: Path) -> None:
    with pytest.raises(TableError, match="set ARCHGEN_DATA to the folder that holds ofa_mobilenetv3/"):
        load_subnets(tmp_path)
    with pytest.raises(TableError, match=r"line 2: .*'macs'"):
        load(HEADER.replace("macs", "flops"), ROW)


@pytest.mark.parametrize("content", [b"", HEADER.encode(), b"\xff\xfe\x00garbage\n\xff"])
def test_a_file_without_rows(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "ofa_mobilenetv3").mkdir()
    (tmp_path / "ofa_mobilenetv3" / "subnets.csv").write_bytes(content)
    with pytest.raises(TableError, match=r"expected a row a subnet, got none|not a CSV file"):
        load_subnets(tmp_path)
