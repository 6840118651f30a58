"""Files of torch.save: what was saved comes back, and nothing in them is run."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from gnn_search.data import saved
from gnn_search.data_sets import load_task
from graphs.errors import DataError, TooLarge

Ring = Callable[..., Data]


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("form", ["data", "dict"])
def test_one_graph(ring: Ring, tmp_path: Path, form: str) -> None:
    torch.save(ring() if form == "data" else ring().to_dict(), tmp_path / "My_Ring.pt")
    task = load_task(str(tmp_path / "My_Ring.pt"))
    assert (task.name, task.kind, task.classes) == ("My_Ring", "node", 3)
    assert torch.equal(task.train.graph.x, ring().x)


def test_several_graphs(ring: Ring, tmp_path: Path) -> None:
    torch.save([ring(y=torch.tensor([i % 2])) for i in range(10)], tmp_path / "rings.pt")
    assert load_task(str(tmp_path / "rings.pt")).kind == "graph"


def test_a_file_without_masks_is_split_at_random(ring: Ring, tmp_path: Path) -> None:
    torch.save(ring(train_mask=None, val_mask=None, test_mask=None), tmp_path / "ring.pt")
    task = load_task(str(tmp_path / "ring.pt"))
    assert [len(part.items) for part in (task.train, task.valid, task.test)] == [6, 3, 3]


def test_code_is_not_run(ring: Ring, tmp_path: Path) -> None:
    torch.save(ring(note=Harmful(tmp_path / "harm")), tmp_path / "ring.pt")
    with pytest.raises(DataError, match=r"could run code.*found .*mkdir.*weights_only=False"):
        load_task(str(tmp_path / "ring.pt"))
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Harmful(tmp_path / "harm")))
    with pytest.raises(DataError):
        load_task(str(tmp_path / "plain.pt"))
    assert not (tmp_path / "harm").exists()


def test_what_is_no_graph(ring: Ring, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    with pytest.raises(DataError, match="no such file"):
        load_task(str(path))
    torch.save(torch.ones(3), path)
    with pytest.raises(DataError, match="holds a Tensor, expected a PyG Data object"):
        load_task(str(path))
    torch.save([], path)
    with pytest.raises(DataError, match="holds a list"):
        load_task(str(path))
    torch.save(ring(), path)
    for content in (b"", b"no file of torch", path.read_bytes()[:-200]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=str(path)):
            load_task(str(path))


def test_a_file_larger_than_memory(ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(ring(), tmp_path / "ring.pt")
    monkeypatch.setattr(saved, "available_bytes", lambda: 1000)
    with pytest.raises(TooLarge, match="reading it"):
        load_task(str(tmp_path / "ring.pt"))
