"""Where raw files are looked for, what is kept, and what happens when several processes make the same data set."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_geometric.datasets
from torch_geometric.data import Data

from gnn_search.data.pyg_files import cache_folder
from gnn_search.data_sets import load_task
from graphs.errors import DataError

Ring = Callable[..., Data]


@pytest.fixture
def fresh(offline: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    offline.setenv("ARCHGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def test_the_cache_is_the_users_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHGEN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ARCHGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "archgen"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "archgen"


def test_other_layouts_and_changed_files(data_dir: Path, fresh: Path, tmp_path: Path) -> None:
    raw = tmp_path / "mine" / "HeterophilousGraphDataset" / "Minesweeper" / "raw"
    raw.mkdir(parents=True)
    content = (data_dir / "graphs" / "minesweeper" / "raw" / "minesweeper.npz").read_bytes()
    (raw / "minesweeper.npz").write_bytes(content)
    for _ in range(2):
        assert load_task("minesweeper", root=tmp_path / "mine").train.graph.nodes == 10000
        assert len(list((fresh / "HeterophilousGraphDataset").iterdir())) == 1
    assert sorted(path.name for path in raw.parent.iterdir()) == ["raw"]
    (raw / "minesweeper.npz").write_bytes(content + b" ")
    load_task("minesweeper", root=tmp_path / "mine")
    assert len(list((fresh / "HeterophilousGraphDataset").iterdir())) == 2


def test_several_processes_at_once(data_dir: Path, fresh: Path) -> None:
    code = f"from gnn_search.data_sets import load_task; load_task('minesweeper', root={str(data_dir)!r})"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate()[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    assert len(list((fresh / "HeterophilousGraphDataset").iterdir())) == 1


def test_a_cache_that_cannot_be_written(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ARCHGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="ARCHGEN_CACHE"):
        load_task("minesweeper", root=data_dir)


@pytest.mark.usefixtures("offline")
def test_a_root_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        load_task("cora", root=tmp_path / "absent")


@pytest.mark.usefixtures("fresh")
def test_official_parts_of_graphs_are_kept_apart(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    class Official:
        def __init__(self, root: str, name: str, split: str = "train") -> None:
            self.split = split

        def __iter__(self) -> Iterator[Any]:
            sizes = {"train": 5, "val": 3, "test": 2}
            marks = {"train": 0.0, "val": 1.0, "test": 2.0}
            for number in range(sizes[self.split]):
                yield ring(y=torch.tensor([number % 2]), x=torch.full((12, 1), marks[self.split]))

    monkeypatch.setattr(torch_geometric.datasets, "GNNBenchmarkDataset", Official)
    one, other = (load_task("GNNBenchmarkDataset:MNIST", seed=seed) for seed in (0, 1))
    for task in (one, other):
        parts = (task.train, task.valid, task.test)
        assert [len(part.items) for part in parts] == [5, 3, 2]
        assert [set(part.graph.x.to_dense().flatten().tolist()) for part in parts] == [{0.0}, {1.0}, {2.0}]
