"""Small graphs to make tasks of; a cache folder that no test shares with the user; sockets that refuse."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric.data import Data


@pytest.fixture(scope="session")
def data_set_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, data_set_cache: Path) -> pytest.MonkeyPatch:
    """No socket may connect, no raw files are known, and data sets are made in a folder of the tests."""

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("tests may not touch the network")

    monkeypatch.delenv("ARCHGEN_DATA", raising=False)
    monkeypatch.setenv("ARCHGEN_CACHE", str(data_set_cache))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return monkeypatch


@pytest.fixture(scope="session")
def ring() -> Callable[..., Data]:
    """Makes a ring of 12 nodes of 3 classes with masks; keywords replace entries, and None removes one."""

    def make(**entries: Any) -> Data:
        nodes = torch.arange(12)
        parts = {"train_mask": nodes < 6, "val_mask": (nodes >= 6) & (nodes < 9), "test_mask": nodes >= 9}
        made = {
            "x": torch.rand(12, 4, generator=torch.Generator().manual_seed(0)),
            "edge_index": torch.stack([nodes, (nodes + 1) % 12]),
            "y": nodes % 3,
            **parts,
            **entries,
        }
        return Data.from_dict({name: value for name, value in made.items() if value is not None})

    return make
